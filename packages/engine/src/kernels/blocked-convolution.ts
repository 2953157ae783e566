/** Convolutions and their input gradients in onnxruntime's blocked layout, channels last outside. Each returns
 *  undefined where that layout does not apply: the caller then takes the gathered product. The reorderings at both ends
 *  are what the blocked-layout pass removes between one convolution and the next.
 *  3x3, 64 -> 64 channels, 512 images of 7x7: 7.0 ms, where Gather and Gemm take 12.1. */
import type { backend_util } from "@tensorflow/tfjs-core";
import type { GraphBuilder } from "../graph/builder.js";
import type { Value } from "../graph/graph.js";
import { fromBlocked, nchwc, toBlocked, wholeBlocks } from "../onnx/nchwc.js";
import { convolveBlocked } from "./side-by-side.js";

type Window = backend_util.Conv2DInfo;
type Four = [number, number, number, number];

/** y [N, H', W', O] = x [N, H, W, I] * filter [kh, kw, I, O]. Channels are made up to whole blocks with zeros, but fewer
 *  inputs than a block stay unblocked, channels first. Refused where most of the work would be on zeros. */
export function blockedConvolution(
  g: GraphBuilder,
  x: Value,
  filter: Value,
  window: Window,
): Value | undefined {
  const block = g.blockSize;
  if (block === undefined) return undefined;
  const few = window.inChannels < block;
  const inChannels = few ? window.inChannels : wholeBlocks(window.inChannels, block);
  const outChannels = wholeBlocks(window.outChannels, block);
  if (!worthFilling(window, inChannels, outChannels)) return undefined;
  const { filterHeight: kh, filterWidth: kw } = window;
  const filled = withZeros(g, filter, inChannels, outChannels);
  const outputs = [outChannels / block, block];
  // In memory: [O / B, I / B, kh, kw, B of I, B of O], or [O / B, I, kh, kw, B of O].
  const arranged = few
    ? g.transpose(g.reshape(filled, [kh, kw, inChannels, ...outputs]), [3, 2, 0, 1, 4])
    : g.transpose(
        g.reshape(filled, [kh, kw, inChannels / block, block, ...outputs]),
        [4, 2, 0, 1, 3, 5],
      );
  const weights = g.reshape(arranged, [outChannels, inChannels, kh, kw]);
  const images = few ? g.transpose(x, [0, 3, 1, 2]) : toBlocked(g, x);
  const shape: Four = [window.batchSize, outChannels, window.outHeight, window.outWidth];
  const y = convolveBlocked(g, images, weights, shape, forwardAttributes(window));
  return fromBlocked(g, y, window.outChannels);
}

/** The attributes of a convolution of x. */
export function forwardAttributes(window: Window) {
  const { padInfo, strideHeight, strideWidth, outHeight, outWidth } = window;
  const { top, left } = padInfo;
  const below = zerosAfter(
    window.inHeight,
    outHeight,
    strideHeight,
    window.effectiveFilterHeight,
    top,
  );
  const right = zerosAfter(
    window.inWidth,
    outWidth,
    strideWidth,
    window.effectiveFilterWidth,
    left,
  );
  return {
    kernel_shape: [window.filterHeight, window.filterWidth],
    pads: [top, left, below, right],
    strides: [strideHeight, strideWidth],
    dilations: [window.dilationHeight, window.dilationWidth],
  };
}

/** Whether at least `leastShare` of the products are not with zeros that fill blocks up. 128 images of 16x16, 3x3:
 *  20 -> 20 channels in 20.5 ms where the gathered product takes 28.6, and the input's gradient in 14.6 instead of 49.8;
 *  18 -> 36 in 26.6 and 25.6 instead of 38.7 and 60.8; the gradient of 1 -> 32 in 12.3 instead of 5.8. */
export const worthFilling = (window: Window, inChannels: number, outChannels: number): boolean =>
  window.inChannels * window.outChannels >= leastShare * inChannels * outChannels;

const leastShare = 0.3;

/** A filter [kh, kw, I, O] with zeros for more channels. */
export function withZeros(g: GraphBuilder, filter: Value, inputs: number, outputs: number): Value {
  const [, , i, o] = filter.shape as [number, number, number, number];
  if (i === inputs && o === outputs) return filter;
  const none = [0, 0] as const;
  return g.pad(filter, [none, none, [0, inputs - i], [0, outputs - o]], g.uniform(0));
}

/** Zeros that the last of `out` windows needs. Not always tfjs's padding: where that is one number, tfjs finds both
 *  sizes of the result by the height and the vertical stride of the filter. */
const zerosAfter = (size: number, out: number, stride: number, reach: number, before: number) =>
  Math.max(0, (out - 1) * stride + reach - size - before);

/** One axis of the input's gradient: the positions phase, phase + stride, .. are a convolution of dy by `taps`. */
interface Phase {
  /** Taps in the order in which they meet dy. */
  readonly taps: readonly number[];
  /** Distance between the rows of dy that neighbouring taps meet. */
  readonly dilation: number;
  readonly positions: number;
  /** Zeros before and after dy; negative where rows of dy would be cut off. */
  readonly before: number;
  readonly after: number;
}

/** Position p = phase + stride n of x met row (p + pad - i dilation) / stride of y through tap i. */
function phasesOf(axis: {
  readonly size: number;
  readonly out: number;
  readonly taps: number;
  readonly stride: number;
  readonly dilation: number;
  readonly pad: number;
}): Phase[] {
  const { size, out, stride, dilation, pad } = axis;
  return Array.from({ length: Math.min(stride, size) }, (_, phase) => {
    const rowOf = (tap: number): number => (phase + pad - tap * dilation) / stride;
    const taps = Array.from({ length: axis.taps }, (_, i) => axis.taps - 1 - i).filter((tap) =>
      Number.isInteger(rowOf(tap)),
    );
    const positions = Math.ceil((size - phase) / stride);
    const [first, last] = [rowOf(taps[0] ?? 0), rowOf(taps.at(-1) ?? 0)];
    return {
      taps,
      dilation: taps.length > 1 ? rowOf(taps[1]!) - first : 1,
      positions,
      before: -first,
      after: positions - 1 + last - (out - 1),
    };
  });
}

/** dx [N, H, W, I] of dy [N, H', W', O]. Channels are made up to whole blocks with zeros; refused where most of the work
 *  would be on those, and where `gradientByPhases` refuses. */
export function blockedInputGradient(
  g: GraphBuilder,
  dy: Value,
  filter: Value,
  window: Window,
): Value | undefined {
  const block = g.blockSize;
  if (block === undefined) return undefined;
  const inChannels = wholeBlocks(window.inChannels, block);
  const outChannels = wholeBlocks(window.outChannels, block);
  if (!worthFilling(window, inChannels, outChannels)) return undefined;
  const { filterHeight: kh, filterWidth: kw } = window;
  const [ins, outs] = [inChannels / block, outChannels / block];
  const filled = withZeros(g, filter, inChannels, outChannels);
  // A filter is kh kw images of I channels and O pixels to it. In memory: [taps, I / B, O / B, B of O, B of I].
  const swapped = g.op(
    "ReorderInput",
    [g.reshape(filled, [kh * kw, inChannels, 1, outChannels])],
    [kh * kw, inChannels, 1, outChannels],
    filter.dtype,
    { channels_last: 0 },
    nchwc,
  );
  const blocks = g.reshape(swapped, [kh * kw * ins * outs, block * block]);
  return gradientByPhases(g, dy, window, (source, taps, shape, attributes) => {
    // [I / B, O / B, taps]: where each block lies.
    const places = Int32Array.from({ length: ins * outs * taps.length }, (_, i) => {
      const tap = taps[i % taps.length]!;
      return tap * ins * outs + Math.floor(i / taps.length);
    });
    const picked = g.gather(blocks, g.dense(places, [places.length], "int32"), 0);
    const weights = g.reshape(picked, [inChannels, outChannels, ...attributes.kernel_shape]);
    return convolveBlocked(g, source, weights, shape, attributes);
  });
}

/** The input's gradient of any convolution, channels last outside. By a stride, each phase of rows and columns is a
 *  convolution of dy by some of the taps, `convolve(dy in blocks, taps, shape, attributes)`, and a Gather puts the phases
 *  into order. Refused where the padding is larger than the filter, so that rows of dy met no pixel. */
export function gradientByPhases(
  g: GraphBuilder,
  dy: Value,
  window: Window,
  convolve: (
    source: Value,
    taps: readonly number[],
    shape: Four,
    attributes: {
      readonly kernel_shape: readonly number[];
      readonly pads: readonly number[];
      readonly dilations: readonly number[];
    },
  ) => Value,
): Value | undefined {
  const { batchSize, inHeight, inWidth, padInfo } = window;
  const block = g.blockSize!;
  const channels = wholeBlocks(window.inChannels, block);
  const rows = phasesOf({
    size: inHeight,
    out: window.outHeight,
    taps: window.filterHeight,
    stride: window.strideHeight,
    dilation: window.dilationHeight,
    pad: padInfo.top,
  });
  const columns = phasesOf({
    size: inWidth,
    out: window.outWidth,
    taps: window.filterWidth,
    stride: window.strideWidth,
    dilation: window.dilationWidth,
    pad: padInfo.left,
  });
  const cut = ({ taps, before, after }: Phase): boolean =>
    taps.length > 0 && (before < 0 || after < 0);
  if ([...rows, ...columns].some(cut)) return undefined;
  const source = toBlocked(g, dy);
  const order = new Int32Array(inHeight * inWidth);
  let made = 0;
  const parts = rows.flatMap((row, phaseY) =>
    columns.map((column, phaseX) => {
      const [h, w] = [row.positions, column.positions];
      for (let y = 0; y < h; y++)
        for (let x = 0; x < w; x++)
          order[(phaseY + y * window.strideHeight) * inWidth + phaseX + x * window.strideWidth] =
            made + y * w + x;
      made += h * w;
      const flat = [(batchSize * channels) / block, h * w, block];
      const taps = row.taps.flatMap((i) => column.taps.map((j) => i * window.filterWidth + j));
      if (taps.length === 0) return g.uniform(0, flat);
      const part = convolve(source, taps, [batchSize, channels, h, w], {
        kernel_shape: [row.taps.length, column.taps.length],
        pads: [row.before, column.before, row.after, column.after],
        dilations: [row.dilation, column.dilation],
      });
      return g.reshape(part, flat);
    }),
  );
  const [only] = parts as [Value];
  const together =
    parts.length === 1
      ? only
      : g.gather(g.concat(parts, 1), g.dense(order, [order.length], "int32"), 1);
  const dx = g.reshape(together, [batchSize, channels, inHeight, inWidth]);
  return fromBlocked(g, dx, window.inChannels);
}
