import type { TensorAdapter } from "@lejepa/tensor";
import { meanOverProcesses } from "../all-processes.js";
import { refuse } from "../refuse.js";

/** First moments of rows [R, N], over the samples of all processes. */
export interface Centred<T> {
  /** How many samples there are: a number, or a scalar where other processes are counted. */
  readonly samples: T | number;
  /** Means, [R]. */
  readonly mean: T;
  /** This process's samples minus the means, [R, N]. */
  readonly fromMean: T;
}

/** Mean of rows [R, N], and what is left without it. */
export function centred<T>(k: TensorAdapter<T>, rows: T): Centred<T> {
  const [count = 0, width = 0] = k.shape(rows);
  const local = k.mean(rows, [1]);
  if (!k.capabilities.includes("allReduceMean"))
    return { samples: width, mean: local, fromMean: deviations(k, rows) };
  const { mean, samples } = meanOverProcesses(k, local, width);
  return { samples, mean, fromMean: k.sub(rows, k.reshape(mean, [count, 1])) };
}

/** Rows [R, N] minus their means. The first sample is taken off before: it makes a collapsed row exactly 0, and
 *  leaves float32 its digits when the mean is far from 0. */
export function deviations<T>(k: TensorAdapter<T>, rows: T): T {
  const [count = 0] = k.shape(rows);
  const shifted = k.sub(rows, k.slice(rows, [0, 0], [count, 1]));
  return k.sub(shifted, k.mean(shifted, [1], "keep"));
}

/** Means over the samples of all processes, [R, N] -> [R]. */
export function meanOfSamples<T>(k: TensorAdapter<T>, rows: T): T {
  const [, width = 0] = k.shape(rows);
  return meanOverProcesses(k, k.mean(rows, [1]), width).mean;
}

/** The variance [R] that is divided by the number of samples less one. */
export function sampleVariance<T>(k: TensorAdapter<T>, { samples, fromMean }: Centred<T>): T {
  const mean = meanOfSamples(k, k.square(fromMean));
  return k.mul(
    mean,
    typeof samples === "number" ? samples / (samples - 1) : k.div(samples, k.sub(samples, 1)),
  );
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

/** Refuses rows [R, N] that have too few samples for a variance. */
export function needTwoSamples<T>(where: string, k: TensorAdapter<T>, rows: T): void {
  const [, width = 0] = k.shape(rows);
  if (width < 2 && !k.capabilities.includes("allReduceMean"))
    refuse("shape-mismatch", `${where}: needs at least two samples for a variance, got ${width}.`);
}
