import { millsRatioOf } from "./mills-ratio.js";
import { logRootTwoPi } from "./normal-tails.js";

/** The quantile of N(0, 1): the x with Phi(x) = p, to 15 digits. p in (0, 1). */
export function normQuantile(p: number): number {
  if (p > 1 / 2) return -normQuantile(1 - p);
  // Newton on log Phi, which is concave: from the left of the root, every step stays there and the digits double.
  const target = Math.log(p);
  let x = -Math.sqrt(-2 * target) - 1;
  for (let step = 0; step < 100; step++) {
    const ratio = millsRatioOf(-x);
    const excess = Math.log(ratio) - (x * x) / 2 - logRootTwoPi - target;
    const next = x - excess * ratio;
    if (!(Math.abs(next - x) > 1e-16 * Math.abs(x))) return Math.min(next, 0);
    x = next;
  }
  return x;
}
