import { expect, test } from "vitest";
import { sobolPoints } from "./sobol.js";
import { sobolDimensions } from "./sobol-numbers.js";

const points = (dim: number, count: number, random?: () => number) =>
  Array.from(sobolPoints(dim, count, random), (point) => [...point]);

test("the first points in two dimensions are the published ones", () => {
  expect(points(2, 5).map((point) => point.map((x) => x / 2 ** 32))).toEqual([
    [0, 0],
    [0.5, 0.5],
    [0.25, 0.75],
    [0.75, 0.25],
    [0.125, 0.625],
  ]);
});

// From scipy.stats.qmc.Sobol(1024, scramble=False, bits=32), which counts points in the order of Gray's code.
test.each([
  [5, [2684354560, 536870912, 536870912, 3758096384, 536870912, 536870912]],
  [700, [1027604480, 734003200, 1522532352, 734003200, 2462056448, 801112064]],
])("point %i is SciPy's in dimensions near and far", (n, expected) => {
  const point = points(sobolDimensions, n + 1)[n]!;
  expect([0, 1, 10, 100, 500, 1023].map((j) => point[j])).toEqual(expected);
});

test("scrambled, the first 2^m points still lie one in each of 2^m intervals, and one in each box of pairs", () => {
  let state = 1;
  const random = () => (state = Math.imul(state, 1664525) + 1013904223);
  const scrambled = points(40, 256, random);
  expect(scrambled).not.toEqual(points(40, 256));
  for (let j = 0; j < 40; j++)
    expect(new Set(scrambled.map((point) => point[j]! >>> 24)).size, `coordinate ${j}`).toBe(256);
  // The first two coordinates are a (0, m, 2)-net: 16 x 16 boxes, and 64 x 4 of them.
  for (const high of [2, 4, 6])
    expect(
      new Set(scrambled.map(([x, y]) => (x! >>> (32 - high)) * 256 + (y! >>> (32 - (8 - high)))))
        .size,
    ).toBe(256);
});
