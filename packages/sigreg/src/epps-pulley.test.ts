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
