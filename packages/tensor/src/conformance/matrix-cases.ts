import { gives, refuses, tensor, type ConformanceCase } from "./conformance-case.js";

const a23 = tensor([2, 3], 1, 2, 3, 4, 5, 6);
const b32 = tensor([3, 2], 1, 0, 2, 1, 0, 3);
const product = tensor([2, 2], 5, 11, 14, 23);
// With W = [[1, 2], [3, 4]]: dA = W Bᵀ and dB = Aᵀ W.
const dA = [1, 4, 6, 3, 10, 12];
const dB = [13, 18, 17, 24, 21, 30];
const transposed = (data: readonly number[], rows: number) =>
  data.map((_, i) => data[(i % rows) * (data.length / rows) + Math.floor(i / rows)] ?? NaN);

/** matMul with every combination of flags, and batches. */
export const matrixCases: readonly ConformanceCase[] = [
  ...gives("matMul/plain", [a23, b32], (k, a, b) => k.matMul(a, b), {
    ...product,
    gradients: [tensor([2, 3], ...dA), tensor([3, 2], ...dB)],
  }),
  ...gives(
    "matMul/transposeA",
    [tensor([3, 2], ...transposed(a23.data, 2)), b32],
    (k, a, b) => k.matMul(a, b, { transposeA: true }),
    { ...product, gradients: [tensor([3, 2], ...transposed(dA, 2)), tensor([3, 2], ...dB)] },
  ),
  ...gives(
    "matMul/transposeB",
    [a23, tensor([2, 3], ...transposed(b32.data, 3))],
    (k, a, b) => k.matMul(a, b, { transposeB: true }),
    { ...product, gradients: [tensor([2, 3], ...dA), tensor([2, 3], ...transposed(dB, 3))] },
  ),
  // Square, so that a flag that is ignored changes no shape: [[1, 2], [3, 4]] x [[5, 6], [7, 8]].
  ...gives(
    "matMul/transposeA-square",
    [tensor([2, 2], 1, 3, 2, 4), tensor([2, 2], 5, 6, 7, 8)],
    (k, a, b) => k.matMul(a, b, { transposeA: true }),
    tensor([2, 2], 19, 22, 43, 50),
  ),
  ...gives(
    "matMul/transposeB-square",
    [tensor([2, 2], 1, 2, 3, 4), tensor([2, 2], 5, 7, 6, 8)],
    (k, a, b) => k.matMul(a, b, { transposeB: true }),
    tensor([2, 2], 19, 22, 43, 50),
  ),
  ...gives(
    "matMul/transposeA-and-B",
    [tensor([3, 2], ...transposed(a23.data, 2)), tensor([2, 3], ...transposed(b32.data, 3))],
    (k, a, b) => k.matMul(a, b, { transposeA: true, transposeB: true }),
    {
      ...product,
      gradients: [tensor([3, 2], ...transposed(dA, 2)), tensor([2, 3], ...transposed(dB, 3))],
    },
  ),
  ...gives(
    "matMul/batch",
    [tensor([2, 1, 2], 1, 2, 3, 4), tensor([2, 2, 1], 1, 1, 2, 3)],
    (k, a, b) => k.matMul(a, b),
    {
      ...tensor([2, 1, 1], 3, 18),
      gradients: [tensor([2, 1, 2], 1, 1, 4, 6), tensor([2, 2, 1], 1, 2, 6, 8)],
    },
  ),
  ...gives(
    "matMul/one-matrix-for-the-batch",
    [tensor([2, 1, 2], 1, 2, 3, 4), tensor([2, 1], 5, 6)],
    (k, a, b) => k.matMul(a, b),
    {
      ...tensor([2, 1, 1], 17, 39),
      gradients: [tensor([2, 1, 2], 5, 6, 10, 12), tensor([2, 1], 7, 10)],
    },
  ),
  ...gives(
    "matMul/one-matrix-first",
    [tensor([1, 2], 5, 6), tensor([2, 2, 1], 1, 2, 3, 4)],
    (k, a, b) => k.matMul(a, b),
    {
      ...tensor([2, 1, 1], 17, 39),
      gradients: [tensor([1, 2], 7, 10), tensor([2, 2, 1], 5, 6, 10, 12)],
    },
  ),
  ...refuses("matMul/inner-sizes-differ", "shape-mismatch", (k) =>
    k.matMul(k.fill([2, 3], 1), k.fill([2, 3], 1)),
  ),
  ...refuses("matMul/vector", "shape-mismatch", (k) => k.matMul(k.fill([2, 3], 1), k.fill([3], 1))),
  ...refuses("matMul/batches-differ", "shape-mismatch", (k) =>
    k.matMul(k.fill([2, 1, 1], 1), k.fill([3, 1, 1], 1)),
  ),
];
