import * as tf from "@tensorflow/tfjs-core";
import { expect, test } from "vitest";
import { expectSameAs, numbers } from "../test/differentiation.js";
import { layerNorm, layerNormLinear } from "./layer-norm.js";

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

test.each([[[4, 6]], [[2, 3, 5]], [[1, 7]], [[3, 1]]])(
  "a norm folded into the affine map behind it equals the two apart, x of shape %j",
  async (shape) => {
    const dim = shape.at(-1) as number;
    await expectSameAs(
      (x, w, b, weight, bias) =>
        layerNormLinear(x, { weight: w, bias: b, epsilon: 1e-2 }, [{ weight, bias }])[0]!,
      (x, w, b, weight, bias) => {
        const rows = tf.reshape(composed(1e-2)(x, w, b), [-1, dim]);
        return tf.reshape(tf.add(tf.matMul(rows, weight), bias), [...shape.slice(0, -1), 4]);
      },
      () => [
        numbers(shape, 1),
        numbers([dim], 2),
        numbers([dim], 3),
        numbers([dim, 4], 4),
        numbers([4], 5),
      ],
      5e-5,
    );
  },
);

test("several maps share one norm", async () => {
  await expectSameAs(
    (x, w, b, weight1, weight2) => {
      const layers = [{ weight: weight1 }, { weight: weight2 }];
      const ys = layerNormLinear(x, { weight: w, bias: b, epsilon: 1e-2 }, layers);
      return tf.concat(ys, 1);
    },
    (x, w, b, weight1, weight2) => {
      const y = composed(1e-2)(x, w, b);
      return tf.concat([tf.matMul(y, weight1), tf.matMul(y, weight2)], 1);
    },
    () => [
      numbers([4, 3], 1),
      numbers([3], 2),
      numbers([3], 3),
      numbers([3, 2], 4),
      numbers([3, 1], 5),
    ],
    5e-5,
  );
});

test("layers that do not fit the norm are named", () => {
  const norm = { weight: tf.zeros([3]), bias: tf.zeros([3]), epsilon: 1e-6 };
  expect(() => layerNormLinear(tf.zeros([2, 3]), norm, [{ weight: tf.zeros([2, 3]) }])).toThrow(
    "layerNormLinear: layers[0].weight should have shape [3, *], got [2, 3].",
  );
  expect(() =>
    layerNormLinear(tf.zeros([2, 3]), norm, [{ weight: tf.zeros([3, 2]), bias: tf.zeros([3]) }]),
  ).toThrow("layerNormLinear: layers[0].bias should have shape [2], got [3].");
});
