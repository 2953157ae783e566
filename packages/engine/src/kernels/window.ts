/** Windows over an image, such that what they reach of it and the zeros around it give their outputs exactly. */
import type { backend_util } from "@tensorflow/tfjs-core";
import type { Value } from "../graph/graph.js";
import type { OnnxBuilder } from "../onnx/builder.js";

/** Sizes, strides, dilations and paddings as tfjs works them out. */
export type Window = backend_util.Conv2DInfo;

/** One axis of a window: lengths of input and output, and the zeros around the input. */
export interface Axis {
  readonly input: number;
  readonly output: number;
  readonly stride: number;
  readonly reach: number;
  readonly before: number;
  readonly after: number;
}

const rowsOf = (window: Window): Axis => ({
  input: window.inHeight,
  output: window.outHeight,
  stride: window.strideHeight,
  reach: window.effectiveFilterHeight,
  before: window.padInfo.top,
  after: window.padInfo.bottom,
});

const columnsOf = (window: Window): Axis => ({
  input: window.inWidth,
  output: window.outWidth,
  stride: window.strideWidth,
  reach: window.effectiveFilterWidth,
  before: window.padInfo.left,
  after: window.padInfo.right,
});

/** Rows, then columns. */
export const axesOf = (window: Window): readonly [Axis, Axis] => [
  rowsOf(window),
  columnsOf(window),
];

/** Where the last output ends in the input. */
const end = ({ output, stride, reach, before }: Axis): number =>
  (output - 1) * stride + reach - before;

/** How much of the input is needed. What is left over for want of a whole stride may stay. */
const needed = (axis: Axis): number =>
  axis.input - end(axis) < axis.stride ? axis.input : end(axis);

/** The window over the part of the input that its outputs reach, with as many zeros at the end as the last of them
 *  reaches: from these sizes every runtime counts the outputs that tfjs counts, however that rounds. (With a padding by
 *  number it counts columns by the height of the filter.) */
export function exactWindow(window: Window): Window {
  const [rows, columns] = axesOf(window);
  const [inHeight, inWidth] = [needed(rows), needed(columns)];
  return {
    ...window,
    inHeight,
    inWidth,
    inShape: [window.batchSize, inHeight, inWidth, window.inChannels],
    padInfo: {
      ...window.padInfo,
      bottom: Math.max(0, end(rows) - inHeight),
      right: Math.max(0, end(columns) - inWidth),
    },
  };
}

/** The part of x [N, H, W, C] that the window's outputs reach. */
export function reached(g: OnnxBuilder, x: Value, window: Window): Value {
  const [rows, columns] = [needed(rowsOf(window)), needed(columnsOf(window))];
  if (rows === window.inHeight && columns === window.inWidth) return x;
  return g.slice(x, [0, 0, 0, 0], [window.batchSize, rows, columns, window.inChannels]);
}

/** The gradient of x from that of the part that is reached. */
export function unreached(g: OnnxBuilder, dx: Value, window: Window): Value {
  const below = window.inHeight - needed(rowsOf(window));
  const right = window.inWidth - needed(columnsOf(window));
  if (below === 0 && right === 0) return dx;
  const none = [0, 0] as const;
  return g.pad(dx, [none, [0, below], [0, right], none], g.number(0, dx));
}
