import * as tf from "@tensorflow/tfjs-core";
import { describe, expect, test } from "vitest";
import { expectSameAs, numbers } from "../test/differentiation.js";
import { activate, type Activation } from "./activations.js";
import { mlp } from "./mlp.js";

/** Layer by layer, with tfjs-core operations and the bare activation. */
function composed(activation: Activation) {
  return (x: tf.Tensor, w1: tf.Tensor, b1: tf.Tensor, w2: tf.Tensor, b2: tf.Tensor): tf.Tensor => {
    const rows = tf.reshape(x, [-1, w1.shape[0]]);
    const hidden = activate(tf.add(tf.matMul(rows, w1), b1), activation);
    const y = tf.add(tf.matMul(hidden, w2), b2);
    return tf.reshape(y, [...x.shape.slice(0, -1), w2.shape[1]!]);
  };
}

const layers = (dim: number, hidden: number, outputs: number): tf.Tensor[] => [
  numbers([dim, hidden], 2),
  numbers([hidden], 3),
  numbers([hidden, outputs], 4),
  numbers([outputs], 5),
];

describe("a perceptron equals its layers one by one", () => {
  test.each(["gelu", "gelu_tanh", "quick_gelu", "silu"] as const)("with %s", async (activation) => {
    await expectSameAs(
      (x, w1, b1, w2, b2) =>
        mlp(x, { fc1: { weight: w1, bias: b1 }, fc2: { weight: w2, bias: b2 } }, activation),
      composed(activation),
      () => [numbers([2, 3, 5], 1), ...layers(5, 7, 3)],
      5e-5,
    );
  });

  test("with relu, away from its kink", async () => {
    await expectSameAs(
      (x, w1, b1, w2, b2) =>
        mlp(x, { fc1: { weight: w1, bias: b1 }, fc2: { weight: w2, bias: b2 } }, "relu"),
      composed("relu"),
      () => {
        const [w1, , w2, b2] = layers(2, 3, 2) as [tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor];
        return [numbers([4, 2], 1), w1, tf.tensor([4, -4, 4]), w2, b2];
      },
    );
  });

  test("with a single row and widths of 1", async () => {
    await expectSameAs(
      (x, w1, b1, w2, b2) =>
        mlp(x, { fc1: { weight: w1, bias: b1 }, fc2: { weight: w2, bias: b2 } }, "gelu"),
      composed("gelu"),
      () => [numbers([1, 1], 1), ...layers(1, 1, 1)],
    );
  });

  test("behind a norm, without biases of its own", async () => {
    const epsilon = 1e-2;
    await expectSameAs(
      (x, w, b, w1, w2) => {
        const norm = { weight: w, bias: b, epsilon };
        return mlp(x, { norm, fc1: { weight: w1 }, fc2: { weight: w2 } }, "quick_gelu");
      },
      (x, w, b, w1, w2) => {
        const { mean, variance } = tf.moments(x, -1, true);
        const normal = tf.div(tf.sub(x, mean), tf.sqrt(tf.add(variance, epsilon)));
        const u = tf.matMul(tf.add(tf.mul(normal, w), b), w1);
        return tf.matMul(activate(u, "quick_gelu"), w2);
      },
      () => [
        numbers([7, 5], 1),
        numbers([5], 6),
        numbers([5], 7),
        numbers([5, 3], 8),
        numbers([3, 2], 9),
      ],
      5e-5,
    );
  });
});

test("shapes that do not fit are named", () => {
  const fc1 = { weight: tf.zeros([3, 4]) };
  expect(() => mlp(tf.zeros([2, 3]), { fc1, fc2: { weight: tf.zeros([5, 2]) } }, "gelu")).toThrow(
    "mlp: fc2.weight should have shape [4, *], got [5, 2].",
  );
  const flat = { weight: tf.zeros([3]) };
  expect(() => mlp(tf.zeros([2, 3]), { fc1: flat, fc2: fc1 }, "gelu")).toThrow(
    "mlp: fc1.weight should have shape [D, H], got [3].",
  );
});
