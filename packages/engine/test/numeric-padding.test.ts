/** A padding of one number, by which tfjs-core counts rows and columns alike. */
import * as tf from "@tensorflow/tfjs-core";
import { expect, test } from "vitest";
import { compiledEngines, compiledNames } from "./compiled-engines.js";

const engineOf = compiledEngines();

type Pad = number | tf.backend_util.ExplicitPadding;
type Pair = [number, number];
const run = (kernel: string, inputs: object, attributes: object): tf.Tensor =>
  tf
    .engine()
    .runKernel<tf.Tensor>(kernel, inputs as tf.NamedTensorMap, attributes as tf.NamedAttrMap);
const filters = (rows: number, columns: number): tf.Tensor4D => tf.ones([rows, columns, 2, 1]);
/** It takes explicit paddings, whatever its types say. */
const depthwise = (x: tf.Tensor4D, filter: tf.Tensor4D, strides: Pair, pad: Pad): tf.Tensor4D =>
  tf.depthwiseConv2d(x, filter, strides, pad);

/** Convolutions of x [1, 7, 8, 2] and their gradients. */
const calls: Readonly<
  Record<string, (x: tf.Tensor4D, filter: tf.Tensor4D, strides: Pair, pad: Pad) => tf.Tensor>
> = {
  Conv2D: (x, filter, strides, pad) => tf.conv2d(x, filter, strides, pad),
  DepthwiseConv2dNative: (x, filter, strides, pad) => depthwise(x, filter, strides, pad),
  FusedConv2D: (x, filter, strides, pad) => tf.fused.conv2d({ x, filter, strides, pad }),
  FusedDepthwiseConv2D: (x, filter, strides, pad) =>
    tf.fused.depthwiseConv2d({ x, filter, strides, pad: pad as number }),
  Conv2DBackpropInput: (x, filter, strides, pad) =>
    tf.conv2dTranspose(
      tf.conv2d(x, filter, strides, explicit(pad)),
      filter,
      [1, 7, 8, 2],
      strides,
      pad,
    ),
  Conv2DBackpropFilter: (x, filter, strides, pad) =>
    run(
      "Conv2DBackpropFilter",
      { x, dy: tf.conv2d(x, filter, strides, explicit(pad)) },
      { strides, pad, dataFormat: "NHWC", filterShape: filter.shape },
    ),
  DepthwiseConv2dNativeBackpropFilter: (x, filter, strides, pad) =>
    run(
      "DepthwiseConv2dNativeBackpropFilter",
      { x, dy: depthwise(x, filter, strides, explicit(pad)) },
      { strides, pad, dilations: [1, 1], filterShape: filter.shape },
    ),
  DepthwiseConv2dNativeBackpropInput: (x, filter, strides, pad) =>
    run(
      "DepthwiseConv2dNativeBackpropInput",
      { dy: depthwise(x, filter, strides, explicit(pad)), filter },
      { strides, pad, dilations: [1, 1], inputShape: x.shape },
    ),
};
const explicit = (pad: Pad): tf.backend_util.ExplicitPadding =>
  typeof pad === "number"
    ? [
        [0, 0],
        [pad, pad],
        [pad, pad],
        [0, 0],
      ]
    : pad;

test.for(compiledNames)(
  "on %s it is refused where strides or sides of the filter differ, and the way out works",
  async (name, context) => {
    const engine = engineOf(name, context);
    const spec = { state: {}, inputs: { x: { shape: [1, 7, 8, 2] } } };
    for (const [kernel, call] of Object.entries(calls))
      for (const [strides, sides, pad] of [
        [[1, 2], [2, 2], 0],
        [[2, 1], [3, 3], 1],
        [[1, 1], [3, 2], 1],
      ] as [Pair, Pair, number][]) {
        const compile = (pad: Pad) =>
          engine.compile(
            (_, { x }) => ({
              state: {},
              outputs: { y: call(x as tf.Tensor4D, filters(...sides), strides, pad) },
            }),
            spec,
          );
        await expect(compile(pad), `${kernel} by ${strides.join()}`).rejects.toMatchObject({
          code: "unsupported-kernel",
          message: expect.stringMatching(
            new RegExp(
              `tfjs kernel ${kernel}, called at \\S*numeric-padding.test.ts:.*pad by \\[\\[0, 0\\], \\[${pad}, ${pad}\\]`,
            ),
          ) as string,
        });
        const compiled = await compile(explicit(pad));
        const { y } = await compiled.run({ x: new Float32Array(112).fill(1) });
        expect(y!.data.every(Number.isFinite)).toBe(true);
        await compiled.dispose();
      }
  },
);

test.for(compiledNames)(
  "on %s it is taken where strides and sides of the filter are equal",
  async (name, context) => {
    const compiled = await engineOf(name, context).compile(
      (_, { x }) => ({
        state: {},
        outputs: { y: tf.conv2d(x as tf.Tensor4D, tf.ones([3, 3, 2, 1]), 2, 1) },
      }),
      { state: {}, inputs: { x: { shape: [1, 4, 6, 2] } } },
    );
    const { y } = await compiled.run({ x: new Float32Array(48).fill(1) });
    // Two channels of 2x2 and 2x3 pixels above, of 3x2 and 3x3 below.
    expect(Array.from(y!.data)).toEqual([8, 12, 12, 12, 18, 18]);
    await compiled.dispose();
  },
);
