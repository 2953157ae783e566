import { float64Adapter } from "@lejepa/tensor/float64";
import { expect, test } from "vitest";
import { eppsPulley } from "./epps-pulley.js";

const k = float64Adapter();
const value = (x: readonly number[], options: Parameters<typeof eppsPulley>[0]) =>
  eppsPulley(options)(k, k.fromArray(x, [x.length])).data[0];

// exp(-1/2) is both the weight and the characteristic function of N(0, 1) at t = 1.
const g = Math.exp(-1 / 2);

test("two knots on [0, 1] leave the one at t = 1, with half a weight for each sign", () => {
  expect(value([0], { tMax: 1, points: 2 })).toBeCloseTo(g * (1 - g) ** 2, 14);
  expect(value([0, 0, 0], { tMax: 1, points: 2 })).toBeCloseTo(3 * g * (1 - g) ** 2, 14);
  // x = ±pi: phi(1) = -1
  expect(value([Math.PI, -Math.PI], { tMax: 1, points: 2 })).toBeCloseTo(2 * g * (1 + g) ** 2, 14);
});

test("an even number of knots on [-T, T] lies at odd multiples of half a step", () => {
  // 2 knots, at -1 and 1, two apart.
  expect(value([0], { tMax: 1, points: 2, rule: "full-range" })).toBeCloseTo(
    2 * g * (1 - g) ** 2,
    14,
  );
  // 4 knots at -3, -1, 1, 3: inner ones weigh 2, outer ones 1.
  const g3 = Math.exp(-9 / 2);
  expect(value([0], { tMax: 3, points: 4, rule: "full-range" })).toBeCloseTo(
    4 * g * (1 - g) ** 2 + 2 * g3 * (1 - g3) ** 2,
    14,
  );
});

test("2n - 1 knots on [-T, T] equal n knots on [0, T]", () => {
  const x = [0.3, -1.2, 2, 0.1];
  expect(value(x, { tMax: 5, points: 17, rule: "full-range" })).toBe(
    value(x, { tMax: 5, points: 9 }),
  );
});

test("the defaults are [0, 3] with 17 knots, and the paper's [-5, 5] with 17", () => {
  const x = [0.3, -1.2, 2, 0.1];
  expect(value(x, {})).toBe(value(x, { tMax: 3, points: 17, rule: "half-range" }));
  expect(value(x, { rule: "full-range" })).toBe(
    value(x, { tMax: 5, points: 17, rule: "full-range" }),
  );
});

test("many knots approach the exact integral", () => {
  const x = [0.3, -1.2, 2, 0.1];
  expect(value(x, { tMax: 9, points: 65 })).toBeCloseTo(value(x, { rule: "exact" })!, 12);
});

test("the exact integral of one sample at 0 is known", () => {
  // sqrt(2 pi) (1 - sqrt 2 + 1 / sqrt 3)
  expect(value([0], { rule: "exact" })).toBeCloseTo(
    Math.sqrt(2 * Math.PI) * (1 - Math.SQRT2 + 1 / Math.sqrt(3)),
    14,
  );
});

test("Simpson's rule weighs three knots on [0, 2] as 1, 4, 1", () => {
  // One interval of Simpson's, doubled: 2 / 3 (4 f(1) + f(2)), f being 0 at 0.
  const g2 = Math.exp(-2);
  const expected = (2 / 3) * (4 * g * (1 - g) ** 2 + g2 * (1 - g2) ** 2);
  expect(value([0], { integration: "simpson", tMax: 2, points: 3 })).toBeCloseTo(expected, 14);
  // Five knots on [-2, 2] are those two intervals; three on [-1, 1] weigh 1, 4, 1 with f(0) = 0.
  expect(
    value([0], { integration: "simpson", tMax: 2, points: 5, rule: "full-range" }),
  ).toBeCloseTo(expected, 14);
  expect(
    value([0], { integration: "simpson", tMax: 1, points: 3, rule: "full-range" }),
  ).toBeCloseTo((2 / 3) * g * (1 - g) ** 2, 14);
});

test("Gauss-Hermite with two knots looks at ±1, with three at 0 and ±sqrt 3", () => {
  const half = Math.sqrt(Math.PI / 2);
  expect(value([0], { integration: "gauss-hermite", points: 2 })).toBeCloseTo(
    2 * half * (1 - g) ** 2,
    14,
  );
  expect(value([0], { integration: "gauss-hermite", points: 3 })).toBeCloseTo(
    2 * (half / 3) * (1 - Math.exp(-3 / 2)) ** 2,
    14,
  );
});

test.each<Parameters<typeof eppsPulley>[0]>([
  { integration: "trapezoid", tMax: 9, points: 33 },
  { integration: "simpson", tMax: 9, points: 65 },
  { integration: "trapezoid", tMax: 9, points: 64, rule: "full-range" },
  { integration: "simpson", tMax: 9, points: 129, rule: "full-range" },
  { integration: "gauss-hermite", points: 65 },
  { integration: "gauss-hermite", points: 64 },
])("%o is the exact integral to 1e-12", (options) => {
  const x = [0.3, -1.2, 2, 0.1, 1.5, -0.4, -2.2];
  expect(value(x, options)).toBeCloseTo(value(x, { rule: "exact" })!, 12);
});
