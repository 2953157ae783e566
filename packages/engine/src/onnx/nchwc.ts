/** onnxruntime's blocked layout: an image batch [N, C, H, W] lies in memory as [N, C / B, H, W, B], so that one
 *  register holds B channels of a pixel. Channels that do not fill the last block are made up to it: a reordering to
 *  the layout fills up with zeros, one back leaves the rest out. Its operators are internal to onnxruntime; an engine
 *  asks for them at load. What they take, found by running them (1.30): every operator whole blocks of channels, but
 *  Conv also fewer than one, unblocked; a Conv in groups such whose channels fill blocks on both sides, or one channel
 *  each; pooling no dilations and no places. */
import type { GraphBuilder } from "../graph/builder.js";
import type { Shape, Value } from "../graph/graph.js";

/** The operator set of the blocked layout. */
export const nchwc = "com.microsoft.nchwc";

type Four = [number, number, number, number];

/** Channels made up to whole blocks. */
export const wholeBlocks = (channels: number, block: number): number =>
  Math.ceil(channels / block) * block;

/** ReorderInput takes multiples of so many channels, first or last; a pass behind all others sees to it. */
export const reorderedAtOnce = 4;

/** x [N, H, W, C] in the blocked layout: [N, C in whole blocks, H, W]. */
export function toBlocked(g: GraphBuilder, x: Value): Value {
  const [n, h, w, c] = x.shape as Four;
  const shape = [n, wholeBlocks(c, g.blockSize ?? 1), h, w];
  return g.op("ReorderInput", [x], shape, x.dtype, { channels_last: 1 }, nchwc);
}

/** The first channels of a blocked [N, C, H, W] as [N, H, W, channels]; all of them when left out. */
export function fromBlocked(g: GraphBuilder, x: Value, channels = x.shape[1]!): Value {
  const [n, , h, w] = x.shape as Four;
  const attributes = { channels, channels_last: 1 };
  return g.op("ReorderOutput", [x], [n, h, w, channels], x.dtype, attributes, nchwc);
}

/** Windows over blocked x [N, C, H, W]: their maxima, or their means over what lies in the image. */
export const blockedPool = (
  g: GraphBuilder,
  op: "MaxPool" | "AveragePool",
  x: Value,
  shape: Shape,
  attributes: {
    readonly kernel_shape: readonly number[];
    readonly pads: readonly number[];
    readonly strides: readonly number[];
  },
): Value => g.op(op, [x], shape, x.dtype, attributes, nchwc);

/** A convolution of blocked x [N, C, H, W], or of unblocked x with fewer channels than a block. */
export function blockedConv(
  g: GraphBuilder,
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
