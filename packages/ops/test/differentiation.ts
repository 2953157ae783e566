import "@tensorflow/tfjs-backend-cpu";
import "@tensorflow/tfjs-backend-wasm";
import * as tf from "@tensorflow/tfjs-core";
import { expect } from "vitest";
import "../src/index.js";

/** A differentiable function of tensors. */
export type Op = (...inputs: tf.Tensor[]) => tf.Tensor;

/** Backends that every op is checked on. */
export const backends = ["cpu", "wasm"] as const;

/** Numbers in -1..1 that depend on `key` alone: fractional parts of multiples of the golden ratio, shuffled by key. */
export function numbers(shape: number[], key: number): tf.Tensor {
  const size = shape.reduce((a, b) => a * b, 1);
  const values = Float32Array.from({ length: size }, (_, i) => {
    const u = Math.sin(12.9898 * (i + 1) + 78.233 * key) * 43758.5453;
    return 2 * (u - Math.floor(u)) - 1;
  });
  return tf.tensor(values, shape);
}

/** Value of `op` and the gradients of sum(op(inputs) * w) for a fixed w that is not constant. */
export function valueAndGradients(op: Op, inputs: tf.Tensor[]) {
  const { value, grads } = tf.valueAndGrads((...args: tf.Tensor[]) => {
    const y = op(...args);
    return tf.sum<tf.Scalar>(tf.mul(y, numbers(y.shape, 99)));
  })(inputs);
  const y = op(...inputs);
  return {
    shape: y.shape,
    value: y.dataSync() as Float32Array,
    loss: value.dataSync()[0] as number,
    grads: grads.map((g) => ({ shape: g.shape, data: g.dataSync() as Float32Array })),
  };
}

/** Largest difference over the largest expected magnitude; NaN is a difference. */
export function deviation(got: ArrayLike<number>, expected: ArrayLike<number>): number {
  if (got.length !== expected.length) {
    return Infinity;
  }
  let largest = 0;
  let difference = 0;
  for (let i = 0; i < got.length; i++) {
    largest = Math.max(largest, Math.abs(expected[i] as number));
    const d = Math.abs((got[i] as number) - (expected[i] as number));
    difference = d <= difference ? difference : d;
  }
  return difference / Math.max(largest, 1e-30);
}

/** Checks value and every gradient of `op` on each backend: against `reference` (composed tfjs-core ops, on the cpu
 *  backend) and against central differences along one direction for each input. */
export async function expectSameAs(
  op: Op,
  reference: Op,
  makeInputs: () => tf.Tensor[],
  tolerance = 2e-5,
): Promise<void> {
  await tf.setBackend("cpu");
  const expected = valueAndGradients(reference, makeInputs());
  expect(Math.max(...expected.value.map(Math.abs))).toBeGreaterThan(0.01);
  for (const backend of backends) {
    await tf.setBackend(backend);
    await tf.ready();
    const inputs = makeInputs();
    const got = valueAndGradients(op, inputs);
    expect(got.shape, backend).toEqual(expected.shape);
    expect(deviation(got.value, expected.value), `${backend}: value`).toBeLessThan(tolerance);
    got.grads.forEach((grad, i) => {
      const reference = expected.grads[i] as Gradient;
      expect(grad.shape, `${backend}: gradient ${i}`).toEqual(reference.shape);
      // A gradient that is zero in exact arithmetic is rounding noise: measure it against the loss's size.
      const scale = Math.max(1e-3, ...reference.data.map(Math.abs));
      const worst = Math.max(
        ...grad.data.map((g, j) => Math.abs(g - (reference.data[j] as number))),
      );
      expect(worst / scale, `${backend}: gradient ${i}`).toBeLessThan(tolerance);
    });
    expectSlopes(op, inputs, got.grads);
  }
}

/** One gradient, read back. */
interface Gradient {
  readonly shape: number[];
  readonly data: Float32Array;
}

/** Checks the gradient of each input against a fourth-order central difference along one direction. */
export function expectSlopes(op: Op, inputs: tf.Tensor[], grads: Gradient[]): void {
  inputs.forEach((input, i) => {
    const step = 2e-2;
    const direction = numbers(input.shape, 50 + i);
    const lossAt = (h: number) => {
      const moved = inputs.map((t, j) => (j === i ? tf.add(t, tf.mul(direction, h)) : t));
      const y = op(...moved);
      return tf.sum(tf.mul(y, numbers(y.shape, 99))).dataSync()[0] as number;
    };
    const slope =
      (8 * (lossAt(step) - lossAt(-step)) - (lossAt(2 * step) - lossAt(-2 * step))) / (12 * step);
    const along = direction.dataSync();
    const grad = (grads[i] as Gradient).data;
    const predicted = grad.reduce((sum, g, j) => sum + g * (along[j] as number), 0);
    const size = (Math.hypot(...grad) * Math.hypot(...along)) / Math.sqrt(grad.length) + 0.02;
    expect(Math.abs(slope - predicted) / size, `${tf.getBackend()}: slope ${i}`).toBeLessThan(2e-2);
  });
}
