import type { TensorAdapter } from "@lejepa/tensor";
import { checkNames, checkNumber } from "../refuse.js";
import { polynomial } from "../univariate/polynomial.js";
import { multivariateTest, type MultivariateTest } from "./multivariate-test.js";
import { squaredLengths, squaredSums } from "./pairs.js";

/** Options of `bhep`. */
export interface BhepOptions {
  /** Width of the kernel: exp(-beta² |x - y|² / 2). Above 0, default 0.1; small values see mean and variance, large ones
   *  detail. */
  readonly beta?: number | undefined;
}

/** The BHEP statistic of N(0, 1) by characteristic functions (Baringhaus, Henze, Epps, Pulley), x [..., N, D] -> [...]:
 *
 *  `1/N² sum_ij exp(-beta² |x_i - x_j|² / 2) - 2 (1 + beta²)^(-D/2) / N sum_i exp(-beta² |x_i|² / (2 (1 + beta²))) + (1 + 2 beta²)^(-D/2)`,
 *
 *  the integral of |mean_n exp(i t · x_n) - exp(-|t|²/2)|² over t drawn from N(0, beta²). In [0, 4); the classical statistic has
 *  the factor N besides. N sqrt(2 pi) times it, at beta = 1 and D = 1, is `eppsPulley({ rule: "exact" })`. For small beta the
 *  terms of zeroth and first order are subtracted on paper: in float32 their difference would be lost. N² work.
 *
 *  @param options Width of the kernel.
 *  @throws LejepaError `invalid-option`; the test itself `shape-mismatch`.
 *  Source: Baringhaus and Henze, Metrika 35 (1988); Henze and Wagner, J. Multivar. Anal. 62 (1997). */
export function bhep(options: BhepOptions = {}): MultivariateTest {
  checkNames("bhep", options, ["beta"]);
  const { beta = 0.1 } = options;
  checkNumber("bhep", "beta", beta, () => beta > 0 && beta < Infinity, "a finite number above 0");
  return multivariateTest("bhep", (k, sets) => bhepStatistic(k, sets, beta));
}

/** BHEP of sets [B, N, D] -> [B]. */
export function bhepStatistic<T>(k: TensorAdapter<T>, sets: T, beta: number): T {
  const [, , dim = 0] = k.shape(sets);
  const square = beta ** 2;
  // Distances do not depend on the origin, and are exact to more digits near it.
  const mean = k.mean(sets, [1], "keep");
  const distances = squaredSums(k, k.sub(sets, mean), -1);
  const lengths = squaredLengths(k, sets);
  const among = k.mul(distances, -square / 2);
  const toNormal = k.mul(lengths, -square / (2 * (1 + square)));
  const [cross, last] = [(1 + square) ** (-dim / 2), (1 + 2 * square) ** (-dim / 2)];
  if (square * dim > 1 / 2)
    return k.add(
      k.sub(k.mean(k.exp(among), [1, 2]), k.mul(k.mean(k.exp(toNormal), [1, 2]), 2 * cross)),
      last,
    );
  // exp(y) = 1 + y + rest(y), and the mean distance is twice the mean squared length less twice that of the mean.
  const rests = k.sub(
    k.mean(expRest(k, among), [1, 2]),
    k.mul(k.mean(expRest(k, toNormal), [1, 2]), 2 * cross),
  );
  const ofMean = k.mul(k.sum(k.square(mean), [1, 2]), square);
  const [logCross, logLast] = [
    (-dim / 2) * Math.log1p(square),
    (-dim / 2) * Math.log1p(2 * square),
  ];
  const constant = Math.expm1(logLast) - 2 * Math.expm1(logCross);
  const slope = -square * Math.expm1(logCross - Math.log1p(square));
  const ofLengths = k.mul(k.mean(lengths, [1, 2]), slope);
  return k.add(rests, k.add(k.sub(ofMean, ofLengths), constant));
}

/** exp(y) - 1 - y for y <= 0, by its series near 0. */
function expRest<T>(k: TensorAdapter<T>, y: T): T {
  const isNear = k.greaterEqual(y, -1);
  const near = k.where(isNear, y, 0);
  const terms = k.precision === "float32" ? 9 : 18;
  let factorial = 1;
  const coefficients = Array.from({ length: terms }, (_, j) => 1 / (factorial *= j + 2));
  const series = k.mul(k.square(near), polynomial(k, coefficients, near));
  return k.where(isNear, series, k.sub(k.sub(k.exp(y), 1), y));
}
