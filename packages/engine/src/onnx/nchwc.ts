/** onnxruntime's blocked layout: an image batch [N, C, H, W] lies in memory as [N, C / B, H, W, B], so that one
 *  register holds B channels of a pixel. Its operators are internal to onnxruntime; an engine asks for them at load. */
import type { Shape, Value } from "../graph/graph.js";
import type { OnnxBuilder } from "./builder.js";

/** The operator set of the blocked layout. */
export const nchwc = "com.microsoft.nchwc";

type Four = [number, number, number, number];

/** Shape [N, C, H, W] of the blocked form of [N, H, W, C]. */
const blockedShape = ([n, h, w, c]: Four): Four => [n, c, h, w];

/** x [N, H, W, C] in the blocked layout: [N, C, H, W]. C is a multiple of the block. */
export const toBlocked = (g: OnnxBuilder, x: Value): Value =>
  g.op("ReorderInput", [x], blockedShape(x.shape as Four), x.dtype, { channels_last: 1 }, nchwc);

/** A blocked [N, C, H, W] as [N, H, W, C]. */
export function fromBlocked(g: OnnxBuilder, x: Value): Value {
  const [n, c, h, w] = x.shape as Four;
  return g.op(
    "ReorderOutput",
    [x],
    [n, h, w, c],
    x.dtype,
    { channels: c, channels_last: 1 },
    nchwc,
  );
}

/** A convolution of blocked x [N, C, H, W], or of unblocked x with fewer channels than a block. */
export function blockedConv(
  g: OnnxBuilder,
  x: Value,
  weights: Value,
  shape: Shape,
  attributes: {
    readonly kernel_shape: readonly number[];
    readonly pads: readonly number[];
    readonly strides?: readonly number[];
    readonly dilations?: readonly number[];
    readonly group?: number;
  },
): Value {
  return g.op("Conv", [x, weights], shape, x.dtype, attributes, nchwc);
}
