import { readFileSync } from "node:fs";
import "@lejepa/ops"; // registers the gradients
import "@tensorflow/tfjs-backend-cpu";
import * as tf from "@tensorflow/tfjs-core";
import { expect, test } from "vitest";
import { type Grid, resampledPositions } from "./resampled-positions.js";

/** Written by test/golden/resampled-positions.py. */
interface Golden {
  readonly dim: number;
  readonly cases: readonly {
    readonly from: Grid;
    readonly to: Grid;
    readonly prefix: number;
    readonly table: number[];
    readonly result: number[];
    readonly weights: number[];
    readonly gradient: number[];
  }[];
}
const file = new URL("../../test/golden/resampled-positions.json", import.meta.url);
const golden = JSON.parse(readFileSync(file, "utf8")) as Golden;

const expectClose = (got: tf.Tensor, expected: readonly number[]) => {
  const values = [...got.dataSync()];
  expect(values).toHaveLength(expected.length);
  values.forEach((value, i) => expect(value).toBeCloseTo(expected[i]!, 5));
};

test.each(golden.cases)(
  "a table of $from patches behind $prefix tokens becomes PyTorch's of $to, and gets its gradient",
  async ({ from, to, prefix, table, result, weights, gradient }) => {
    await tf.setBackend("cpu");
    const x = tf.tensor(table, [1, prefix + from[0] * from[1], golden.dim]);
    const resample = (x: tf.Tensor) => resampledPositions(x, prefix, from, to);
    const y = resample(x);
    expect(y.shape).toEqual([1, prefix + to[0] * to[1], golden.dim]);
    expectClose(y, result);
    const dy = tf.tensor(weights, y.shape);
    expectClose(tf.grad(resample)(x, dy), gradient);
    // Zeros would be noticed.
    expect(Math.max(...result.map(Math.abs))).toBeGreaterThan(0.1);
    expect(Math.max(...gradient.map(Math.abs))).toBeGreaterThan(0.1);
  },
);

test("between equal grids the table is returned as it is", () => {
  const x = tf.ones([1, 5, 3]);
  expect(resampledPositions(x, 1, [2, 2], [2, 2])).toBe(x);
});

test("a constant table stays constant on every grid", async () => {
  await tf.setBackend("cpu");
  for (const to of [
    [1, 1],
    [5, 2],
    [9, 9],
  ] as const)
    expectClose(
      resampledPositions(tf.fill([1, 16, 1], 7), 0, [4, 4], to),
      Array<number>(to[0] * to[1]).fill(7),
    );
});
