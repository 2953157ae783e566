import type { TensorAdapter } from "@lejepa/tensor";
import { refuse } from "../refuse.js";

/** Rows [R, N] minus their means. The first sample is taken off before: it makes a collapsed row exactly 0, and
 *  leaves float32 its digits when the mean is far from 0. */
export function deviations<T>(k: TensorAdapter<T>, rows: T): T {
  const [count = 0] = k.shape(rows);
  const shifted = k.sub(rows, k.slice(rows, [0, 0], [count, 1]));
  return k.sub(shifted, k.mean(shifted, [1], "keep"));
}

/** 1 where a variance is above 0 (or NaN), else 0. */
export function isSpread<T>(k: TensorAdapter<T>, variance: T): T {
  return k.sub(1, k.greaterEqual(0, variance));
}

/** The root of a variance; where that is 0, so are the root and its gradient. */
export function deviationOf<T>(k: TensorAdapter<T>, variance: T): T {
  const spread = isSpread(k, variance);
  return k.where(spread, k.sqrt(k.where(spread, variance, 1)), 0);
}

/** Refuses rows that have too few samples for a variance. */
export function needTwoSamples(where: string, samples: number): void {
  if (samples < 2)
    refuse(
      "shape-mismatch",
      `${where}: needs at least two samples for a variance, got ${samples}.`,
    );
}
