import type { Encoder, Projector } from "@lejepa/encoders";
import type { HostTensors } from "@lejepa/ops";
import * as tf from "@tensorflow/tfjs-core";
import { expect } from "vitest";

export function toTensors(parameters: HostTensors): Record<string, tf.Tensor> {
  return Object.fromEntries(
    Object.entries(parameters).map(([name, { shape, data }]) => [
      name,
      tf.tensor(data, [...shape]),
    ]),
  );
}

/** Numbers in -1..1 from a linear congruence; the same at every call. */
export function numbers(shape: number[], seed = 1): tf.Tensor {
  let state = seed;
  const size = shape.reduce((a, b) => a * b, 1);
  const values = Float32Array.from({ length: size }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (2 * state) / 2 ** 32 - 1;
  });
  return tf.tensor(values, shape);
}

/** Loss and gradients of sum(output * w) in training, for every parameter that is no buffer.
 *  `apply` returns the output and the updates. */
export function gradientsOf(
  model: Pick<Encoder | Projector, "parameters">,
  tensors: Record<string, tf.Tensor>,
  apply: (parameters: Record<string, tf.Tensor>) => tf.Tensor,
): { loss: number; gradients: Record<string, Float32Array> } {
  const names = model.parameters.filter(({ buffer }) => !buffer).map(({ name }) => name);
  const { value, grads } = tf.valueAndGrads((...args: tf.Tensor[]) => {
    const trained = Object.fromEntries(names.map((name, i) => [name, args[i] as tf.Tensor]));
    const output = apply({ ...tensors, ...trained });
    return tf.sum<tf.Scalar>(tf.mul(output, numbers(output.shape, 7)));
  })(names.map((name) => tensors[name] as tf.Tensor));
  return {
    loss: value.dataSync()[0] as number,
    gradients: Object.fromEntries(
      names.map((name, i) => [name, (grads[i] as tf.Tensor).dataSync() as Float32Array]),
    ),
  };
}

/** Checks that the gradient along itself is the slope of the loss: a central difference over all parameters at once. */
export function expectSlopeAlongGradient(
  tensors: Record<string, tf.Tensor>,
  gradients: Record<string, Float32Array>,
  loss: (parameters: Record<string, tf.Tensor>) => number,
  step: number,
): void {
  const squared = Object.values(gradients).reduce((s, g) => g.reduce((t, v) => t + v * v, s), 0);
  const norm = Math.sqrt(squared);
  const lossAt = (h: number) =>
    loss({
      ...tensors,
      ...Object.fromEntries(
        Object.entries(gradients).map(([name, g]) => {
          const tensor = tensors[name] as tf.Tensor;
          return [name, tf.add(tensor, tf.mul(tf.tensor(g, tensor.shape), h / norm))];
        }),
      ),
    });
  const slope = (lossAt(step) - lossAt(-step)) / (2 * step);
  expect(norm).toBeGreaterThan(0.01);
  expect(Math.abs(slope / norm - 1)).toBeLessThan(0.02);
}
