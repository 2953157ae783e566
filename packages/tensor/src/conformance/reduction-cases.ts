import { gives, refuses, tensor, type ConformanceCase } from "./conformance-case.js";

const x23 = tensor([2, 3], 1, 5, 3, 4, 2, 6);
const cube = tensor([2, 2, 2], 1, 2, 3, 4, 5, 6, 7, 8);

/** sum, mean, max and min over axes. */
export const reductionCases: readonly ConformanceCase[] = [
  ...gives("sum/all", [x23], (k, x) => k.sum(x), {
    ...tensor([], 21),
    gradients: [tensor([2, 3], 1, 1, 1, 1, 1, 1)],
  }),
  ...gives("sum/axis", [x23], (k, x) => k.sum(x, [0]), {
    ...tensor([3], 5, 7, 9),
    gradients: [tensor([2, 3], 1, 2, 3, 1, 2, 3)],
  }),
  ...gives("sum/negative-axis", [x23], (k, x) => k.sum(x, [-1]), tensor([2], 9, 12)),
  ...gives("sum/outer-axes", [cube], (k, x) => k.sum(x, [2, 0]), {
    ...tensor([2], 14, 22),
    gradients: [tensor([2, 2, 2], 1, 1, 2, 2, 1, 1, 2, 2)],
  }),
  ...gives("sum/keep", [x23], (k, x) => k.sum(x, [1], "keep"), {
    ...tensor([2, 1], 9, 12),
    gradients: [tensor([2, 3], 1, 1, 1, 2, 2, 2)],
  }),
  ...gives("sum/no-axes", [x23], (k, x) => k.sum(x, []), x23),
  ...gives("sum/empty-axis-is-zero", [tensor([2, 0])], (k, x) => k.sum(x, [1]), tensor([2], 0, 0)),
  ...refuses("sum/axis-outside", "shape-mismatch", (k) => k.sum(k.fill([2, 2], 1), [2])),
  ...refuses("sum/axis-twice", "shape-mismatch", (k) => k.sum(k.fill([2, 2], 1), [1, -1])),
  ...gives("mean/all", [x23], (k, x) => k.mean(x), {
    ...tensor([], 3.5),
    gradients: [tensor([2, 3], ...Array.from({ length: 6 }, () => 1 / 6))],
  }),
  ...gives("mean/axis-keep", [x23], (k, x) => k.mean(x, [0], "keep"), {
    ...tensor([1, 3], 2.5, 3.5, 4.5),
    gradients: [tensor([2, 3], 0.5, 1, 1.5, 0.5, 1, 1.5)],
  }),
  ...gives("max/axis", [x23], (k, x) => k.max(x, [1]), {
    ...tensor([2], 5, 6),
    gradients: [tensor([2, 3], 0, 1, 0, 0, 0, 2)],
  }),
  ...gives("max/all-negative", [tensor([2], -3, -2)], (k, x) => k.max(x), tensor([], -2)),
  ...gives("min/axis-keep", [x23], (k, x) => k.min(x, [0], "keep"), {
    ...tensor([1, 3], 1, 2, 3),
    gradients: [tensor([2, 3], 1, 0, 3, 0, 2, 0)],
  }),
  ...refuses("max/empty-axis", "shape-mismatch", (k) => k.max(k.fill([2, 0], 1), [1])),
];
