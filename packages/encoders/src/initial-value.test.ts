import { expect, test } from "vitest";
import {
  constant,
  drawInitialValues,
  type InitialValue,
  kaimingFanOut,
  normal,
  torchDefault,
} from "./initial-value.js";
import { undecayedPlan } from "./parameter-plan.js";

function draw(initial: InitialValue, shape = [200, 100], name = "w", seed = 1): Float32Array {
  return drawInitialValues([undecayedPlan(name, shape, initial)], seed)[name]?.data as Float32Array;
}

const mean = (x: Float32Array) => x.reduce((a, b) => a + b, 0) / x.length;
const std = (x: Float32Array) => Math.sqrt(mean(x.map((v) => v * v)) - mean(x) ** 2);

test("a constant fills the tensor", () => {
  expect([...draw(constant(3), [2, 2])]).toEqual([3, 3, 3, 3]);
});

test("a normal has its deviation, mean 0 and tails", () => {
  const x = draw(normal(0.02));
  // 20,000 draws: the deviation is known to 0.5 %, the mean to 0.0002.
  expect(std(x)).toBeGreaterThan(0.0196);
  expect(std(x)).toBeLessThan(0.0204);
  expect(Math.abs(mean(x))).toBeLessThan(0.0007);
  expect(Math.max(...x)).toBeGreaterThan(0.06);
});

test("PyTorch's default is uniform within 1 / sqrt(fan in)", () => {
  const x = draw(torchDefault(25));
  expect(Math.max(...x)).toBeLessThan(0.2);
  expect(Math.max(...x)).toBeGreaterThan(0.199);
  expect(Math.min(...x)).toBeLessThan(-0.199);
  expect(std(x)).toBeGreaterThan(0.1155 * 0.98); // 0.2 / sqrt 3
  expect(std(x)).toBeLessThan(0.1155 * 1.02);
});

test("Kaiming's normal by fan out has variance 2 / (out height width)", () => {
  expect(kaimingFanOut([3, 3, 7, 50])).toEqual({ kind: "normal", std: Math.sqrt(2 / 450) });
});

test("a value depends on seed, name and place alone", () => {
  expect(draw(normal(1), [4])).toEqual(draw(normal(1), [4]));
  expect(draw(normal(1), [4])).not.toEqual(draw(normal(1), [4], "w", 2));
  expect(draw(normal(1), [4])).not.toEqual(draw(normal(1), [4], "v"));
  expect(draw(normal(1), [8]).subarray(0, 4)).toEqual(draw(normal(1), [4]));
});
