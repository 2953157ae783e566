import { type Expected, requireArgument, said, someObject } from "./check-argument.js";
import * as tf from "@tensorflow/tfjs-core";
import { LejepaError } from "./lejepa-error.js";
import { badShape } from "./shape.js";

/** Zeros added around an image: the same on all four sides, or pixels for each side. */
export type Padding =
  | number
  | {
      /** Rows above. */
      readonly top: number;
      /** Rows below. */
      readonly bottom: number;
      /** Columns to the left. */
      readonly left: number;
      /** Columns to the right. */
      readonly right: number;
    };

const somePadding: Expected = {
  text: "a number, or an object with top, bottom, left and right",
  accepts: (value) => typeof value === "number" || someObject.accepts(value),
};

/** Padding checked and in the form that tfjs-core takes. */
export interface ResolvedPadding {
  readonly top: number;
  readonly bottom: number;
  readonly left: number;
  readonly right: number;
  readonly explicit: [[number, number], [number, number], [number, number], [number, number]];
}

/** Checks that the window (a dilated kernel counts its gaps) fits into the padded image, and that no window can lie
 *  in the margin alone. */
export function resolvePadding(
  op: string,
  padding: Padding,
  imageShape: readonly number[],
  window: readonly [number, number],
): ResolvedPadding {
  requireArgument(op, "padding", padding, somePadding, "bad-padding");
  const { top, bottom, left, right } =
    typeof padding === "number"
      ? { top: padding, bottom: padding, left: padding, right: padding }
      : padding;
  const sides = [top, bottom, left, right];
  const limits = [window[0], window[0], window[1], window[1]];
  if (
    sides.some((side, i) => !Number.isInteger(side) || side < 0 || side >= (limits[i] as number))
  ) {
    throw new LejepaError(
      "bad-padding",
      `${op}: padding should be whole numbers from 0 to less than the window ${window.join("x")}, got [${sides.map(said).join(", ")}] (top, bottom, left, right).`,
    );
  }
  const [, height, width] = imageShape as [number, number, number];
  if (height + top + bottom < window[0] || width + left + right < window[1]) {
    throw badShape({
      op,
      argument: "x",
      expected: `[N, H >= ${window[0] - top - bottom}, W >= ${window[1] - left - right}, C]`,
      got: imageShape,
      fix: "The window is larger than the padded image.",
    });
  }
  return {
    top,
    bottom,
    left,
    right,
    explicit: [
      [0, 0],
      [top, bottom],
      [left, right],
      [0, 0],
    ],
  };
}

const none: ResolvedPadding = {
  ...{ top: 0, bottom: 0, left: 0, right: 0 },
  explicit: [
    [0, 0],
    [0, 0],
    [0, 0],
    [0, 0],
  ],
};

/** Whether the backend's kernels cannot have this margin: on tfjs-node pooling and the gradients of convolutions throw
 *  where TensorFlow has no word for the padding. */
export const isOutOfReach = ({ top, bottom, left, right }: ResolvedPadding): boolean =>
  top + bottom + left + right > 0 && tf.getBackend() === "tensorflow";

/** The image and its margin; an image with the margin around it, which then needs none, where that is out of reach. */
export const withinReach = (
  x: tf.Tensor4D,
  sides: ResolvedPadding,
  value = 0,
): { readonly x: tf.Tensor4D; readonly sides: ResolvedPadding } =>
  isOutOfReach(sides) ? { x: tf.pad(x, sides.explicit, value), sides: none } : { x, sides };
