import { expect, test } from "vitest";
import { normQuantile } from "./norm-quantile.js";
import { logFactorials, orderStatisticQuantile } from "./order-statistic-quantile.js";

test("the quantiles of the smallest and the largest of N have closed forms", () => {
  for (const [samples, q] of [
    [1, 0.3],
    [2, 0.1],
    [16, 0.9],
    [1000, 0.05],
  ] as const) {
    // The largest is below x with probability Phi(x)^N.
    const largest = normQuantile(q ** (1 / samples));
    expect(orderStatisticQuantile(samples, samples, q)).toBeCloseTo(largest, 9);
    const smallest = normQuantile(1 - (1 - q) ** (1 / samples));
    expect(orderStatisticQuantile(1, samples, q)).toBeCloseTo(smallest, 9);
  }
});

test("the median of the middle one is 0, and quantiles mirror each other", () => {
  expect(orderStatisticQuantile(8, 15, 0.5)).toBeCloseTo(0, 13);
  expect(orderStatisticQuantile(3, 10, 0.2)).toBeCloseTo(-orderStatisticQuantile(8, 10, 0.8), 12);
});

test("logarithms of factorials", () => {
  expect([...logFactorials(4)].map(Math.exp).map(Math.round)).toEqual([1, 1, 2, 6, 24]);
});
