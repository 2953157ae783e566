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

/** The part of the input that is needed. It begins later where the first output does, which is said by a negative number
 *  of zeros before the input. What is left over for want of a whole stride may stay. */
function needed(axis: Axis): { readonly from: number; readonly to: number } {
  const { input, stride, before } = axis;
  return {
    from: Math.max(0, -before),
    to: input - end(axis) < stride ? input : end(axis),
  };
}

/** The window over the part of the input that its outputs reach, with as many zeros at the end as the last of them
 *  reaches: from these sizes every runtime counts the outputs that tfjs counts, however that rounds. */
export function exactWindow(window: Window): Window {
  const axes = axesOf(window);
  const [rows, columns] = axes.map((axis) => {
    const { from, to } = needed(axis);
    return {
      input: to - from,
      before: Math.max(0, axis.before),
      after: Math.max(0, end(axis) - to),
    };
  }) as [ExactAxis, ExactAxis];
  return {
    ...window,
    inHeight: rows.input,
    inWidth: columns.input,
    inShape: [window.batchSize, rows.input, columns.input, window.inChannels],
    padInfo: {
      ...window.padInfo,
      top: rows.before,
      bottom: rows.after,
      left: columns.before,
      right: columns.after,
    },
  };
}

type ExactAxis = Pick<Axis, "input" | "before" | "after">;

/** The part of x [N, H, W, C] that the window's outputs reach. */
export function reached(g: OnnxBuilder, x: Value, window: Window): Value {
  const [rows, columns] = [needed(rowsOf(window)), needed(columnsOf(window))];
  const { batchSize, inHeight, inWidth, inChannels } = window;
  if (rows.to - rows.from === inHeight && columns.to - columns.from === inWidth) return x;
  return g.slice(x, [0, rows.from, columns.from, 0], [batchSize, rows.to, columns.to, inChannels]);
}

/** The gradient of x from that of the part that is reached. */
export function unreached(g: OnnxBuilder, dx: Value, window: Window): Value {
  const [rows, columns] = [needed(rowsOf(window)), needed(columnsOf(window))];
  const { inHeight, inWidth } = window;
  if (rows.to - rows.from === inHeight && columns.to - columns.from === inWidth) return dx;
  const none = [0, 0] as const;
  return g.pad(
    dx,
    [none, [rows.from, inHeight - rows.to], [columns.from, inWidth - columns.to], none],
    g.number(0, dx),
  );
}
