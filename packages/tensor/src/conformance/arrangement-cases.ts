import type { Shape } from "../contract.js";
import { adding, entries, entryAt, indicesOf, sample, show, type Index } from "./by-index.js";
import {
  gives,
  givesEach,
  tensor,
  upstream,
  type Call,
  type ConformanceCase,
  type Trial,
  type Values,
} from "./conformance-case.js";

const shapesOfRank: readonly (readonly Shape[])[] = [
  [[]],
  [[4], [1]],
  [
    [2, 3],
    [3, 1],
  ],
  [
    [2, 3, 4],
    [1, 3, 1],
  ],
  [
    [2, 3, 1, 2],
    [1, 2, 1, 3],
  ],
];
const ranks = [0, 1, 2, 3, 4];
/** Shapes of a rank of 1 or more. */
const axed = [1, 2, 3, 4];

/** The trial of a call whose result has at each index the entry of x at `from` of it. */
function moves(
  what: string,
  x: Values,
  shape: Shape,
  from: (index: Index) => Index,
  call: Call,
): Trial {
  const weights = upstream(shape);
  return {
    what: `shape ${show(x.shape)}, ${what}`,
    inputs: [x],
    call,
    result: entries(shape, (index) => entryAt(x, from(index))),
    gradients: [
      adding(
        x.shape,
        indicesOf(shape).map((index) => [from(index), entryAt(weights, index)]),
      ),
    ],
  };
}

/** One case for each rank. */
const overRanks = (
  name: string,
  over: readonly number[],
  trials: (shape: Shape) => readonly Trial[],
): ConformanceCase[] =>
  over.flatMap((rank) =>
    givesEach(`${name}/rank-${rank}`, "values-and-gradients", () =>
      (shapesOfRank[rank] ?? []).flatMap(trials),
    ),
  );

/** Shapes of the same size, each to each. */
const sameSize: readonly (readonly Shape[])[] = [
  [[], [1], [1, 1], [1, 1, 1], [1, 1, 1, 1]],
  [[24], [4, 6], [1, 24], [2, 3, 4], [4, 1, 6], [2, 3, 2, 2], [24, 1, 1, 1]],
  [[0], [0, 3], [2, 0], [2, 0, 3], [1, 0, 0, 2]],
];

const reshapeCases: readonly ConformanceCase[] = ranks.flatMap((rank) =>
  givesEach(`reshape/rank-${rank}`, "values-and-gradients", () =>
    sameSize.flatMap((shapes) =>
      shapes
        .filter((from) => from.length === rank)
        .flatMap((from) =>
          shapes.map((to): Trial => {
            const x = sample(from, 1);
            return {
              what: `shape ${show(from)} to ${show(to)}`,
              inputs: [x],
              call: (k, a) => k.reshape(a, Object.freeze([...to])),
              result: { shape: to, data: x.data },
              gradients: [{ shape: from, data: upstream(to).data }],
            };
          }),
        ),
    ),
  ),
);

function permutationsOf(items: readonly number[]): number[][] {
  if (items.length === 0) return [[]];
  return items.flatMap((item) =>
    permutationsOf(items.filter((other) => other !== item)).map((rest) => [item, ...rest]),
  );
}

/** @param given the permutation as the call names it; left out for the axes in reversed order */
function transposing(shape: Shape, order: readonly number[], given?: readonly number[]): Trial {
  return moves(
    `permutation ${given === undefined ? "left out" : show(given)}`,
    sample(shape, 1),
    order.map((axis) => shape[axis] ?? NaN),
    (index) => shape.map((_, axis) => index[order.indexOf(axis)] ?? NaN),
    (k, x) => k.transpose(x, given && Object.freeze([...given])),
  );
}

const transposeCases: readonly ConformanceCase[] = [
  ...overRanks("transpose", ranks, (shape) => {
    const axes = shape.map((_, axis) => axis);
    return [
      transposing(shape, [...axes].reverse()),
      ...permutationsOf(axes).flatMap((order) => [
        transposing(shape, order, order),
        transposing(
          shape,
          order,
          order.map((axis, i) => (i % 2 === 0 ? axis - shape.length : axis)),
        ),
      ]),
    ];
  }),
  ...givesEach("transpose/empty", "values-and-gradients", () => [
    transposing([0], [0]),
    transposing([2, 0], [1, 0]),
    transposing([2, 0, 3], [2, 0, 1], [2, 0, 1]),
  ]),
];

function slicing(shape: Shape, begin: readonly number[], size: readonly number[]): Trial {
  return moves(
    `${show(size)} at ${show(begin)}`,
    sample(shape, 1),
    size,
    (index) => index.map((i, axis) => i + (begin[axis] ?? NaN)),
    (k, x) => k.slice(x, Object.freeze([...begin]), Object.freeze([...size])),
  );
}

/** Every begin and count that fit an axis; none at its end too. */
const intervals = (size: number): (readonly [begin: number, count: number])[] =>
  Array.from({ length: size + 1 }, (_, begin) =>
    Array.from({ length: size - begin + 1 }, (_, count) => [begin, count] as const),
  ).flat();

const sliceCases: readonly ConformanceCase[] = [
  ...overRanks("slice", ranks, (shape) => {
    const start = shape.map(() => 0);
    const put = (list: readonly number[], axis: number, value: number) =>
      list.map((old, i) => (i === axis ? value : old));
    return [
      slicing(shape, start, shape),
      ...shape.flatMap((whole, axis) =>
        intervals(whole).map(([begin, count]) =>
          slicing(shape, put(start, axis, begin), put(shape, axis, count)),
        ),
      ),
      // Each axis cut at once: the last entries, the first, and one of each.
      slicing(
        shape,
        shape.map((n) => Math.min(1, n - 1)),
        shape.map((n) => n - Math.min(1, n - 1)),
      ),
      slicing(
        shape,
        start,
        shape.map((n) => Math.max(1, n - 1)),
      ),
      slicing(
        shape,
        shape.map((n) => n - 1),
        shape.map(() => 1),
      ),
    ];
  }),
  ...givesEach("slice/empty", "values-and-gradients", () => [
    slicing([0], [0], [0]),
    slicing([2, 0], [1, 0], [1, 0]),
  ]),
];

/** Tensors of `shape` but for their sizes along `axis`, joined. */
function joining(shape: Shape, axis: number, sizes: readonly number[], given: number): Trial {
  const parts = sizes.map((size, i) =>
    sample(
      shape.map((whole, a) => (a === axis ? size : whole)),
      i + 1,
    ),
  );
  const total = sizes.reduce((sum, size) => sum + size, 0);
  const joined = shape.map((whole, a) => (a === axis ? total : whole));
  const starts = sizes.map((_, i) => sizes.slice(0, i).reduce((sum, size) => sum + size, 0));
  const shift = (index: Index, by: number) => index.map((i, a) => (a === axis ? i + by : i));
  const weights = upstream(joined);
  return {
    what: `${parts.map((part) => show(part.shape)).join(", ")} along ${given}`,
    inputs: parts,
    call: (k, ...xs) => k.concat(Object.freeze([...xs]), given),
    result: adding(
      joined,
      parts.flatMap((part, n) =>
        indicesOf(part.shape).map(
          (index) => [shift(index, starts[n] ?? NaN), entryAt(part, index)] as const,
        ),
      ),
    ),
    gradients: parts.map((part, n) =>
      entries(part.shape, (index) => entryAt(weights, shift(index, starts[n] ?? NaN))),
    ),
  };
}

const concatCases: readonly ConformanceCase[] = [
  ...overRanks("concat", axed, (shape) =>
    shape.flatMap((_, axis) =>
      [axis, axis - shape.length].flatMap((given) =>
        [[2], [1, 2], [2, 1, 3], [1, 1], [0, 2], [1, 0, 2]].map((sizes) =>
          joining(shape, axis, sizes, given),
        ),
      ),
    ),
  ),
  ...givesEach("concat/empty", "values-and-gradients", () => [
    joining([0, 2], 0, [0, 0], 0),
    joining([2, 0], 0, [2, 1], 0),
  ]),
  ...givesEach("concat/one-tensor-twice", "values-and-gradients", () => {
    const x = sample([2, 3], 1);
    const weights = upstream([2, 6]);
    return [
      {
        what: "x beside itself",
        inputs: [x],
        call: (k, a) => k.concat([a, a], 1),
        result: entries([2, 6], ([i = 0, j = 0]) => entryAt(x, [i, j % 3])),
        gradients: [
          entries(
            [2, 3],
            ([i = 0, j = 0]) => entryAt(weights, [i, j]) + entryAt(weights, [i, j + 3]),
          ),
        ],
      },
    ];
  }),
];

function gathering(shape: Shape, axis: number, indices: readonly number[], given: number): Trial {
  return moves(
    `indices ${show(indices)} of axis ${given}`,
    sample(shape, 1),
    shape.map((size, a) => (a === axis ? indices.length : size)),
    (index) => index.map((i, a) => (a === axis ? (indices[i] ?? NaN) : i)),
    (k, x) =>
      // Both kinds of list.
      given < 0
        ? k.gather(x, Int32Array.from(indices), given)
        : k.gather(x, Object.freeze([...indices]), given),
  );
}

const gatherCases: readonly ConformanceCase[] = [
  ...overRanks("gather", axed, (shape) =>
    shape.flatMap((size, axis) => {
      const last = size - 1;
      const lists = [
        Array.from({ length: size }, (_, i) => i),
        Array.from({ length: size }, (_, i) => last - i),
        [last],
        [last, last],
        [last, 0, last, 0, 0],
        [],
      ];
      return [axis, axis - shape.length].flatMap((given) =>
        lists.map((indices) => gathering(shape, axis, indices, given)),
      );
    }),
  ),
  ...givesEach("gather/empty", "values-and-gradients", () => [
    gathering([0], 0, [], 0),
    gathering([2, 0], 0, [1, 1], 0),
    gathering([0, 3], 0, [], -2),
  ]),
];

const odd = tensor([2, 3], NaN, Infinity, -Infinity, 1, 2, 3);

/** Entries that are not finite go where they should, and make nothing of the others. */
const specialCases: readonly ConformanceCase[] = [
  ...gives(
    "reshape/special-values",
    [odd],
    (k, x) => k.reshape(x, [3, 2]),
    tensor([3, 2], ...odd.data),
  ),
  ...gives(
    "transpose/special-values",
    [odd],
    (k, x) => k.transpose(x),
    tensor([3, 2], NaN, 1, Infinity, 2, -Infinity, 3),
  ),
  ...givesEach("slice/special-values", "values", () => [
    {
      what: "of them and of others",
      inputs: [odd],
      call: (k, x) => k.slice(x, [0, 0], [2, 2]),
      result: tensor([2, 2], NaN, Infinity, 1, 2),
    },
    {
      what: "of others alone",
      inputs: [odd],
      call: (k, x) => k.slice(x, [1, 0], [1, 3]),
      result: tensor([1, 3], 1, 2, 3),
    },
  ]),
  ...gives(
    "concat/special-values",
    [odd, tensor([2, 1], 4, -Infinity)],
    (k, x, y) => k.concat([x, y], 1),
    tensor([2, 4], NaN, Infinity, -Infinity, 4, 1, 2, 3, -Infinity),
  ),
  ...givesEach("gather/special-values", "values", () => [
    {
      what: "of them and of others",
      inputs: [odd],
      call: (k, x) => k.gather(x, [1, 0], 0),
      result: tensor([2, 3], 1, 2, 3, NaN, Infinity, -Infinity),
    },
    {
      what: "of others alone",
      inputs: [odd],
      call: (k, x) => k.gather(x, [1, 1], 0),
      result: tensor([2, 3], 1, 2, 3, 1, 2, 3),
    },
  ]),
];

/** Functions that move entries, over ranks 0 to 4, every axis and every permutation. */
export const arrangementCases: readonly ConformanceCase[] = [
  ...reshapeCases,
  ...transposeCases,
  ...sliceCases,
  ...concatCases,
  ...gatherCases,
  ...specialCases,
];
