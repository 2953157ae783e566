import type { GradientRule, TensorAdapter } from "@lejepa/tensor";
import { normalTails } from "./normal-tails.js";

/** Phi(x), the distribution function of N(0, 1), entry by entry: any shape.
 *  Relative error 1e-6 in float32 for x > -5 (growing like x² eps further out) and 1e-15 in float64, in both tails. */
export function normCdf<T>(k: TensorAdapter<T>, x: T): T {
  const rule: GradientRule<T> = {
    forward([at]) {
      const { isPositive, density, tail } = normalTails(k, at as T);
      return { value: k.where(isPositive, k.sub(1, tail), tail), saved: [density] };
    },
    backward: (cotangent, [density]) => [k.mul(cotangent, density as T)],
  };
  return k.capabilities.includes("customGradient")
    ? k.customGradient(rule, [x])
    : rule.forward([x]).value;
}
