import type { TensorAdapter } from "@lejepa/tensor";
import { millsRatio } from "./mills-ratio.js";

/** log sqrt(2 pi), the normaliser of N(0, 1). */
export const logRootTwoPi = Math.log(2 * Math.PI) / 2;

/** What the distribution function of N(0, 1) and its logarithm are made of, entry by entry. */
export interface NormalTails<T> {
  /** 1 where x >= 0. */
  readonly isPositive: T;
  /** |x|, with the derivative 1 at 0. */
  readonly distance: T;
  /** Mills' ratio R(|x|). */
  readonly ratio: T;
  /** The density phi(x). */
  readonly density: T;
  /** The smaller tail, 1 - Phi(|x|) = R(|x|) phi(x), at most 1/2. */
  readonly tail: T;
}

/** All of them from one exponential and one rational function. Differentiable, without NaN where x is infinite or huge. */
export function normalTails<T>(k: TensorAdapter<T>, x: T): NormalTails<T> {
  const isPositive = k.greaterEqual(x, 0);
  const distance = k.where(isPositive, x, k.neg(x));
  const ratio = millsRatio(k, distance);
  const density = k.exp(k.sub(k.mul(k.square(x), -1 / 2), logRootTwoPi));
  return { isPositive, distance, ratio, density, tail: k.mul(ratio, density) };
}
