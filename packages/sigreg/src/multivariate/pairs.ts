import type { TensorAdapter } from "@lejepa/tensor";

/** |x_i|² for x [B, N, D], as a column [B, N, 1]. */
export function squaredLengths<T>(k: TensorAdapter<T>, x: T): T {
  return k.sum(k.square(x), [2], "keep");
}

/** x_i · x_j, [B, N, N]. */
export function innerProducts<T>(k: TensorAdapter<T>, x: T): T {
  return k.matMul(x, x, { transposeB: true });
}

/** A column [B, N, 1] as a row [B, 1, N]. */
export function asRow<T>(k: TensorAdapter<T>, column: T): T {
  return k.transpose(column, [0, 2, 1]);
}

/** |x_i + x_j|², [B, N, N]; and |x_i - x_j|² with `sign` -1. */
export function squaredSums<T>(k: TensorAdapter<T>, x: T, sign: 1 | -1 = 1): T {
  const lengths = squaredLengths(k, x);
  return k.add(k.add(lengths, asRow(k, lengths)), k.mul(innerProducts(k, x), 2 * sign));
}
