import "@tensorflow/tfjs-backend-cpu";
import * as tf from "@tensorflow/tfjs-core";
import { expect, test } from "vitest";
import { createOnnxEngine } from "../onnx-engine.js";

/** A depthwise convolution is linear in x and in the filter, so with dx and dw its gradients towards dy
 *    sum(dy conv(x, w)) = sum(x dx) = sum(w dw). */
test("the gradients of a dilated depthwise convolution are its adjoints", async () => {
  const engine = await createOnnxEngine({ threads: 1 });
  const [x, w] = [[1, 8, 7, 2] as const, [3, 3, 2, 2] as const];
  const geometry = { strides: [1, 1], pad: "valid", dilations: [2, 2] };
  const run = (name: string, inputs: object, attributes: object): tf.Tensor =>
    tf
      .engine()
      .runKernel<tf.Tensor>(name, inputs as tf.NamedTensorMap, attributes as tf.NamedAttrMap);
  const inner = (a: tf.Tensor, b: tf.Tensor): tf.Tensor => tf.sum(tf.mul(a, b));
  const step = await engine.compile(
    (_, { image, filter, dy }) => {
      const shared = { ...geometry, dataFormat: "NHWC" };
      const y = run("DepthwiseConv2dNative", { x: image, filter }, shared);
      const dx = run(
        "DepthwiseConv2dNativeBackpropInput",
        { dy, filter },
        { ...geometry, inputShape: x },
      );
      const dw = run(
        "DepthwiseConv2dNativeBackpropFilter",
        { x: image, dy },
        { ...geometry, filterShape: w },
      );
      return {
        state: {},
        outputs: { y: inner(dy!, y), x: inner(image!, dx), w: inner(filter!, dw) },
      };
    },
    {
      state: {},
      inputs: { image: { shape: x }, filter: { shape: w }, dy: { shape: [1, 4, 3, 4] } },
    },
  );
  const numbers = (size: number, seed: number) =>
    Float32Array.from({ length: size }, (_, i) => Math.sin(seed + 1.7 * i));
  const out = await step.run({
    image: numbers(112, 1),
    filter: numbers(36, 2),
    dy: numbers(48, 3),
  });
  expect(Math.abs(out.y!.data[0]!)).toBeGreaterThan(0.1);
  expect(out.x!.data[0]).toBeCloseTo(out.y!.data[0]!, 4);
  expect(out.w!.data[0]).toBeCloseTo(out.y!.data[0]!, 4);
  await engine.dispose();
});
