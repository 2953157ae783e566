import type { GradientRule, TensorAdapter } from "@lejepa/tensor";
import { checkAdapter } from "../refuse.js";
import { logRootTwoPi, normalTails } from "./normal-tails.js";
import { polynomial } from "./polynomial.js";

/** log Phi(x), the logarithm of the distribution function of N(0, 1), entry by entry: any shape.
 *
 *  `log Phi(x) = log R(-x) - x²/2 - log sqrt(2 pi)` for x < 0, with Mills' ratio R, and `log(1 - R(x) phi(x))` above, by
 *  the series of the inverse hyperbolic tangent. So both tails keep their digits: the relative error of the value and
 *  of the derivative phi(x) / Phi(x) is below 2e-6 in float32 for |x| up to 5 (above that, where log Phi(x) itself is
 *  below 3e-7, it grows like x² eps) and below 1e-13 in float64, until the value leaves the range of the type.
 *
 *  @param adapter The framework.
 *  @param x Any shape; infinite entries too.
 *  @returns The shape of x. */
export function logNormCdf<T>(adapter: TensorAdapter<T>, x: T): T {
  checkAdapter("logNormCdf", adapter);
  const k = adapter;
  const rule: GradientRule<T> = {
    forward([at]) {
      const { isPositive, distance, ratio, density, tail } = normalTails(k, at as T);
      const below = k.sub(k.sub(logOf(k, ratio), logRootTwoPi), k.mul(k.square(distance), 1 / 2));
      const slope = k.where(isPositive, k.div(density, k.sub(1, tail)), k.div(1, ratio));
      return { value: k.where(isPositive, logOneMinus(k, tail), below), saved: [slope] };
    },
    backward: (cotangent, [slope]) => [k.mul(cotangent, slope as T)],
  };
  return k.capabilities.includes("customGradient")
    ? k.customGradient(rule, [x])
    : rule.forward([x]).value;
}

/** log r for r in [0, 2]. Some frameworks have a logarithm of 5 digits in float32 and an exponential of 7 (jax-js 0.1.25
 *  is off by 1e-5), so one step of Newton's method follows. */
function logOf<T>(k: TensorAdapter<T>, r: T): T {
  const first = k.log(r);
  if (k.precision === "float64") return first;
  const step = k.sub(k.mul(r, k.exp(k.neg(first))), 1);
  return k.add(first, k.where(k.greaterEqual(r, 1e-30), step, 0));
}

/** log(1 - q) for q in [0, 1/2]: -2 artanh(s) with s = q / (2 - q) <= 1/3, so that each term of the series is a ninth of
 *  the one before. */
function logOneMinus<T>(k: TensorAdapter<T>, q: T): T {
  const s = k.div(q, k.sub(2, q));
  const terms = k.precision === "float32" ? 8 : 17;
  const coefficients = Array.from({ length: terms }, (_, j) => -2 / (2 * j + 1));
  return k.mul(s, polynomial(k, coefficients, k.square(s)));
}
