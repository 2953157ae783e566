import * as tf from "@tensorflow/tfjs-core";
import { expect, test } from "vitest";
import { deviation, expectSameAs, numbers } from "../test/differentiation.js";
import { type Activation, activate, gelu, geluTanh, quickGelu, silu } from "./activations.js";

const composed: Record<Activation, (x: tf.Tensor) => tf.Tensor> = {
  relu: (x) => tf.maximum(x, 0),
  gelu: (x) => tf.mul(tf.mul(x, 0.5), tf.add(1, tf.erf(tf.div(x, Math.SQRT2)))),
  gelu_tanh: (x) =>
    tf.mul(
      tf.mul(x, 0.5),
      tf.add(1, tf.tanh(tf.mul(Math.sqrt(2 / Math.PI), tf.add(x, tf.mul(0.044715, tf.pow(x, 3)))))),
    ),
  quick_gelu: (x) => tf.mul(x, tf.sigmoid(tf.mul(x, 1.702))),
  silu: (x) => tf.mul(x, tf.sigmoid(x)),
};

const smooth = ["gelu", "gelu_tanh", "quick_gelu", "silu"] as const;
const shapes = [[7], [2, 3, 5], [1, 1]];

test.each(smooth.flatMap((name) => shapes.map((shape) => ({ name, shape }))))(
  "$name of shape $shape equals the composed form, value and gradient",
  async ({ name, shape }) => {
    await expectSameAs(
      (x) => activate(x, name),
      composed[name],
      () => [tf.mul(numbers(shape, 1), 3)],
    );
  },
);

// Values of torch.nn.functional at -2, -1, 0, 1, 3 in float64; quick_gelu from its formula.
const known = [
  { op: gelu, expected: [-0.045500263896, -0.158655253931, 0, 0.841344746069, 2.995950305907] },
  { op: geluTanh, expected: [-0.045402305912, -0.158808009396, 0, 0.841191990604, 2.996362607919] },
  { op: quickGelu, expected: [-0.064344, -0.154204, 0, 0.845796, 2.981931] },
  { op: silu, expected: [-0.238405844044, -0.26894142137, 0, 0.73105857863, 2.857722380409] },
];
test.each(known)("$op.name takes its known values", async ({ op, expected }) => {
  await tf.setBackend("cpu");
  expect(deviation(op(tf.tensor([-2, -1, 0, 1, 3])).dataSync(), expected)).toBeLessThan(1e-6);
});

test("relu is zero below zero", async () => {
  await tf.setBackend("cpu");
  expect([...activate(tf.tensor([-1, 0, 2]), "relu").dataSync()]).toEqual([0, 0, 2]);
});
