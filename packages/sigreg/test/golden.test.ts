import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { needs } from "../../../tools/backends.js";
import { compareCase, type Computed, type Outputs } from "../../../tools/golden/compare.js";
import { computeCase } from "../../../tools/golden/compute.js";
import {
  parseGoldenFile,
  type GoldenCase,
  type StoredTensor,
} from "../../../tools/golden/golden-file.js";
import {
  tensorFlowAdapter,
  useAdapter,
  workspaceAdapters,
} from "../../../tools/golden/installed-adapters.js";

/** Files of golden values with the number of cases that each must hold. */
const files = {
  "epps-pulley": 120,
  univariate: 191,
  multivariate: 122,
  sigreg: 45,
  "lejepa-loss": 33,
  training: 3,
};

const casesOf = (file: string) =>
  parseGoldenFile(readFileSync(`${import.meta.dirname}/golden/${file}.json`, "utf8")).map(
    (golden) => {
      if ("malformed" in golden) throw new Error(`${golden.id}: ${golden.malformed}`);
      return golden;
    },
  );

const zeros = (tensors: Readonly<Record<string, StoredTensor>>): Record<string, Computed> =>
  Object.fromEntries(
    Object.entries(tensors).map(([name, { shape }]) => [
      name,
      { shape, data: new Float64Array(shape.reduce((product, size) => product * size, 1)) },
    ]),
  );

/** Outputs of the right shapes, with zeros for all values or for all gradients. */
function withZeros(golden: GoldenCase, which: "values" | "gradients"): Outputs {
  const exact = (tensors: Readonly<Record<string, StoredTensor>>): Record<string, Computed> =>
    Object.fromEntries(
      Object.entries(tensors).map(([name, { shape, data, index }]) => {
        const full = new Float64Array(shape.reduce((product, size) => product * size, 1));
        data.forEach((value, j) => (full[index?.[j] ?? j] = value));
        return [name, { shape, data: full }];
      }),
    );
  const gradients = golden.gradient?.byInput ?? {};
  return {
    values: which === "values" ? zeros(golden.values) : exact(golden.values),
    gradients: which === "gradients" ? zeros(gradients) : exact(gradients),
  };
}

/** What differs in the cases of a file on an adapter; undefined when its framework is not installed. */
async function problemsOf(file: string, name: string): Promise<string[] | undefined> {
  const adapter = await useAdapter(name);
  if (adapter === undefined) return undefined;
  const problems: string[] = [];
  for (const golden of casesOf(file))
    for (const problem of compareCase(
      golden,
      await computeCase(adapter, golden),
      adapter.precision,
    ))
      problems.push(`${golden.id}: ${problem}`);
  return problems;
}

test("the adapters are checked on every backend that comes with the workspace", () => {
  expect(workspaceAdapters).toEqual([
    "float64",
    ...["tfjs", "tfjs-wasm", "tfjs-onnx", "tfjs-ops", "tfjs-ops-wasm"],
    "jax",
  ]);
});

test("every case of every file, value and gradient, on TensorFlow", async (context) => {
  needs("tensorflow", context);
  for (const file of Object.keys(files))
    expect(await problemsOf(file, tensorFlowAdapter)).toEqual([]);
});

describe.each(Object.entries(files))("%s.json", (file, count) => {
  const cases = casesOf(file);

  test(`holds ${count} cases`, () => {
    expect(cases).toHaveLength(count);
  });

  test.each(workspaceAdapters)("every case, value and gradient, on %s", async (name) => {
    expect(await problemsOf(file, name)).toEqual([]);
  });

  test("zeros would fail, except where zero is the answer", () => {
    const passing = (which: "values" | "gradients") =>
      cases
        .filter(({ gradient }) => which === "values" || gradient !== undefined)
        .filter((golden) => compareCase(golden, withZeros(golden, which), "float64").length === 0)
        .map(({ id }) => id);
    // Entropy and COMB are 0 where all samples are equal. No gradient tells collapsed samples at 0 where to go, and Phi is
    // flat at samples of ±1000.
    const values = /^(Entropy|COMB).*\/const/;
    const gradients = /const0|collapsed-zero|^(CramerVonMises|Watson)\/huge/;
    expect(passing("values").filter((id) => !values.test(id))).toEqual([]);
    expect(passing("gradients").filter((id) => !gradients.test(id))).toEqual([]);
  });
});
