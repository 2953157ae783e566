import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { compareCase, type Computed, type Outputs } from "../../../tools/golden/compare.js";
import { computeCase } from "../../../tools/golden/compute.js";
import {
  parseGoldenFile,
  type GoldenCase,
  type StoredTensor,
} from "../../../tools/golden/golden-file.js";
import { adapterVariants, loadAdapter } from "../../../tools/golden/installed-adapters.js";

/** Files of golden values with the number of cases that each must hold. */
const files = {
  "epps-pulley": 120,
  univariate: 191,
  multivariate: 122,
  sigreg: 45,
  "lejepa-loss": 33,
  training: 3,
};

/** Cases that may fail on an adapter, with the reason. */
const excused: Readonly<Record<string, readonly string[]>> = {
  // XNNPACK adds up products in float32, the other adapters in float64: where the gradient is a small difference of
  // such sums, up to 4e-3 of it is lost against the 1e-4 of the file.
  "epps-pulley on tfjs on wasm": [
    "ep/t1/n17/scaled-down/NK",
    "ep/t1/n33/scaled-down/NK",
    "ep/t1/n33/scaled-down/VNK",
    "ep/t3/n17/scaled-down/VNK",
    "ep/t3/n33/heavy/NK",
    "ep/t3/n33/scaled-down/VNK",
    "ep/t5/n33/scaled-down/NK",
  ],
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

test("there are three adapters to check, one of them with characteristicMeans and on wasm too", () => {
  expect(adapterVariants).toEqual(["float64", "tfjs", "jax", "tfjs with ops", "tfjs on wasm"]);
});

describe.each(Object.entries(files))("%s.json", (file, count) => {
  const cases = casesOf(file);

  test(`holds ${count} cases`, () => {
    expect(cases).toHaveLength(count);
  });

  test.each(adapterVariants)("every case, value and gradient, on %s", async (name) => {
    const adapter = await loadAdapter(name);
    if (adapter === undefined) throw new Error(`${name} is not installed`);
    const problems: string[] = [];
    const mayFail = excused[`${file} on ${name}`] ?? [];
    for (const golden of cases.filter(({ id }) => !mayFail.includes(id)))
      for (const problem of compareCase(
        golden,
        await computeCase(adapter, golden),
        adapter.precision,
      ))
        problems.push(`${golden.id}: ${problem}`);
    expect(problems).toEqual([]);
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
