import * as tf from "@tensorflow/tfjs-core";
import { expect, test } from "vitest";
import { backends, expectSameAs, numbers } from "../test/differentiation.js";
import { globalAveragePool, maxPool2d, type MaxPoolOptions } from "./pooling.js";

test.each([[[2, 3, 5, 4]], [[2, 7, 3]], [[1, 1, 1, 2]]])(
  "the mean over positions of shape %j equals the composed form",
  async (shape) => {
    const axes = shape.slice(1, -1).map((_, i) => i + 1);
    await expectSameAs(
      (x) => globalAveragePool(x),
      (x) => tf.mean(x, axes),
      () => [numbers(shape, 1)],
    );
  },
);

/** The maximum of shifted slices; the margin is so low that it never wins. */
function byDefinition(x: tf.Tensor, { window, stride = window, padding = 0 }: MaxPoolOptions) {
  const p = padding as number;
  const padded = tf.pad(
    x,
    [
      [0, 0],
      [p, p],
      [p, p],
      [0, 0],
    ],
    -1000,
  );
  const [batch, height, width, channels] = padded.shape as [number, number, number, number];
  const rows = Math.floor((height - window) / stride) + 1;
  const columns = Math.floor((width - window) / stride) + 1;
  let best: tf.Tensor | undefined;
  for (let a = 0; a < window; a++) {
    for (let b = 0; b < window; b++) {
      const ys = tf.tensor1d(
        Array.from({ length: rows }, (_, i) => i * stride + a),
        "int32",
      );
      const xs = tf.tensor1d(
        Array.from({ length: columns }, (_, i) => i * stride + b),
        "int32",
      );
      const shifted = tf.gather(tf.gather(padded, ys, 1), xs, 2);
      best = best === undefined ? shifted : tf.maximum(best, shifted);
    }
  }
  return tf.reshape(best as tf.Tensor, [batch, rows, columns, channels]);
}

test.each([
  { shape: [2, 8, 8, 2], options: { window: 3, stride: 2, padding: 1 } },
  { shape: [1, 7, 9, 3], options: { window: 3, stride: 2, padding: 1 } },
  { shape: [1, 5, 4, 2], options: { window: 2 } },
  { shape: [1, 7, 7, 3], options: { window: 3, stride: 1, padding: 1 }, below: 100 },
  { shape: [2, 4, 5, 1], options: { window: 2 }, below: 100 },
])(
  "the maximum over windows of $shape by $options equals the definition",
  async ({ shape, options, below = 0 }) => {
    // Values 0.37 apart, so that a finite difference crosses no tie.
    const size = shape.reduce((a, b) => a * b, 1);
    const spread = () =>
      tf.tensor(
        Float32Array.from(
          { length: size },
          (_, i) => (((i * 89) % size) - size / 2) * 0.37 - below,
        ),
        shape,
      );
    await expectSameAs(
      (x) => maxPool2d(x as tf.Tensor4D, options),
      (x) => byDefinition(x, options),
      () => [spread()],
    );
  },
);

test("the margin never wins, also where everything is negative", async () => {
  await tf.setBackend("cpu");
  const y = maxPool2d(tf.fill([1, 2, 2, 1], -5), { window: 3, stride: 2, padding: 1 });
  expect([...y.dataSync()]).toEqual([-5]);
});

test.each(backends)("maxima below zero have a gradient on %s", async (backend) => {
  await tf.setBackend(backend);
  await tf.ready();
  const x = tf.tensor4d([-1, -2, -3, -4, -5, -6, -7, -8], [1, 2, 4, 1]);
  const gradient = tf.grad((t) => tf.sum(maxPool2d(t as tf.Tensor4D, { window: 2 })))(x);
  expect([...gradient.dataSync()]).toEqual([1, 0, 1, 0, 0, 0, 0, 0]);
});

test.each(backends)("the first of equal maxima has the gradient on %s", async (backend) => {
  await tf.setBackend(backend);
  await tf.ready();
  const x = tf.tensor4d([0, 0, -1, -1, 0, 0, -2, -1], [1, 2, 4, 1]);
  const gradient = tf.grad((t) => tf.sum(maxPool2d(t as tf.Tensor4D, { window: 2 })))(x);
  expect([...gradient.dataSync()]).toEqual([1, 0, 1, 0, 0, 0, 0, 0]);
});

test("shapes that do not fit are named", () => {
  expect(() => globalAveragePool(tf.zeros([2, 3]))).toThrow(
    "globalAveragePool: x should have shape [N, .., C], got [2, 3].",
  );
  expect(() => maxPool2d(tf.zeros([1, 2, 2, 1]), { window: 3 })).toThrow(
    expect.objectContaining({ code: "bad-shape" }),
  );
  expect(() => maxPool2d(tf.zeros([1, 2, 2, 1]), { window: 2, padding: 2 })).toThrow(
    expect.objectContaining({ code: "bad-padding" }),
  );
});
