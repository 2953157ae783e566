import type { TensorAdapter } from "@lejepa/tensor";

/** sum_i coefficients[i] t^i, for two coefficients or more. */
export function polynomial<T>(k: TensorAdapter<T>, coefficients: readonly number[], t: T): T {
  const descending = coefficients.toReversed();
  const [first = 0, ...rest] = descending;
  return rest.reduce<T | number>((sum, c) => k.add(k.mul(sum, t), c), first) as T;
}
