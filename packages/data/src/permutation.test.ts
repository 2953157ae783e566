import { describe, expect, test } from "vitest";
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

describe("with groups", () => {
  const size = 20;
  const groups = Array.from({ length: 30 }, (_, g) => [g * size, (g + 1) * size] as const);
  const orderOf = (epoch: number) => permutation(30 * size, 5, epoch, groups);

  test("an order holds every index once, is another one in each epoch, and repeats", () => {
    expect([...orderOf(0)].sort((a, b) => a - b)).toEqual([...Array(30 * size).keys()]);
    expect(orderOf(0)).not.toEqual(orderOf(1));
    expect(orderOf(1)).toEqual(orderOf(1));
  });

  test("the items of a group come among those of seven others, mixed with them", () => {
    const order = orderOf(0);
    for (let block = 0; block < order.length; block += 8 * size) {
      const owners = [...order.subarray(block, block + 8 * size)].map((i) => Math.floor(i / size));
      const count = Math.min(8, (order.length - block) / size);
      expect(new Set(owners).size).toBe(count);
      // Of 16 draws among eight groups a single group has more than 10 once in a million times.
      for (let at = 0; at + 16 <= owners.length; at += 16)
        for (const owner of new Set(owners))
          expect(owners.slice(at, at + 16).filter((each) => each === owner).length).toBeLessThan(
            count === 8 ? 11 : 16,
          );
    }
  });

  test("which groups come together is drawn too", () => {
    const first = (epoch: number) =>
      [...new Set([...orderOf(epoch).subarray(0, 8 * size)].map((i) => Math.floor(i / size)))].sort(
        (a, b) => a - b,
      );
    expect(first(0)).not.toEqual(first(1));
    expect(first(0)).not.toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
  });

  test("groups of unequal sizes and a single group are permutations; a single one is as none", () => {
    const unequal = [
      [0, 1],
      [1, 7],
      [7, 10],
    ] as const;
    expect([...permutation(10, 7, 0, unequal)].sort((a, b) => a - b)).toEqual([
      ...Array(10).keys(),
    ]);
    expect(permutation(10, 7, 0, [[0, 10]])).toEqual(permutation(10, 7, 0));
  });
});
