import { expect, test } from "vitest";
import { normQuantile } from "./norm-quantile.js";

test.each([
  [0.5, 0],
  [0.975, 1.959963984540054],
  [0.025, -1.959963984540054],
  [0.1, -1.2815515655446004],
  [1e-10, -6.361340902404056],
  [1e-300, -37.0471],
])("the quantile of %d is %d", (p, x) => {
  expect(normQuantile(p)).toBeCloseTo(x, p < 1e-100 ? 4 : 13);
});
