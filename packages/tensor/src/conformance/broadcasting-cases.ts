import type { Shape } from "../contract.js";
import {
  adding,
  entries,
  entryAt,
  indicesOf,
  repeatedIndex,
  sample,
  show,
  subsetsOf,
} from "./by-index.js";
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

/** A function of two numbers with its partial derivatives. */
interface Arithmetic {
  readonly name: "add" | "sub" | "mul" | "div" | "maximum" | "minimum" | "greaterEqual";
  readonly f: (x: number, y: number) => number;
  readonly byX: (x: number, y: number) => number;
  readonly byY: (x: number, y: number) => number;
  /** Operands and results that are not finite, or zero. */
  readonly special: readonly (readonly [x: number, y: number, result: number])[];
}

const arithmetic: readonly Arithmetic[] = [
  {
    name: "add",
    f: (x, y) => x + y,
    byX: () => 1,
    byY: () => 1,
    special: [
      [Infinity, 1, Infinity],
      [1, -Infinity, -Infinity],
      [Infinity, -Infinity, NaN],
      [NaN, 1, NaN],
      [1, NaN, NaN],
    ],
  },
  {
    name: "sub",
    f: (x, y) => x - y,
    byX: () => 1,
    byY: () => -1,
    special: [
      [Infinity, 1, Infinity],
      [1, Infinity, -Infinity],
      [Infinity, Infinity, NaN],
      [NaN, 1, NaN],
      [1, NaN, NaN],
    ],
  },
  {
    name: "mul",
    f: (x, y) => x * y,
    byX: (_x, y) => y,
    byY: (x) => x,
    special: [
      [Infinity, -2, -Infinity],
      [-2, -Infinity, Infinity],
      [0, Infinity, NaN],
      [-Infinity, 0, NaN],
      [NaN, 0, NaN],
      [0, NaN, NaN],
    ],
  },
  {
    name: "div",
    f: (x, y) => x / y,
    byX: (_x, y) => 1 / y,
    byY: (x, y) => -x / y ** 2,
    special: [
      [1, 0, Infinity],
      [-1, 0, -Infinity],
      [1, -0, -Infinity],
      [0, 0, NaN],
      [1, Infinity, 0],
      [Infinity, -2, -Infinity],
      [Infinity, Infinity, NaN],
      [NaN, 1, NaN],
      [1, NaN, NaN],
    ],
  },
  {
    name: "maximum",
    f: Math.max,
    byX: (x, y) => (x > y ? 1 : 0),
    byY: (x, y) => (y > x ? 1 : 0),
    special: [
      [Infinity, 1, Infinity],
      [1, Infinity, Infinity],
      [-Infinity, 1, 1],
      [-Infinity, -Infinity, -Infinity],
      [2, 2, 2],
    ],
  },
  {
    name: "minimum",
    f: Math.min,
    byX: (x, y) => (x < y ? 1 : 0),
    byY: (x, y) => (y < x ? 1 : 0),
    special: [
      [-Infinity, 1, -Infinity],
      [1, -Infinity, -Infinity],
      [Infinity, 1, 1],
      [Infinity, Infinity, Infinity],
      [2, 2, 2],
    ],
  },
  {
    name: "greaterEqual",
    f: (x, y) => (x >= y ? 1 : 0),
    byX: () => 0,
    byY: () => 0,
    special: [
      [Infinity, Infinity, 1],
      [-Infinity, Infinity, 0],
      [-Infinity, -Infinity, 1],
      [0, -0, 1],
      [-0, 0, 1],
      [NaN, 1, 0],
      [1, NaN, 0],
      [NaN, NaN, 0],
    ],
  },
];

/** Sizes of the last axes of everything here: [2, 3, 2, 4] at rank 4. */
const sizes = [2, 3, 2, 4];
const shapeOfRank = (rank: number): Shape => sizes.slice(sizes.length - rank);
const ranks = [0, 1, 2, 3, 4];
const ones = (shape: Shape, axes: readonly number[]): Shape =>
  shape.map((size, axis) => (axes.includes(axis) ? 1 : size));
/** The axes that a subset leaves. */
const others = (shape: Shape, axes: readonly number[]) =>
  shape.map((_, axis) => axis).filter((axis) => !axes.includes(axis));

/** The longer shape of two that broadcast, where no axis is empty. */
function common(...shapes: Shape[]): Shape {
  const rank = Math.max(...shapes.map((shape) => shape.length));
  return Array.from({ length: rank }, (_, i) =>
    Math.max(...shapes.map((shape) => shape[i - rank + shape.length] ?? 1)),
  );
}

/** The gradient of an operand whose entries are repeated: the weights times its slope, summed over the repetitions. */
function gradientOf(x: Values, shape: Shape, slope: (index: readonly number[]) => number): Values {
  const weights = upstream(shape);
  return adding(
    x.shape,
    indicesOf(shape).map((index) => [
      repeatedIndex(x.shape, index),
      entryAt(weights, index) * slope(index),
    ]),
  );
}

const repeated = (x: Values, index: readonly number[]) => entryAt(x, repeatedIndex(x.shape, index));

/** Two tensors of which neither is near 0 or equals an entry of the other. */
function operands(a: Shape, b: Shape, seed = 1): readonly [Values, Values] {
  const signs = (x: Values): Values => ({
    shape: x.shape,
    data: x.data.map((value, i) => (i % 3 === 1 ? -value : value)),
  });
  return [signs(sample(a, seed, 0.5, 2.5)), signs(sample(b, seed + 1, 0.5, 2.5))];
}

function trial(
  { name, f, byX, byY }: Arithmetic,
  shapeA: Shape,
  shapeB: Shape,
  seed?: number,
): Trial {
  const [a, b] = operands(shapeA, shapeB, seed);
  const shape = common(shapeA, shapeB);
  const at = (g: Arithmetic["f"]) => (index: readonly number[]) =>
    g(repeated(a, index), repeated(b, index));
  return {
    what: `${show(shapeA)} and ${show(shapeB)}`,
    inputs: [a, b],
    call: (k, x, y) => k[name](x, y),
    result: entries(shape, at(f)),
    gradients: [gradientOf(a, shape, at(byX)), gradientOf(b, shape, at(byY))],
  };
}

/** Sets of axes to be of size 1. Two at a time at rank 4: the rest are had from the operand with the axes that are left. */
const repetitionsOf = (rank: number, most: number): number[][] =>
  subsetsOf(rank).filter((axes) => axes.length > 0 && (rank < 4 || axes.length <= most));

/** Both of a shape, then either or both with axes of size 1, in every combination that leaves the shape. */
function pairsOfShapes(shape: Shape): (readonly [Shape, Shape])[] {
  const repetitions = repetitionsOf(shape.length, 2);
  return [
    [shape, shape],
    ...repetitions.flatMap((axes): (readonly [Shape, Shape])[] => [
      [shape, ones(shape, axes)],
      [ones(shape, axes), shape],
      [ones(shape, axes), ones(shape, others(shape, axes))],
    ]),
  ];
}

function casesOf(operation: Arithmetic): ConformanceCase[] {
  const { name, f, byX, byY, special } = operation;
  const x = sample([2, 3], 3, 0.5, 2.5);
  const withNumber = (shape: Shape): Trial[] => {
    const values = sample(shape, 3, 0.5, 2.5);
    const slopes = (slope: Arithmetic["f"], order: "x, y" | "y, x"): Values =>
      gradientOf(values, shape, (index) => {
        const value = entryAt(values, index);
        return order === "x, y" ? slope(value, 1.25) : slope(1.25, value);
      });
    return [
      {
        what: `${show(shape)} and a number`,
        inputs: [values],
        call: (k, a) => k[name](a, 1.25),
        result: { shape, data: values.data.map((value) => f(value, 1.25)) },
        gradients: [slopes(byX, "x, y")],
      },
      {
        what: `a number and ${show(shape)}`,
        inputs: [values],
        call: (k, a) => k[name](1.25, a),
        result: { shape, data: values.data.map((value) => f(1.25, value)) },
        gradients: [slopes(byY, "y, x")],
      },
    ];
  };
  return [
    ...ranks.flatMap((rank) =>
      givesEach(`${name}/rank-${rank}`, "values-and-gradients", () => [
        ...pairsOfShapes(shapeOfRank(rank)).map((shapes) => trial(operation, ...shapes)),
        // Other values in the same shapes.
        trial(operation, shapeOfRank(rank), shapeOfRank(rank), 3),
      ]),
    ),
    ...givesEach(`${name}/ranks-differ`, "values-and-gradients", () =>
      ranks.flatMap((rankA) =>
        ranks
          .filter((rankB) => rankA !== rankB)
          .map((rankB) => trial(operation, shapeOfRank(rankA), shapeOfRank(rankB))),
      ),
    ),
    ...givesEach(`${name}/numbers`, "values-and-gradients", () => [
      ...ranks.flatMap((rank) => withNumber(shapeOfRank(rank))),
      {
        what: "two numbers",
        inputs: [],
        call: (k) => k[name](2.5, 1.25),
        result: tensor([], f(2.5, 1.25)),
      },
    ]),
    // One operand is a constant of the function that is differentiated.
    ...givesEach(`${name}/constant-operand`, "values-and-gradients", () => {
      const { shape } = x;
      const y = sample([3], 4, 0.5, 2.5);
      const at = (g: Arithmetic["f"]) => (index: readonly number[]) =>
        g(entryAt(x, index), repeated(y, index));
      return [
        {
          what: "the second",
          inputs: [x],
          call: (k, a) => k[name](a, k.fromArray(y.data, y.shape)),
          result: entries(shape, at(f)),
          gradients: [gradientOf(x, shape, at(byX))],
        },
        {
          what: "the first",
          inputs: [y],
          call: (k, b) => k[name](k.fromArray(x.data, x.shape), b),
          result: entries(shape, at(f)),
          gradients: [gradientOf(y, shape, at(byY))],
        },
      ];
    }),
    // Which of two equal operands has the gradient of maximum and minimum is left open.
    ...givesEach(`${name}/one-tensor-as-both-operands`, "values-and-gradients", () => [
      {
        what: "f(x, x)",
        inputs: [x],
        call: (k, a) => k[name](a, a),
        result: { shape: x.shape, data: x.data.map((value) => f(value, value)) },
        ...(name !== "maximum" &&
          name !== "minimum" && {
            gradients: [
              gradientOf(x, x.shape, (index) => {
                const value = entryAt(x, index);
                return byX(value, value) + byY(value, value);
              }),
            ],
          }),
      },
    ]),
    ...gives(
      `${name}/special-values`,
      [
        tensor([special.length], ...special.map(([value]) => value)),
        tensor([special.length], ...special.map(([, value]) => value)),
      ],
      (k, a, b) => k[name](a, b),
      tensor([special.length], ...special.map(([, , value]) => value)),
    ),
    ...emptyCases(name, (k, a, b) => k[name](a, b), 2),
  ];
}

/** No entries, beside as many and beside an axis of size 1: that repeats none times, and its gradient is zero. */
function emptyCases(name: string, call: Call, operandCount: 2 | 3): ConformanceCase[] {
  const shapes: readonly Shape[] =
    operandCount === 2
      ? [
          [2, 0],
          [2, 1],
        ]
      : [[2, 1], [0], [2, 0]];
  return givesEach(`${name}/empty`, "values-and-gradients", () =>
    [shapes, shapes.map(() => [0]), [...shapes].reverse()].map((given) => ({
      what: given.map(show).join(" and "),
      inputs: given.map((shape) => sample(shape, 5, 0.5, 2.5)),
      call,
      result: { shape: given.some((shape) => shape.length === 2) ? [2, 0] : [0], data: [] },
      gradients: given.map((shape) => entries(shape, () => 0)),
    })),
  );
}

function whereTrial(shapeMask: Shape, shapeA: Shape, shapeB: Shape): Trial {
  const mask = entries(shapeMask, (index) =>
    index.reduce((sum, i, axis) => sum + i * (axis + 1), 0) % 2 === 0 ? 1 : 0,
  );
  const [a, b] = operands(shapeA, shapeB);
  const shape = common(shapeMask, shapeA, shapeB);
  const chosen = (index: readonly number[]) => repeated(mask, index) !== 0;
  return {
    what: `${show(shapeMask)}, ${show(shapeA)} and ${show(shapeB)}`,
    inputs: [mask, a, b],
    call: (k, m, x, y) => k.where(m, x, y),
    result: entries(shape, (index) => repeated(chosen(index) ? a : b, index)),
    gradients: [
      entries(shapeMask, () => 0),
      gradientOf(a, shape, (index) => (chosen(index) ? 1 : 0)),
      gradientOf(b, shape, (index) => (chosen(index) ? 0 : 1)),
    ],
  };
}

const mask23 = tensor([2, 3], 1, 0, 1, 0, 0, 1);
const a23 = sample([2, 3], 3);
/** a23 where mask23 says so, else `other`. */
const chosenOr = (other: number) =>
  tensor([2, 3], ...a23.data.map((value, i) => (mask23.data[i] === 1 ? value : other)));
const weightsWhere = (yes: number, no: number) =>
  tensor(
    [2, 3],
    ...upstream([2, 3]).data.map((weight, i) => weight * (mask23.data[i] === 1 ? yes : no)),
  );

const whereCases: readonly ConformanceCase[] = [
  ...ranks.flatMap((rank) =>
    givesEach(`where/rank-${rank}`, "values-and-gradients", () => {
      const shape = shapeOfRank(rank);
      return [
        whereTrial(shape, shape, shape),
        ...[
          ...repetitionsOf(rank, 1),
          ...(rank === 4
            ? [
                [0, 3],
                [1, 2],
              ]
            : []),
        ].flatMap((axes) => {
          const [some, rest] = [ones(shape, axes), ones(shape, others(shape, axes))];
          return [
            whereTrial(some, shape, shape),
            whereTrial(shape, some, shape),
            whereTrial(shape, shape, some),
            whereTrial(some, rest, shape),
            whereTrial(rest, shape, some),
            whereTrial(shape, some, rest),
            whereTrial(some, some, rest),
            whereTrial(some, rest, rest),
            whereTrial(some, rest, some),
          ];
        }),
      ];
    }),
  ),
  ...givesEach("where/ranks-differ", "values-and-gradients", () =>
    ranks.flatMap((rank) =>
      ranks
        .filter((other) => other !== rank)
        .map((other) => {
          const third = (rank + 2 * other + 1) % ranks.length;
          return whereTrial(shapeOfRank(rank), shapeOfRank(other), shapeOfRank(third));
        }),
    ),
  ),
  ...givesEach("where/numbers", "values-and-gradients", () => [
    {
      what: "a number to choose",
      inputs: [mask23, a23],
      call: (k, m, x) => k.where(m, 0.75, x),
      result: tensor([2, 3], ...a23.data.map((x, i) => (mask23.data[i] === 1 ? 0.75 : x))),
      gradients: [tensor([2, 3], 0, 0, 0, 0, 0, 0), weightsWhere(0, 1)],
    },
    {
      what: "a number otherwise",
      inputs: [mask23, a23],
      call: (k, m, x) => k.where(m, x, 0.75),
      result: chosenOr(0.75),
      gradients: [tensor([2, 3], 0, 0, 0, 0, 0, 0), weightsWhere(1, 0)],
    },
    {
      what: "two numbers",
      inputs: [mask23],
      call: (k, m) => k.where(m, 2.5, -1.25),
      result: tensor([2, 3], 2.5, -1.25, 2.5, -1.25, -1.25, 2.5),
      gradients: [tensor([2, 3], 0, 0, 0, 0, 0, 0)],
    },
    {
      what: "numbers by a scalar mask",
      inputs: [tensor([], 1), a23],
      call: (k, m, x) => k.where(m, x, 2),
      result: a23,
      gradients: [tensor([], 0), upstream([2, 3])],
    },
  ]),
  // What is not zero chooses, NaN too, and so does none of the two zeros.
  ...gives(
    "where/any-mask-but-zero",
    [tensor([8], 0.5, -1, 2, Infinity, -Infinity, NaN, 0, -0)],
    (k, mask) => k.where(mask, 1, 2),
    tensor([8], 1, 1, 1, 1, 1, 1, 2, 2),
  ),
  ...gives(
    "where/special-values",
    [
      tensor([6], 1, 0, 1, 0, 1, 0),
      tensor([6], NaN, 1, Infinity, 1, -Infinity, 1),
      tensor([6], 2, NaN, 2, Infinity, 2, -Infinity),
    ],
    (k, mask, x, y) => k.where(mask, x, y),
    tensor([6], NaN, NaN, Infinity, Infinity, -Infinity, -Infinity),
  ),
  ...givesEach("where/one-tensor-for-both", "values-and-gradients", () => [
    {
      what: "x or x",
      inputs: [mask23, a23],
      call: (k, m, x) => k.where(m, x, x),
      result: a23,
      gradients: [tensor([2, 3], 0, 0, 0, 0, 0, 0), upstream([2, 3])],
    },
    {
      what: "the mask itself",
      inputs: [mask23],
      call: (k, m) => k.where(m, m, 0.5),
      result: tensor([2, 3], 1, 0.5, 1, 0.5, 0.5, 1),
      gradients: [weightsWhere(1, 0)],
    },
  ]),
  ...givesEach("where/not-chosen-is-not-finite", "values-and-gradients", () => [
    {
      what: "NaN and infinities on either side",
      inputs: [
        tensor([4], 1, 0, 1, 0),
        tensor([4], 5, NaN, 6, Infinity),
        tensor([4], NaN, 7, -Infinity, 8),
      ],
      call: (k, m, x, y) => k.where(m, x, y),
      result: tensor([4], 5, 7, 6, 8),
      gradients: [tensor([4], 0, 0, 0, 0), tensor([4], 1.5, 0, 2.5, 0), tensor([4], 0, -2, 0, -3)],
    },
  ]),
  ...emptyCases("where", (k, m, x, y) => k.where(m, x, y), 3),
];

/** Functions of two and three operands, over ranks 0 to 4 and every repetition of axes of size 1. */
export const broadcastingCases: readonly ConformanceCase[] = [
  ...arithmetic.flatMap(casesOf),
  ...whereCases,
];
