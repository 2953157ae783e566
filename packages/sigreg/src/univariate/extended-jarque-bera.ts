import { univariateTest, type UnivariateTest } from "../univariate-test.js";
import { skewnessAndKurtosis } from "./jarque-bera.js";
import { centred, needTwoSamples, sampleVariance } from "./sample-variance.js";
import { meanAndVariance } from "./vcreg.js";

/** The extended Jarque-Bera test of N(0, 1) by four moments, x [..., N, K] -> [..., K]:
 *
 *  `N m² / v + (N - 1) (v - 1)² / 2 + N/6 S² + N/24 (G - 3)²`,
 *
 *  the terms of {@link vcreg} and of {@link jarqueBera}, with the variance v (divided by N - 1) in all of them. At least
 *  0 and of order 4 for N(0, 1). Where all samples are equal it is Infinity (NaN if they are 0), with the gradient 0.
 *
 *  Where the adapter has `allReduceMean`, N and the moments are those of all processes.
 *
 *  @throws LejepaError `shape-mismatch` from the test, for fewer than two samples.
 *  Source: Jarque and Bera, Economics Letters 6 (1980); extended by mean and variance in LeJEPA, arXiv 2511.08544. */
export function extendedJarqueBera(): UnivariateTest {
  return univariateTest("extendedJarqueBera", (k, rows) => {
    needTwoSamples("extendedJarqueBera", k, rows);
    const moments = centred(k, rows);
    const variance = sampleVariance(k, moments);
    return k.add(meanAndVariance(k, moments, variance), skewnessAndKurtosis(k, moments, variance));
  });
}
