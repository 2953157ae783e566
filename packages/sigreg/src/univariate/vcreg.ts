import type { TensorAdapter } from "@lejepa/tensor";
import { univariateTest, type UnivariateTest } from "../univariate-test.js";
import {
  centred,
  isSpread,
  needTwoSamples,
  sampleVariance,
  type Centred,
} from "./sample-variance.js";

/** The test of mean 0 and variance 1 alone, x [..., N, K] -> [..., K]:
 *
 *  `N m² / v + (N - 1) (v - 1)² / 2`, with the mean m and the variance v (divided by N - 1) of the samples.
 *
 *  At least 0 and of order 1 for N(0, 1). It sees two moments only: any distribution with them passes. Where all samples
 *  are equal it is Infinity (NaN if they are 0), with the gradient 0: nothing says which way to go.
 *
 *  Where the adapter has `allReduceMean`, N and the moments are those of all processes.
 *
 *  @throws LejepaError `shape-mismatch` from the test, for fewer than two samples.
 *  Source: LeJEPA, arXiv 2511.08544, where it stands for VICReg's variance and covariance terms on a slice. */
export function vcreg(): UnivariateTest {
  return univariateTest("vcreg", (k, rows) => {
    needTwoSamples("vcreg", k, rows);
    const moments = centred(k, rows);
    return meanAndVariance(k, moments, sampleVariance(k, moments));
  });
}

/** The two terms of `vcreg`, [R], from the means and variances. */
export function meanAndVariance<T>(
  k: TensorAdapter<T>,
  { samples, mean }: Centred<T>,
  variance: T,
): T {
  const square = k.square(mean);
  const spread = isSpread(k, variance);
  // 1 / 0 or 0 / 0 of a mask, which has no gradient: m² / 0 itself would make that NaN.
  const collapsed = k.div(k.sub(1, k.greaterEqual(0, square)), 0);
  const meanTerm = k.where(spread, k.div(square, k.where(spread, variance, 1)), collapsed);
  const varianceTerm = k.mul(k.square(k.sub(variance, 1)), 1 / 2);
  const weight = typeof samples === "number" ? samples - 1 : k.sub(samples, 1);
  return k.add(k.mul(meanTerm, samples), k.mul(varianceTerm, weight));
}
