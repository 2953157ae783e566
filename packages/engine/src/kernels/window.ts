/** Windows over an image, such that what they reach of it and the zeros around it give their outputs exactly. */
import type { backend_util } from "@tensorflow/tfjs-core";
import type { GraphBuilder } from "../graph/builder.js";
import type { Value } from "../graph/graph.js";

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
export function reached(g: GraphBuilder, x: Value, window: Window): Value {
  const [rows, columns] = [needed(rowsOf(window)), needed(columnsOf(window))];
  const { batchSize, inHeight, inWidth, inChannels } = window;
  if (rows.to - rows.from === inHeight && columns.to - columns.from === inWidth) return x;
  return g.slice(x, [0, rows.from, columns.from, 0], [batchSize, rows.to, columns.to, inChannels]);
}

/** The gradient of x from that of the part that is reached. */
export function unreached(g: GraphBuilder, dx: Value, window: Window): Value {
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

/** The window without the outputs that lie wholly beyond the image, and how many of those there are before and behind the
 *  others along each axis. */
export function insideWindow(window: Window): {
  readonly window: Window;
  readonly beyond: readonly [rows: [number, number], columns: [number, number]];
} {
  const [rows, columns] = axesOf(window).map(({ input, output, stride, reach, before }) => {
    const first = Math.min(output, Math.max(0, Math.floor((before - reach) / stride) + 1));
    const end = Math.min(output, Math.max(first, Math.ceil((input + before) / stride)));
    return { first, count: end - first, after: output - end, before: before - first * stride };
  }) as [AxisInside, AxisInside];
  const [batch, , , channels] = window.outShape;
  return {
    window: {
      ...window,
      outHeight: rows.count,
      outWidth: columns.count,
      outShape: [batch, rows.count, columns.count, channels],
      padInfo: { ...window.padInfo, top: rows.before, left: columns.before },
    },
    beyond: [
      [rows.first, rows.after],
      [columns.first, columns.after],
    ],
  };
}

/** Outputs that reach the image, after how many others, before how many, and the padding before the first of them. */
type AxisInside = Readonly<Record<"first" | "count" | "after" | "before", number>>;

/** For each output position, row by row, the size of the filter over the part of it that lies in the image. */
export function sharesInside(window: Window): number[] {
  const [rows, columns] = axesOf(window).map(({ input, output, stride, reach, before }) =>
    Array.from({ length: output }, (_, i) => {
      const start = i * stride - before;
      return Math.min(start + reach, input) - Math.max(start, 0);
    }),
  ) as [number[], number[]];
  const whole = window.filterHeight * window.filterWidth;
  return rows.flatMap((row) => columns.map((column) => whole / (row * column)));
}
