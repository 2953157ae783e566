import { gives, refuses, tensor, type ConformanceCase } from "./conformance-case.js";

const x23 = tensor([2, 3], 1, 2, 3, 4, 5, 6);
const cube = tensor([2, 1, 3], 1, 2, 3, 4, 5, 6);

/** Functions that move entries and change none. */
export const layoutCases: readonly ConformanceCase[] = [
  ...gives("reshape/row-major", [x23], (k, x) => k.reshape(x, [3, 2]), {
    ...tensor([3, 2], 1, 2, 3, 4, 5, 6),
    gradients: [x23],
  }),
  ...gives("reshape/to-scalar", [tensor([1, 1], 4)], (k, x) => k.reshape(x, []), tensor([], 4)),
  ...refuses("reshape/size-differs", "shape-mismatch", (k) => k.reshape(k.fill([2, 3], 1), [4])),
  ...gives("transpose/reversed", [x23], (k, x) => k.transpose(x), {
    ...tensor([3, 2], 1, 4, 2, 5, 3, 6),
    gradients: [tensor([2, 3], 1, 3, 5, 2, 4, 6)],
  }),
  ...gives("transpose/permutation", [cube], (k, x) => k.transpose(x, [2, 0, 1]), {
    ...tensor([3, 2, 1], 1, 4, 2, 5, 3, 6),
    gradients: [tensor([2, 1, 3], 1, 3, 5, 2, 4, 6)],
  }),
  ...refuses("transpose/not-a-permutation", "shape-mismatch", (k) =>
    k.transpose(k.fill([2, 3], 1), [0, 0]),
  ),
  ...gives("slice/block", [x23], (k, x) => k.slice(x, [0, 1], [2, 2]), {
    ...tensor([2, 2], 2, 3, 5, 6),
    gradients: [tensor([2, 3], 0, 1, 2, 0, 3, 4)],
  }),
  ...refuses("slice/outside", "shape-mismatch", (k) => k.slice(k.fill([2, 3], 1), [1, 0], [2, 3])),
  ...refuses("slice/rank-differs", "shape-mismatch", (k) => k.slice(k.fill([2, 3], 1), [0], [1])),
  ...gives(
    "concat/first-axis",
    [tensor([1, 2], 1, 2), tensor([2, 2], 3, 4, 5, 6)],
    (k, x, y) => k.concat([x, y], 0),
    {
      ...tensor([3, 2], 1, 2, 3, 4, 5, 6),
      gradients: [tensor([1, 2], 1, 2), tensor([2, 2], 3, 4, 5, 6)],
    },
  ),
  ...gives(
    "concat/last-axis",
    [tensor([2, 1], 1, 2), tensor([2, 2], 3, 4, 5, 6)],
    (k, x, y) => k.concat([x, y], -1),
    {
      ...tensor([2, 3], 1, 3, 4, 2, 5, 6),
      gradients: [tensor([2, 1], 1, 4), tensor([2, 2], 2, 3, 5, 6)],
    },
  ),
  ...refuses("concat/shapes-differ", "shape-mismatch", (k) =>
    k.concat([k.fill([1, 2], 1), k.fill([1, 3], 1)], 0),
  ),
  ...refuses("concat/nothing", "invalid-argument", (k) => k.concat([], 0)),
  ...gives("gather/rows", [tensor([3, 2], 1, 2, 3, 4, 5, 6)], (k, x) => k.gather(x, [2, 0, 2], 0), {
    ...tensor([3, 2], 5, 6, 1, 2, 5, 6),
    gradients: [tensor([3, 2], 3, 4, 0, 0, 6, 8)],
  }),
  ...gives("gather/columns", [x23], (k, x) => k.gather(x, Int32Array.of(1, 1), -1), {
    ...tensor([2, 2], 2, 2, 5, 5),
    gradients: [tensor([2, 3], 0, 3, 0, 0, 7, 0)],
  }),
  ...refuses("gather/index-outside", "invalid-argument", (k) => k.gather(k.fill([3], 1), [3], 0)),
  ...refuses("gather/negative-index", "invalid-argument", (k) => k.gather(k.fill([3], 1), [-1], 0)),
];
