import * as tf from "@tensorflow/tfjs-core";
import { expect, test } from "vitest";
import { expectSameAs, numbers } from "../test/differentiation.js";
import { normalizeRows } from "./normalize-rows.js";

const composed = (x: tf.Tensor): tf.Tensor => {
  const { mean, variance } = tf.moments(x, 1, true);
  return tf.div(tf.sub(x, mean), tf.sqrt(tf.add(variance, 1e-2)));
};

test.each([
  [5, 7],
  [1, 3],
])("value and gradient of %i rows of %i equal the composed form", async (rows, dim) => {
  await expectSameAs(
    (x) => normalizeRows(x, { epsilon: 1e-2, readers: "any" }),
    composed,
    () => [numbers([rows, dim], 1)],
    5e-5,
  );
});

test("where all that reads the rows is centred, the gradient may count on it", async () => {
  const weight = () => tf.tensor([1, -3, 2], [3, 1]); // sums to 0
  await expectSameAs(
    (x) => tf.matMul(normalizeRows(x, { epsilon: 1e-2, readers: "centred" }), weight()),
    (x) => tf.matMul(composed(x), weight()),
    () => [numbers([4, 3], 1)],
    5e-5,
  );
});

test("a row of equal numbers becomes zeros", async () => {
  await tf.setBackend("cpu");
  const y = normalizeRows(tf.tensor([[7, 7, 7]]), { epsilon: 1e-6, readers: "any" });
  expect([...y.dataSync()]).toEqual([0, 0, 0]);
});

test("another rank than 2 is named", () => {
  expect(() => normalizeRows(tf.zeros([3]), { epsilon: 1e-6, readers: "any" })).toThrow(
    "normalizeRows: x should have shape [*, *], got [3].",
  );
});
