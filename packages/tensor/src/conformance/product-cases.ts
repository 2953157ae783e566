import type { MatMulOptions, Shape } from "../contract.js";
import {
  adding,
  entries,
  entryAt,
  indicesOf,
  repeatedIndex,
  sample,
  show,
  type Index,
} from "./by-index.js";
import {
  gives,
  givesEach,
  tensor,
  upstream,
  type ConformanceCase,
  type Trial,
} from "./conformance-case.js";

/** [rows, inner, columns] of a product. */
type Sizes = readonly [rows: number, inner: number, columns: number];

const everyFlag: readonly MatMulOptions[] = [
  {},
  { transposeA: true },
  { transposeB: true },
  { transposeA: true, transposeB: true },
  { transposeA: false, transposeB: false },
];

/** The product of matrices of `sizes` in batches, by its definition: [.., i, j] is the sum over n of A[.., i, n] B[.., n, j]. */
function product(
  batchA: Shape,
  batchB: Shape,
  [rows, inner, columns]: Sizes,
  flags: MatMulOptions,
): Trial {
  const turned = (i: number, j: number, flag = false): Index => (flag ? [j, i] : [i, j]);
  const a = sample([...batchA, ...turned(rows, inner, flags.transposeA)], 1);
  const b = sample([...batchB, ...turned(inner, columns, flags.transposeB)], 2);
  const rank = Math.max(batchA.length, batchB.length);
  const batch = Array.from({ length: rank }, (_, i) => {
    const [sizeA = 1, sizeB = 1] = [batchA, batchB].map((sizes) => sizes[i - rank + sizes.length]);
    return sizeA === 1 ? sizeB : sizeA;
  });
  const shape = [...batch, rows, columns];
  const weights = upstream(shape);
  const terms = indicesOf([...shape, inner]).map((index) => {
    const [lead, [i = 0, j = 0, n = 0]] = [index.slice(0, rank), index.slice(rank)];
    const atA = [...repeatedIndex(batchA, lead), ...turned(i, n, flags.transposeA)];
    const atB = [...repeatedIndex(batchB, lead), ...turned(n, j, flags.transposeB)];
    return { at: [...lead, i, j], atA, atB, weight: entryAt(weights, [...lead, i, j]) };
  });
  return {
    what: `${show(a.shape)} x ${show(b.shape)} ${JSON.stringify(flags)}`,
    inputs: [a, b],
    call: (k, x, y) => k.matMul(x, y, flags),
    result: adding(
      shape,
      terms.map(({ at, atA, atB }) => [at, entryAt(a, atA) * entryAt(b, atB)]),
    ),
    gradients: [
      adding(
        a.shape,
        terms.map(({ atA, atB, weight }) => [atA, weight * entryAt(b, atB)]),
      ),
      adding(
        b.shape,
        terms.map(({ atA, atB, weight }) => [atB, weight * entryAt(a, atA)]),
      ),
    ],
  };
}

/** A case of every flag for each pair of batches and each size. */
const products = (
  id: string,
  batches: readonly (readonly [Shape, Shape])[],
  sizes: readonly Sizes[],
): ConformanceCase[] =>
  givesEach(`matMul/${id}`, "values-and-gradients", () =>
    batches.flatMap(([a, b]) =>
      sizes.flatMap((size) => everyFlag.map((flags) => product(a, b, size, flags))),
    ),
  );

const oblong: Sizes = [2, 3, 4];
const square: Sizes = [2, 2, 2];

/** Matrix products over ranks 2 to 4, every repetition of a batch and every flag. */
export const productCases: readonly ConformanceCase[] = [
  ...products("rank-2", [[[], []]], [oblong, square]),
  ...products("rank-3", [[[2], [2]]], [oblong, square]),
  ...products(
    "rank-4",
    [
      [
        [2, 3],
        [2, 3],
      ],
    ],
    [oblong],
  ),
  ...products(
    "ranks-differ",
    [
      [[], [2]],
      [[2], []],
      [[], [2, 3]],
      [[2, 3], []],
      [[3], [2, 3]],
      [[2, 3], [3]],
    ],
    [oblong],
  ),
  ...products(
    "size-1-batches",
    [
      [[1], [2]],
      [[2], [1]],
      [[1], []],
      [
        [2, 1],
        [2, 3],
      ],
      [
        [1, 3],
        [2, 3],
      ],
      [
        [2, 3],
        [1, 3],
      ],
      [
        [2, 3],
        [2, 1],
      ],
      [
        [2, 1],
        [1, 3],
      ],
      [
        [1, 3],
        [2, 1],
      ],
      [[1], [2, 3]],
      [[2, 1], [3]],
    ],
    [oblong],
  ),
  ...products(
    "size-1-matrices",
    [
      [[], []],
      [[2], []],
      [[2], [2]],
    ],
    [
      [1, 3, 4],
      [2, 1, 4],
      [2, 3, 1],
      [1, 3, 1],
      [1, 1, 1],
    ],
  ),
  ...products(
    "empty",
    [
      [[], []],
      [[2], [2]],
      [[2], []],
      [[0], [0]],
      [[0], [1]],
    ],
    [
      [2, 0, 3],
      [0, 2, 3],
      [2, 3, 0],
    ],
  ),
  // Infinity times 0 is NaN, and what is in one row is not in another.
  ...gives(
    "matMul/special-values",
    [tensor([4, 2], NaN, 1, Infinity, 1, 1, -Infinity, 1, 2), tensor([2, 2], 1, 0, 2, 3)],
    (k, x, y) => k.matMul(x, y),
    tensor([4, 2], NaN, NaN, Infinity, NaN, -Infinity, -Infinity, 5, 6),
  ),
  ...givesEach("matMul/one-tensor-as-both-operands", "values-and-gradients", () => {
    const x = sample([2, 3], 1);
    const weights = upstream([2, 2]);
    const at = (i: number, j: number) => entryAt(x, [i, j]);
    return [
      {
        what: "x times its transpose",
        inputs: [x],
        call: (k, a) => k.matMul(a, a, { transposeB: true }),
        result: entries([2, 2], ([i = 0, j = 0]) =>
          [0, 1, 2].reduce((sum, n) => sum + at(i, n) * at(j, n), 0),
        ),
        // (W + Wᵀ) x
        gradients: [
          entries([2, 3], ([i = 0, n = 0]) =>
            [0, 1].reduce(
              (sum, j) => sum + (entryAt(weights, [i, j]) + entryAt(weights, [j, i])) * at(j, n),
              0,
            ),
          ),
        ],
      },
    ];
  }),
  ...givesEach("matMul/constant-operand", "values-and-gradients", () =>
    everyFlag.flatMap((flags): Trial[] => {
      const whole = product([2], [], oblong, flags);
      const [a, b] = whole.inputs as [(typeof whole.inputs)[0], (typeof whole.inputs)[0]];
      const [byA, byB] = whole.gradients as [typeof a, typeof b];
      return [
        {
          ...whole,
          inputs: [a],
          call: (k, x) => k.matMul(x, k.fromArray(b.data, b.shape), flags),
          gradients: [byA],
        },
        {
          ...whole,
          inputs: [b],
          call: (k, y) => k.matMul(k.fromArray(a.data, a.shape), y, flags),
          gradients: [byB],
        },
      ];
    }),
  ),
];
