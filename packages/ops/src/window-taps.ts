/** Windows over images taken apart by the taps of their filter: what each tap meets is one strided slice. By them run
 *  pooling and depthwise convolutions where a backend has no kernel, or a wrong one. */
import * as tf from "@tensorflow/tfjs-core";

type Four = [number, number, number, number];

/** How a filter moves over an image [N, H, W, C], as tfjs-core's operations take it. */
export interface WindowGeometry {
  readonly strides: [number, number] | number;
  readonly pad: "valid" | "same" | number | tf.backend_util.ExplicitPadding;
  readonly dilations?: [number, number] | number | undefined;
  readonly dimRoundingMode?: "floor" | "round" | "ceil" | undefined;
}

export type Window = tf.backend_util.Conv2DInfo;

/** The window of a depthwise filter [Kh, Kw, C, Q]. */
export const depthwiseWindow = (
  shape: readonly number[],
  filterShape: readonly number[],
  { strides, pad, dilations = 1, dimRoundingMode }: WindowGeometry,
): Window =>
  tf.backend_util.computeConv2DInfo(
    shape as Four,
    filterShape as Four,
    strides,
    dilations,
    pad,
    dimRoundingMode,
    true,
  );

/** Where the last window ends, in pixels from the first one of the padded image. */
const endOf = (outputs: number, stride: number, reach: number): number =>
  (outputs - 1) * stride + reach;

/** Height and width of the image with as much padding as the windows reach. */
const paddedSize = (window: Window): [number, number] => [
  Math.max(
    window.padInfo.top + window.inHeight,
    endOf(window.outHeight, window.strideHeight, window.effectiveFilterHeight),
  ),
  Math.max(
    window.padInfo.left + window.inWidth,
    endOf(window.outWidth, window.strideWidth, window.effectiveFilterWidth),
  ),
];

/** The image with its padding. */
export function surrounded(x: tf.Tensor4D, window: Window, value = 0): tf.Tensor4D {
  const { top, left } = window.padInfo;
  const [height, width] = paddedSize(window);
  const rows: [number, number] = [top, height - top - window.inHeight];
  const columns: [number, number] = [left, width - left - window.inWidth];
  if ([...rows, ...columns].every((count) => count === 0)) return tf.clone(x);
  return tf.pad(x, [[0, 0], rows, columns, [0, 0]], value);
}

/** For each output of pooling, row by row, the size of the window over the part of it that lies in the image; 0 for a
 *  window that has none. */
export function averageShares(window: Window): number[] {
  const inside = (outputs: number, stride: number, reach: number, before: number, input: number) =>
    Array.from({ length: outputs }, (_, i) => {
      const start = i * stride - before;
      return Math.max(0, Math.min(start + reach, input) - Math.max(start, 0));
    });
  const { padInfo, filterHeight, filterWidth } = window;
  const { outHeight, outWidth, strideHeight, strideWidth, inHeight, inWidth } = window;
  const rows = inside(outHeight, strideHeight, filterHeight, padInfo.top, inHeight);
  const columns = inside(outWidth, strideWidth, filterWidth, padInfo.left, inWidth);
  const whole = filterHeight * filterWidth;
  return rows.flatMap((row) =>
    columns.map((column) => (row * column === 0 ? 0 : whole / (row * column))),
  );
}

/** Row and column of the filter, for each tap. */
export const tapsOf = ({ filterHeight, filterWidth }: Window): [number, number][] =>
  Array.from({ length: filterHeight * filterWidth }, (_, k) => [
    Math.floor(k / filterWidth),
    k % filterWidth,
  ]);

/** What one tap meets of the padded image: a pixel for each output, [N, H', W', C]. */
export function metBy(padded: tf.Tensor4D, window: Window, [row, column]: [number, number]) {
  const [y, z] = [row * window.dilationHeight, column * window.dilationWidth];
  const { strideHeight, strideWidth, outHeight, outWidth } = window;
  const met: tf.Tensor = tf.stridedSlice(
    padded,
    [0, y, z, 0],
    [
      padded.shape[0],
      y + (outHeight - 1) * strideHeight + 1,
      z + (outWidth - 1) * strideWidth + 1,
      padded.shape[3],
    ],
    [1, strideHeight, strideWidth, 1],
  );
  return met as tf.Tensor4D;
}

/** The gradient of the image: the sum of what each tap gives back to the pixels that it met, without the padding. */
export function givenBack(
  window: Window,
  shareOf: (tap: [number, number], index: number) => tf.Tensor4D,
): tf.Tensor4D {
  const [height, width] = paddedSize(window);
  const shares = tapsOf(window).map((tap, index) =>
    tf.tidy(() => {
      const [y, z] = [tap[0] * window.dilationHeight, tap[1] * window.dilationWidth];
      const rows = spread(shareOf(tap, index), 1, window.strideHeight);
      const both = spread(rows, 2, window.strideWidth);
      return tf.pad(both, [
        [0, 0],
        [y, height - y - both.shape[1]],
        [z, width - z - both.shape[2]],
        [0, 0],
      ]);
    }),
  );
  const { top, left } = window.padInfo;
  return tf.slice(tf.addN(shares), [0, top, left, 0], window.inShape);
}

/** Puts stride - 1 zeros between neighbours along an axis: [.., L, ..] -> [.., (L - 1) stride + 1, ..]. */
function spread(x: tf.Tensor4D, axis: 1 | 2, stride: number): tf.Tensor4D {
  if (stride === 1) return x;
  const wide = tf.expandDims(x, axis + 1);
  const zeros = wide.shape.map((length, i) => (i === axis + 1 ? stride - 1 : length));
  const shape = x.shape.map((length, i) => (i === axis ? length * stride : length));
  const full = tf.reshape(tf.concat([wide, tf.zeros(zeros)], axis + 1), shape);
  const size = shape.map((length, i) => (i === axis ? length - stride + 1 : length));
  return tf.slice(full, [0, 0, 0, 0], size) as tf.Tensor4D;
}
