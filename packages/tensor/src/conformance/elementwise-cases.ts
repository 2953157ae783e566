import { compareRatios, gives, refuses, tensor, type ConformanceCase } from "./conformance-case.js";

const [row, column] = [tensor([3], 10, 20, 30), tensor([2, 1], 1, 2)];
const [a, b] = [tensor([3], 1, -2, 3), tensor([3], 4, 5, -6)];

/** Arithmetic with broadcasting, and functions of one operand. Gradients are of the sum of result entry i times i + 1. */
export const elementwiseCases: readonly ConformanceCase[] = [
  ...gives("add/values", [a, b], (k, x, y) => k.add(x, y), {
    ...tensor([3], 5, 3, -3),
    gradients: [tensor([3], 1, 2, 3), tensor([3], 1, 2, 3)],
  }),
  ...gives("add/broadcast-row-and-column", [row, column], (k, x, y) => k.add(x, y), {
    ...tensor([2, 3], 11, 21, 31, 12, 22, 32),
    gradients: [tensor([3], 5, 7, 9), tensor([2, 1], 6, 15)],
  }),
  ...gives("add/number", [a], (k, x) => k.add(1, k.add(x, 0.5)), tensor([3], 2.5, -0.5, 4.5)),
  ...gives("add/scalar-tensor", [a, tensor([], 10)], (k, x, y) => k.add(x, y), {
    ...tensor([3], 11, 8, 13),
    gradients: [tensor([3], 1, 2, 3), tensor([], 6)],
  }),
  ...refuses("add/shapes-differ", "shape-mismatch", (k) => k.add(k.fill([2], 1), k.fill([3], 1))),
  ...gives("sub/values", [a, b], (k, x, y) => k.sub(x, y), {
    ...tensor([3], -3, -7, 9),
    gradients: [tensor([3], 1, 2, 3), tensor([3], -1, -2, -3)],
  }),
  ...gives("sub/number-first", [a], (k, x) => k.sub(1, x), tensor([3], 0, 3, -2)),
  ...gives("mul/values", [a, b], (k, x, y) => k.mul(x, y), {
    ...tensor([3], 4, -10, -18),
    gradients: [tensor([3], 4, 10, -18), tensor([3], 1, -4, 9)],
  }),
  ...gives("mul/broadcast", [row, column], (k, x, y) => k.mul(x, y), {
    ...tensor([2, 3], 10, 20, 30, 20, 40, 60),
    gradients: [tensor([3], 9, 12, 15), tensor([2, 1], 140, 320)],
  }),
  ...gives("mul/same-tensor-twice", [a], (k, x) => k.mul(x, x), {
    ...tensor([3], 1, 4, 9),
    gradients: [tensor([3], 2, -8, 18)],
  }),
  ...refuses("mul/shapes-differ", "shape-mismatch", (k) =>
    k.mul(k.fill([2, 2], 1), k.fill([3], 1)),
  ),
  ...gives("div/values", [tensor([2], 1, 3), tensor([2], 4, -2)], (k, x, y) => k.div(x, y), {
    ...tensor([2], 0.25, -1.5),
    gradients: [tensor([2], 0.25, -1), tensor([2], -1 / 16, -1.5)],
  }),
  ...gives(
    "div/by-zero",
    [tensor([3], 1, -1, 0)],
    (k, x) => k.div(x, 0),
    tensor([3], Infinity, -Infinity, NaN),
  ),
  ...gives("maximum/values", [a, b], (k, x, y) => k.maximum(x, y), {
    ...tensor([3], 4, 5, 3),
    gradients: [tensor([3], 0, 0, 3), tensor([3], 1, 2, 0)],
  }),
  ...gives("minimum/values", [a, b], (k, x, y) => k.minimum(x, y), {
    ...tensor([3], 1, -2, -6),
    gradients: [tensor([3], 1, 2, 0), tensor([3], 0, 0, 3)],
  }),
  ...gives("maximum/number", [a], (k, x) => k.maximum(x, 0), tensor([3], 1, 0, 3)),
  ...gives(
    "greaterEqual/values",
    [tensor([4], 1, 2, 3, NaN)],
    (k, x) => k.greaterEqual(x, 2),
    tensor([4], 0, 1, 1, 0),
  ),
  ...gives("greaterEqual/no-gradient", [a], (k, x) => k.add(k.mul(k.greaterEqual(x, 0), 5), x), {
    ...tensor([3], 6, -2, 8),
    gradients: [tensor([3], 1, 2, 3)],
  }),
  ...gives(
    "where/values",
    [tensor([3], 1, 0, 1), a, tensor([], 9)],
    (k, mask, x, y) => k.where(mask, x, y),
    {
      ...tensor([3], 1, 9, 3),
      gradients: [tensor([3], 0, 0, 0), tensor([3], 1, 0, 3), tensor([], 2)],
    },
  ),
  ...gives(
    "where/hides-nan",
    [tensor([2], 1, 0), tensor([2], 5, NaN)],
    (k, mask, x) => k.where(mask, x, 0),
    tensor([2], 5, 0),
  ),
  ...gives("neg/values", [a], (k, x) => k.neg(x), {
    ...tensor([3], -1, 2, -3),
    gradients: [tensor([3], -1, -2, -3)],
  }),
  ...gives("abs/values", [a], (k, x) => k.abs(x), {
    ...tensor([3], 1, 2, 3),
    gradients: [tensor([3], 1, -2, 3)],
  }),
  ...gives("square/values", [a], (k, x) => k.square(x), {
    ...tensor([3], 1, 4, 9),
    gradients: [tensor([3], 2, -8, 18)],
  }),
  ...gives("exp/values", [tensor([2], 0, 1)], (k, x) => k.exp(x), {
    ...tensor([2], 1, Math.E),
    gradients: [tensor([2], 1, 2 * Math.E)],
  }),
  ...gives("log/values", [tensor([2], 1, 4)], (k, x) => k.log(x), {
    ...tensor([2], 0, 2 * Math.LN2),
    gradients: [tensor([2], 1, 0.5)],
  }),
  ...gives(
    "log/zero-and-below",
    [tensor([2], 0, -1)],
    (k, x) => k.log(x),
    tensor([2], -Infinity, NaN),
  ),
  ...gives("sqrt/values", [tensor([2], 4, 0.25)], (k, x) => k.sqrt(x), {
    ...tensor([2], 2, 0.5),
    gradients: [tensor([2], 0.25, 2)],
  }),
  ...gives("sin/values", [tensor([2], 0, Math.PI / 6)], (k, x) => k.sin(x), {
    ...tensor([2], 0, 0.5),
    gradients: [tensor([2], 1, Math.sqrt(3))],
  }),
  ...gives("cos/values", [tensor([2], 0, Math.PI / 3)], (k, x) => k.cos(x), {
    ...tensor([2], 1, 0.5),
    gradients: [tensor([2], 0, -Math.sqrt(3))],
  }),
  // 1024 and 10000 are exact in float32; sines computed to 30 digits elsewhere.
  ...gives(
    "sin/large-arguments",
    [tensor([2], 1024, 10000)],
    (k, x) => k.sin(x),
    tensor([2], -0.158533380043996, -0.305614388888252),
  ),
  {
    id: "sin/small-arguments",
    needs: [],
    async run(k) {
      // sin x / x = 1 - x²/6 + x⁴/120
      const xs = [-(2 ** -10), 2 ** -10];
      const sines = await k.read(k.sin(k.fromArray(xs, [2])));
      const ratio = 1 - 2 ** -20 / 6 + 2 ** -40 / 120;
      compareRatios("the sine over x", sines, xs, [ratio, ratio], k.precision);
    },
  },
  ...gives("tanh/values", [tensor([2], 0, Math.LN2)], (k, x) => k.tanh(x), {
    ...tensor([2], 0, 0.6),
    gradients: [tensor([2], 1, 1.28)],
  }),
];
