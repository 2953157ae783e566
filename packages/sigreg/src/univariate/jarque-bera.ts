import type { TensorAdapter } from "@lejepa/tensor";
import { univariateTest, type UnivariateTest } from "../univariate-test.js";
import { deviationOf, deviations, needTwoSamples } from "./sample-variance.js";

/** The Jarque-Bera test of a normal shape, x [..., N, K] -> [..., K]:
 *
 *  `JB = N/6 S² + N/24 (G - 3)²`, with skewness `S = mean((x - m)³) / s³` and kurtosis `G = mean((x - m)⁴) / s⁴`,
 *  m the mean and s² the variance, divided by N.
 *
 *  At least 0; near 2 for normal samples of any mean and variance, which it does not see: `extendedJarqueBera` does.
 *  Where all samples are equal it is `9 N / 24` with the gradient 0.
 *
 *  @throws LejepaError `shape-mismatch` from the test, for fewer than two samples.
 *  Source: Jarque and Bera, Economics Letters 6 (1980). */
export function jarqueBera(): UnivariateTest {
  return univariateTest("jarqueBera", (k, rows) => {
    const [, samples = 0] = k.shape(rows);
    needTwoSamples("jarqueBera", samples);
    const fromMean = deviations(k, rows);
    return skewnessAndKurtosis(k, fromMean, k.mean(k.square(fromMean), [1]));
  });
}

/** The two terms of Jarque and Bera from deviations [R, N] and the variance [R] that scales them. */
export function skewnessAndKurtosis<T>(k: TensorAdapter<T>, fromMean: T, variance: T): T {
  const [count = 0, samples = 0] = k.shape(fromMean);
  const deviation = k.maximum(deviationOf(k, variance), 1e-8);
  const scaled = k.div(fromMean, k.reshape(deviation, [count, 1]));
  const square = k.square(scaled);
  const skewness = k.mean(k.mul(square, scaled), [1]);
  const kurtosis = k.mean(k.square(square), [1]);
  return k.add(
    k.mul(k.square(skewness), samples / 6),
    k.mul(k.square(k.sub(kurtosis, 3)), samples / 24),
  );
}
