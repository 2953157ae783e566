import type { TensorAdapter } from "@lejepa/tensor";
import { univariateTest, type UnivariateTest } from "../univariate-test.js";
import {
  centred,
  deviationOf,
  meanOfSamples,
  needTwoSamples,
  type Centred,
} from "./sample-variance.js";

/** The Jarque-Bera test of a normal shape, x [..., N, K] -> [..., K]:
 *
 *  `JB = N/6 S² + N/24 (G - 3)²`, with skewness `S = mean((x - m)³) / s³` and kurtosis `G = mean((x - m)⁴) / s⁴`,
 *  m the mean and s² the variance, divided by N.
 *
 *  At least 0; near 2 for normal samples of any mean and variance, which it does not see: `extendedJarqueBera` does.
 *  Where all samples are equal it is `9 N / 24` with the gradient 0.
 *
 *  Where the adapter has `allReduceMean`, N and the moments are those of all processes.
 *
 *  @throws LejepaError `shape-mismatch` from the test, for fewer than two samples.
 *  Source: Jarque and Bera, Economics Letters 6 (1980). */
export function jarqueBera(): UnivariateTest {
  return univariateTest("jarqueBera", (k, rows) => {
    needTwoSamples("jarqueBera", k, rows);
    const moments = centred(k, rows);
    return skewnessAndKurtosis(k, moments, meanOfSamples(k, k.square(moments.fromMean)));
  });
}

/** The two terms of Jarque and Bera, [R], with the variances that scale the samples. */
export function skewnessAndKurtosis<T>(
  k: TensorAdapter<T>,
  { samples, fromMean }: Centred<T>,
  variance: T,
): T {
  const [count = 0] = k.shape(fromMean);
  const deviation = k.maximum(deviationOf(k, variance), 1e-8);
  const scaled = k.div(fromMean, k.reshape(deviation, [count, 1]));
  const square = k.square(scaled);
  const skewness = meanOfSamples(k, k.mul(square, scaled));
  const kurtosis = meanOfSamples(k, k.square(square));
  const terms = k.add(
    k.mul(k.square(skewness), 1 / 6),
    k.mul(k.square(k.sub(kurtosis, 3)), 1 / 24),
  );
  return k.mul(terms, samples);
}
