import type { TensorAdapter } from "@lejepa/tensor";
import { checkAdapter, refuse, show } from "./refuse.js";

/** A statistic that says how far samples are from the standard normal distribution N(0, 1). */
export interface UnivariateTest {
  /** One statistic for each column: x [..., N, K] -> [..., K], and x [N] -> [].
   *  N samples along the last axis but one, K columns tested on their own.
   *  Throws `shape-mismatch` when x has no axis of samples, or none in it. */
  <T>(adapter: TensorAdapter<T>, x: T): T;
  /** The same with the samples along the last axis, x [..., N] -> [...]: what slicing calls, because there it needs no transpose. */
  overLastAxis<T>(adapter: TensorAdapter<T>, x: T): T;
}

/** A test from its formula for rows of samples.
 *  @param name For error messages.
 *  @param statistic [R, N] -> [R], with N at least 1. */
export function univariateTest(
  name: string,
  statistic: <T>(adapter: TensorAdapter<T>, rows: T) => T,
): UnivariateTest {
  function overLastAxis<T>(k: TensorAdapter<T>, x: T): T {
    checkAdapter(name, k);
    const shape = k.shape(x);
    const samples = shape.at(-1);
    if (samples === undefined || samples === 0)
      refuse(
        "shape-mismatch",
        `${name}: needs at least one sample along the last axis, got shape ${show(shape)}.`,
      );
    const leading = shape.slice(0, -1);
    const rows = leading.reduce((product, size) => product * size, 1);
    return k.reshape(statistic(k, k.reshape(x, [rows, samples])), leading);
  }
  function perColumn<T>(k: TensorAdapter<T>, x: T): T {
    checkAdapter(name, k);
    const shape = k.shape(x);
    const samples = shape.length === 1 ? shape[0] : shape.at(-2);
    if (samples === undefined || samples === 0)
      refuse(
        "shape-mismatch",
        `${name}: x should have shape [..., N, K] or [N] with at least one sample, got ${show(shape)}.`,
      );
    if (shape.length === 1) return overLastAxis(k, x);
    const axes = shape.map((_, axis) => axis);
    return overLastAxis(
      k,
      k.transpose(x, [...axes.slice(0, -2), axes.length - 1, axes.length - 2]),
    );
  }
  return Object.assign(perColumn, { overLastAxis });
}
