/** tfjs-node as it comes, operation by operation. */
import "@tensorflow/tfjs-backend-cpu";
import { createEngine, type Step } from "@lejepa/engine";
import { findTensorFlow, loadTensorFlow } from "@lejepa/engine/setup";
import { conv2d, convBlock, maxPool2d, type HostTensors } from "@lejepa/ops";
import * as tf from "@tensorflow/tfjs-core";
import { expect, test } from "vitest";
import { needs } from "../../../tools/backends.js";

/** Values and gradients of both backends; x [2, 6, 5, 3] is below zero, so that a margin of zeros would win a maximum. */
async function onBoth(step: Step): Promise<HostTensors[]> {
  const installation = await findTensorFlow();
  if (installation === undefined) throw new Error("TensorFlow: run npm run setup:tensorflow.");
  loadTensorFlow(installation);
  const inputs = {
    x: Float32Array.from({ length: 2 * 6 * 5 * 3 }, (_, i) => -1 - ((i * 0.618) % 1)),
    w: Float32Array.from({ length: 4 * 4 * 3 * 2 }, (_, i) => Math.sin(i)),
  };
  const results = [];
  for (const backend of ["cpu", "tensorflow"]) {
    const engine = await createEngine("eager", { backend });
    const compiled = await engine.compile(step, {
      state: {},
      inputs: { x: { shape: [2, 6, 5, 3] }, w: { shape: [4, 4, 3, 2] } },
    });
    results.push(await compiled.run(inputs));
    await engine.dispose();
  }
  return results;
}

test("a maximum with a margin, and its gradient, are those of the cpu backend", async (context) => {
  needs("tensorflow", context);
  const [cpu, tensorflow] = await onBoth((_state, { x }) => {
    const pooled = (image: tf.Tensor) =>
      maxPool2d(image as tf.Tensor4D, { window: 3, stride: 2, padding: 1 });
    return {
      state: {},
      outputs: { y: pooled(x!), dx: tf.grad((image) => tf.sum(tf.square(pooled(image))))(x!) },
    };
  });
  expect(tensorflow).toEqual(cpu);
  expect(cpu!.y!.shape).toEqual([2, 3, 3, 3]);
  expect(Math.max(...cpu!.y!.data)).toBeLessThanOrEqual(-1);
});

const convolutions = {
  conv2d: (x: tf.Tensor4D, w: tf.Tensor4D) => conv2d(x, w, { stride: 2, padding: 1 }),
  convBlock: (x: tf.Tensor4D, w: tf.Tensor4D) => {
    const [ones, zeros] = [tf.ones([2]), tf.zeros([2])];
    const norm = { weight: ones, bias: zeros, running: { mean: zeros, variance: ones } };
    return convBlock(x, w, norm, { mode: "train", stride: 2, padding: 1 }).y;
  },
};

test.for(Object.entries(convolutions))(
  "%s with a margin, and its gradients, are those of the cpu backend",
  async ([, run], context) => {
    needs("tensorflow", context);
    const [cpu, tensorflow] = await onBoth((_state, { x, w }) => {
      const y = run(x as tf.Tensor4D, w as tf.Tensor4D);
      const [dx, dw] = tf.grads((...operands: tf.Tensor[]) =>
        tf.sum(tf.square(run(...(operands as [tf.Tensor4D, tf.Tensor4D])))),
      )([x!, w!]);
      return { state: {}, outputs: { y, dx: dx!, dw: dw! } };
    });
    expect(Object.keys(cpu!)).toEqual(["y", "dx", "dw"]);
    for (const [name, { shape, data }] of Object.entries(cpu!)) {
      expect(tensorflow![name]!.shape).toEqual(shape);
      data.forEach((value, i) => expect(tensorflow![name]!.data[i], name).toBeCloseTo(value, 3));
    }
    expect(cpu!.y!.shape).toEqual([2, 3, 2, 2]);
  },
);
