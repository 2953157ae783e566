import * as tf from "@tensorflow/tfjs-core";
import { expect, test } from "vitest";
import { expectSameAs, numbers } from "../test/differentiation.js";
import { layerNorm } from "./layer-norm.js";

function composed(epsilon: number) {
  return (x: tf.Tensor, weight: tf.Tensor, bias: tf.Tensor) => {
    const { mean, variance } = tf.moments(x, -1, true);
    return tf.add(
      tf.mul(tf.div(tf.sub(x, mean), tf.sqrt(tf.add(variance, epsilon))), weight),
      bias,
    );
  };
}

test("a row becomes zero mean and unit variance, worked by hand", async () => {
  await tf.setBackend("cpu");
  const y = layerNorm(
    tf.tensor([
      [1, 3],
      [-4, 4],
    ]),
    tf.tensor([1, 2]),
    tf.tensor([0, 10]),
    0,
  );
  expect([...y.dataSync()]).toEqual([-1, 12, -1, 12]);
});

test.each([[[4, 6]], [[2, 3, 5]], [[1, 7]], [[2, 2, 2, 3]]])(
  "value and gradients equal the composed form for x of shape %j",
  async (shape) => {
    const dim = shape.at(-1) as number;
    await expectSameAs(
      (x, w, b) => layerNorm(x, w, b, 1e-2),
      composed(1e-2),
      () => [numbers(shape, 1), numbers([dim], 2), numbers([dim], 3)],
    );
  },
);

test("epsilon is part of the result", async () => {
  await tf.setBackend("cpu");
  const y = layerNorm(tf.tensor([[-1, 1]]), tf.tensor([1, 1]), tf.tensor([0, 0]), 3);
  expect([...y.dataSync()]).toEqual([-0.5, 0.5]); // 1 / sqrt(1 + 3)
});

test("shapes that do not fit are named", () => {
  expect(() => layerNorm(tf.zeros([2, 3]), tf.zeros([2]), tf.zeros([3]), 1e-6)).toThrow(
    "layerNorm: weight should have shape [3], got [2].",
  );
  expect(() => layerNorm(tf.zeros([2, 3]), tf.zeros([3]), tf.zeros([1, 3]), 1e-6)).toThrow(
    "layerNorm: bias should have shape [3], got [1, 3].",
  );
});
