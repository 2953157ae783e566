import { expect, test } from "vitest";
import { permutation } from "./permutation.js";

test("an order holds every index once", () => {
  expect([...permutation(1000, 3, 0)].sort((a, b) => a - b)).toEqual([...Array(1000).keys()]);
});

test("seed and epoch each change the order; the same two repeat it", () => {
  const order = permutation(100, 1, 1);
  expect(permutation(100, 1, 1)).toEqual(order);
  expect(permutation(100, 2, 1)).not.toEqual(order);
  expect(permutation(100, 1, 2)).not.toEqual(order);
});

test("all six orders of three come equally often (6,000 epochs, each 1,000 +- 5 deviations)", () => {
  const counts = new Map<string, number>();
  for (let epoch = 0; epoch < 6000; epoch++) {
    const order = permutation(3, 0, epoch).join("");
    counts.set(order, (counts.get(order) ?? 0) + 1);
  }
  expect(counts.size).toBe(6);
  for (const count of counts.values()) expect(Math.abs(count - 1000)).toBeLessThan(5 * 29);
});

test("the order of seed 7 is this one on every machine", () => {
  expect([...permutation(10, 7, 0)]).toEqual([5, 0, 8, 4, 1, 9, 7, 2, 6, 3]);
});
