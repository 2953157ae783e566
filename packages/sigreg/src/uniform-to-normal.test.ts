import { expect, test } from "vitest";
import { uniformToNormal } from "./uniform-to-normal.js";
import { normQuantile } from "./univariate/norm-quantile.js";

test("agrees with the quantile by iteration below 1/2, and is odd about it", () => {
  for (const x of [
    0,
    1,
    2,
    1000,
    2 ** 20,
    2 ** 28,
    322_122_547,
    322_122_548,
    2 ** 30,
    2 ** 31 - 1,
  ]) {
    expect(uniformToNormal(x)).toBeCloseTo(normQuantile((x + 1 / 2) / 2 ** 32), 13);
    expect(uniformToNormal(2 ** 32 - 1 - x)).toBe(-uniformToNormal(x));
  }
});

// From scipy.stats.norm.ppf, and the slope at the middle.
test.each([
  [2 ** 31, Math.sqrt(2 * Math.PI) / 2 ** 33],
  [2 ** 30, -0.6744897498297384],
  [0, -6.3379577545537895],
])("%i is known", (x, expected) => {
  expect(uniformToNormal(x) / expected).toBeCloseTo(1, 13);
});
