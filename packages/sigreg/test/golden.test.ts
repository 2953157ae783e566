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
const files = { "epps-pulley": 120, "lejepa-loss": 33, training: 3 };

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

test("there are three adapters to check, and one with characteristicMeans", () => {
  expect(adapterVariants).toEqual(["float64", "tfjs", "jax", "tfjs with ops"]);
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
    for (const golden of cases)
      for (const problem of compareCase(
        golden,
        await computeCase(adapter, golden),
        adapter.precision,
      ))
        problems.push(`${golden.id}: ${problem}`);
    expect(problems).toEqual([]);
  });

  test("zeros would fail, except where zero is the answer", () => {
    const isZero = (tensors: Readonly<Record<string, StoredTensor>>) =>
      Object.values(tensors).every(({ data }) => data.every((value) => Math.abs(value) < 1e-5));
    for (const golden of cases) {
      expect(compareCase(golden, withZeros(golden, "values"), "float32"), golden.id).not.toEqual(
        [],
      );
      const gradients = golden.gradient?.byInput;
      if (gradients === undefined || isZero(gradients)) continue;
      expect(compareCase(golden, withZeros(golden, "gradients"), "float32"), golden.id).not.toEqual(
        [],
      );
    }
    const zeroGradients = cases.filter(
      ({ gradient }) => gradient !== undefined && isZero(gradient.byInput),
    );
    expect(
      zeroGradients.map(({ id }) => id).filter((id) => !/const0|collapsed-zero/.test(id)),
    ).toEqual([]);
  });
});
