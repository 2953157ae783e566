import { expect, test } from "vitest";
import { minimise } from "./lbfgs.js";

const float64 = { gradientTolerance: 1e-10, maxIterations: 200, valueRounding: 1e-15 };

test("a quadratic with condition number 1e4 reaches its centre", async () => {
  const scales = [1, 10, 100, 1000, 10_000];
  const centre = [3, -1, 0.5, 2, -0.25];
  const found = await minimise(
    (x) => ({
      value: scales.reduce((sum, c, i) => sum + 0.5 * c * (x[i]! - centre[i]!) ** 2, 0),
      gradient: Float64Array.from(scales, (c, i) => c * (x[i]! - centre[i]!)),
    }),
    new Float64Array(5),
    float64,
  );
  expect(found.converged).toBe(true);
  centre.forEach((value, i) => expect(found.x[i]).toBeCloseTo(value, 9));
});

test("Rosenbrock's valley is followed to its minimum at (1, 1)", async () => {
  const found = await minimise(
    ([a = 0, b = 0]) => ({
      value: (1 - a) ** 2 + 100 * (b - a * a) ** 2,
      gradient: Float64Array.of(-2 * (1 - a) - 400 * a * (b - a * a), 200 * (b - a * a)),
    }),
    Float64Array.of(-1.2, 1),
    float64,
  );
  expect(found.converged).toBe(true);
  expect(found.x[0]).toBeCloseTo(1, 9);
  expect(found.x[1]).toBeCloseTo(1, 9);
  expect(found.iterations).toBeLessThan(60);
});

test("a step into a region without values is shortened", async () => {
  // x - log(x) is undefined left of 0; from 0.01 the first step overshoots far to the right.
  const found = await minimise(
    ([x = 0]) => ({ value: x - Math.log(x), gradient: Float64Array.of(1 - 1 / x) }),
    Float64Array.of(5),
    float64,
  );
  expect(found.converged).toBe(true);
  expect(found.x[0]).toBeCloseTo(1, 9);
});

test("a start at the minimum needs no iteration", async () => {
  const found = await minimise(
    ([x = 0]) => ({ value: x * x, gradient: Float64Array.of(2 * x) }),
    Float64Array.of(0),
    float64,
  );
  expect(found).toMatchObject({ iterations: 0, evaluations: 1, converged: true, gradientNorm: 0 });
});

test("an objective rounded to float32 still reaches a small gradient", async () => {
  const found = await minimise(
    (x) => ({
      value: Math.fround(1 + 0.5 * (x[0]! - 1) ** 2 + 5 * (x[1]! + 2) ** 2),
      gradient: Float64Array.of(Math.fround(x[0]! - 1), Math.fround(10 * (x[1]! + 2))),
    }),
    new Float64Array(2),
    { gradientTolerance: 1e-6, maxIterations: 100, valueRounding: 1e-7 },
  );
  expect(found.converged).toBe(true);
});

test("running out of iterations is reported", async () => {
  const found = await minimise(
    ([x = 0]) => ({ value: Math.cosh(x), gradient: Float64Array.of(Math.sinh(x)) }),
    Float64Array.of(4),
    { ...float64, maxIterations: 1 },
  );
  expect(found).toMatchObject({ iterations: 1, converged: false });
});

test("a NaN gradient at the start is not taken for convergence", async () => {
  const found = await minimise(
    () => ({ value: Number.NaN, gradient: Float64Array.of(Number.NaN) }),
    Float64Array.of(4),
    float64,
  );
  expect(found.converged).toBe(false);
});
