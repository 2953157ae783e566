/** Which windows of convolutions and pooling a step may have: those whose outputs tfjs-core counts as it should. */
import type { Conv2DAttrs } from "@tensorflow/tfjs-core";
import { axesOf, type Axis, type Window } from "./window.js";

type Pad = Conv2DAttrs["pad"];
type Rounding = "floor" | "round" | "ceil" | undefined;

/** What a window was computed from. */
export interface Padded {
  /** As the caller gave it. */
  readonly pad: Pad;
  readonly dimRoundingMode?: Rounding;
}

const names = ["rows", "columns"] as const;

const roundBy = { floor: Math.floor, round: Math.round, ceil: Math.ceil };

/** (input - reach + before + after) / stride + 1, rounded. */
const outputsOf = ({ input, stride, reach, before, after }: Axis, rounding: Rounding): number =>
  (rounding === undefined ? Math.trunc : roundBy[rounding])(
    (input - reach + before + after) / stride + 1,
  );

/** The window itself, of a convolution, of pooling or of a gradient of one.
 *  @throws Error, one sentence without the kernel and the line, which the caller knows:
 *  where a padding is no whole number of 0 or more;
 *  where the padding is one number and tfjs-core, which then counts the columns by the stride and the filter of the rows,
 *  counts too few of them or such as lie beyond the image;
 *  where the filter is larger than the image with its padding. */
export function checkedWindow(window: Window, { pad, dimRoundingMode }: Padded): Window {
  const { top, bottom, left, right } = window.padInfo;
  const sides = [top, bottom, left, right];
  if (!sides.every((side) => Number.isInteger(side) && side >= 0))
    throw new Error(
      `The padding should be whole numbers of 0 or more, got [${sides.join(", ")}] (top, bottom, left, right).`,
    );
  axesOf(window).forEach((axis, i) => {
    const { input, output, reach, before, after } = axis;
    if (input + before + after < reach)
      throw new Error(
        `The filter reaches over ${reach} ${names[i]!}, and the image has ${input} and ${before + after} of padding; use a smaller filter or more padding.`,
      );
    const expected = outputsOf(axis, dimRoundingMode);
    if (typeof pad === "number" && output !== expected)
      throw new Error(
        `With a padding of one number tfjs-core counts the ${names[i]!} of the result by the stride and the filter of the rows, ${output} instead of ${expected}; pad by [[0, 0], [${pad}, ${pad}], [${pad}, ${pad}], [0, 0]] (channels last), which it counts for each axis.`,
      );
  });
  return window;
}
