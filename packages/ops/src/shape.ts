import { requireArgument, said, someArray, someObject, someText } from "./check-argument.js";
import { LejepaError } from "./lejepa-error.js";

/** What `badShape` says. */
export interface BadShape {
  /** The function that was called. */
  readonly op: string;
  /** Its argument at fault. */
  readonly argument: string;
  /** The rule: a shape such as `[.., 64]`. */
  readonly expected: string;
  /** The shape that arrived. */
  readonly got: readonly number[];
  /** What to do about it, as a sentence; left out where the rule says it all. */
  readonly fix?: string;
}

/** The error for a tensor of the wrong shape: code "bad-shape", message
 *  `layerNorm: weight should have shape [64], got [32].` and the fix, if any. */
export function badShape(what: BadShape): LejepaError<"bad-shape"> {
  requireArgument("badShape", "what", what, someObject);
  const { op, argument, expected, got, fix } = what;
  const advice = fix === undefined ? "" : ` ${fix}`;
  return new LejepaError(
    "bad-shape",
    `${op}: ${argument} should have shape ${expected}, got ${Array.isArray(got) ? `[${got.map(said).join(", ")}]` : said(got)}.${advice}`,
  );
}

/** Throws `badShape` unless `got` is exactly `expected`, where -1 stands for any length. */
export function requireShape(
  op: string,
  argument: string,
  got: readonly number[],
  expected: readonly number[],
): void {
  requireArgument("requireShape", "op", op, someText);
  requireArgument("requireShape", "argument", argument, someText);
  requireArgument(op, `the shape of ${argument}`, got, someArray);
  requireArgument(op, `the expected shape of ${argument}`, expected, someArray);
  if (
    got.length !== expected.length ||
    [...expected].some((length, axis) => length !== -1 && length !== got[axis])
  ) {
    const rule = expected.map((length) => (length === -1 ? "*" : length)).join(", ");
    throw badShape({ op, argument, expected: `[${rule}]`, got });
  }
}

/** Length of the last axis of x; throws `badShape` when x has fewer than `minRank` axes. */
export function lastAxis(
  op: string,
  argument: string,
  shape: readonly number[],
  minRank = 1,
): number {
  const length = shape[shape.length - 1];
  if (length === undefined || shape.length < minRank) {
    throw badShape({ op, argument, expected: `of rank ${minRank} or more`, got: shape });
  }
  return length;
}

/** Product of the lengths: 1 for no axes. */
export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, length) => product * length, 1);
}
