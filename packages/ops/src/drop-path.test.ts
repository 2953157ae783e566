import * as tf from "@tensorflow/tfjs-core";
import { expect, test } from "vitest";
import { expectSameAs, numbers } from "../test/differentiation.js";
import { dropPath } from "./drop-path.js";

test("samples whose draw is below the share are kept and scaled, the others are zero", async () => {
  await tf.setBackend("cpu");
  const x = tf.tensor([
    [1, 2],
    [3, 4],
    [5, 6],
    [7, 8],
  ]);
  const y = dropPath(x, tf.tensor([0, 0.49, 0.5, 0.99]), 0.5);
  expect([...y.dataSync()]).toEqual([2, 4, 6, 8, 0, 0, 0, 0]);
});

test("a share of 1 changes nothing", async () => {
  await tf.setBackend("cpu");
  expect([...dropPath(tf.tensor([1, 2]), tf.tensor([0, 0.999]), 1).dataSync()]).toEqual([1, 2]);
});

test.each([[[3]], [[3, 1]], [[3, 2, 5]]])(
  "value and gradient equal the composed form for x of shape %j",
  async (shape) => {
    const factors = tf.tensor([1.25, 0, 1.25], [3, ...shape.slice(1).map(() => 1)]);
    await expectSameAs(
      (x) => dropPath(x, tf.tensor([0.1, 0.9, 0.7]), 0.8),
      (x) => tf.mul(x, tf.tensor(factors.dataSync(), factors.shape)),
      () => [numbers(shape, 1)],
    );
  },
);

test("the mean over many draws is the input", async () => {
  await tf.setBackend("cpu");
  const draws = tf.tensor(Float32Array.from({ length: 1000 }, (_, i) => i / 1000));
  const mean = tf.mean(dropPath(tf.ones([1000]), draws, 0.8)).dataSync()[0]!;
  expect(Math.abs(mean - 1)).toBeLessThan(1e-5);
});

test("a share and draws that do not fit are named", () => {
  for (const keep of [0, -0.1, 1.1, NaN]) {
    expect(() => dropPath(tf.zeros([2, 3]), tf.zeros([2]), keep)).toThrow(
      expect.objectContaining({ code: "bad-keep" }),
    );
  }
  expect(() => dropPath(tf.zeros([2, 3]), tf.zeros([3]), 0.5)).toThrow(
    "dropPath: draws should have shape [2], got [3].",
  );
  expect(() => dropPath(tf.scalar(1), tf.zeros([1]), 0.5)).toThrow(
    expect.objectContaining({ code: "bad-shape" }),
  );
});
