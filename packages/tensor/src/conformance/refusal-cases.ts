import type { Capability } from "../contract.js";
import { refusesEach, type ConformanceCase } from "./conformance-case.js";

type Refused = Parameters<typeof refusesEach>[1][number];

/** Calls of a function that are refused with a message that names it. */
const refused = (
  name: string,
  calls: readonly Refused[],
  needs: readonly Capability[] = [],
): ConformanceCase[] => refusesEach(`${name}/refused`, calls, needs, name);

/** Axes that no tensor of rank 2 has, and those of one of rank 0. */
const wrongAxes = (name: "sum" | "mean" | "max" | "min"): ConformanceCase[] =>
  refused(name, [
    ["axis 2 of rank 2", "shape-mismatch", (k) => k[name](k.fill([2, 2], 1), [2])],
    ["axis -3 of rank 2", "shape-mismatch", (k) => k[name](k.fill([2, 2], 1), [-3])],
    ["axis 0.5", "shape-mismatch", (k) => k[name](k.fill([2, 2], 1), [0.5])],
    ["axis NaN", "shape-mismatch", (k) => k[name](k.fill([2, 2], 1), [NaN])],
    ["axis 0 of a scalar", "shape-mismatch", (k) => k[name](k.fill([], 1), [0])],
    ["axis -1 of a scalar", "shape-mismatch", (k) => k[name](k.fill([], 1), [-1])],
    ["an axis twice", "shape-mismatch", (k) => k[name](k.fill([2, 2], 1), [1, 1])],
    ["an axis from both ends", "shape-mismatch", (k) => k[name](k.fill([2, 2], 1), [0, -2])],
    ...(name === "max" || name === "min"
      ? ([
          ["all of no entries", "shape-mismatch", (k) => k[name](k.fill([0], 1))],
          ["an axis of size 0", "shape-mismatch", (k) => k[name](k.fill([2, 0, 3], 1), [1])],
          ["an axis of size 0 too", "shape-mismatch", (k) => k[name](k.fill([2, 0], 1), [0, 1])],
          ["no entries, kept", "shape-mismatch", (k) => k[name](k.fill([0, 2], 1), [-2], "keep")],
        ] satisfies Refused[])
      : []),
  ]);

const wrongOperands = (
  name: "add" | "sub" | "mul" | "div" | "maximum" | "minimum" | "greaterEqual",
): ConformanceCase[] =>
  refused(name, [
    ["[2] and [3]", "shape-mismatch", (k) => k[name](k.fill([2], 1), k.fill([3], 1))],
    ["[3] and [2]", "shape-mismatch", (k) => k[name](k.fill([3], 1), k.fill([2], 1))],
    ["[2, 3] and [2]", "shape-mismatch", (k) => k[name](k.fill([2, 3], 1), k.fill([2], 1))],
    [
      "[2, 3, 4] and [3, 3, 4]",
      "shape-mismatch",
      (k) => k[name](k.fill([2, 3, 4], 1), k.fill([3, 3, 4], 1)),
    ],
    ["[0] and [2]", "shape-mismatch", (k) => k[name](k.fill([0], 1), k.fill([2], 1))],
    ["[2] and [0]", "shape-mismatch", (k) => k[name](k.fill([2], 1), k.fill([0], 1))],
  ]);

/** Axes of functions that take one: x is [2, 3]. */
const wrongAxis = (call: (axis: number) => Refused[2]): readonly Refused[] =>
  [2, -3, 0.5, NaN].map((axis) => [`axis ${axis} of rank 2`, "shape-mismatch", call(axis)]);

/** Calls that every adapter refuses, with the codes of the contract. */
export const refusalCases: readonly ConformanceCase[] = [
  ...refused("fromArray", [
    ["too few values", "shape-mismatch", (k) => k.fromArray([1], [2])],
    ["too many values", "shape-mismatch", (k) => k.fromArray([1, 2, 3], [2])],
    ["two values for a scalar", "shape-mismatch", (k) => k.fromArray([1, 2], [])],
    ["none for a scalar", "shape-mismatch", (k) => k.fromArray([], [])],
    ["a size of 0.5", "shape-mismatch", (k) => k.fromArray([1], [0.5, 2])],
    ["sizes whose signs cancel", "shape-mismatch", (k) => k.fromArray([1, 2], [-1, -2])],
    ["a size of NaN", "shape-mismatch", (k) => k.fromArray([], [NaN])],
  ]),
  ...refused("fill", [
    ["a negative size", "shape-mismatch", (k) => k.fill([-1], 1)],
    ["sizes whose signs cancel", "shape-mismatch", (k) => k.fill([-1, -2], 1)],
    ["a size of 0.5", "shape-mismatch", (k) => k.fill([0.5, 2], 1)],
    ["a size of NaN", "shape-mismatch", (k) => k.fill([NaN], 1)],
  ]),
  ...(["add", "sub", "mul", "div", "maximum", "minimum", "greaterEqual"] as const).flatMap(
    wrongOperands,
  ),
  ...refused("where", [
    [
      "a mask that does not fit",
      "shape-mismatch",
      (k) => k.where(k.fill([2], 1), k.fill([3], 1), k.fill([3], 1)),
    ],
    [
      "a first operand that does not fit",
      "shape-mismatch",
      (k) => k.where(k.fill([3], 1), k.fill([2], 1), k.fill([3], 1)),
    ],
    [
      "a second operand that does not fit",
      "shape-mismatch",
      (k) => k.where(k.fill([3], 1), k.fill([3], 1), k.fill([2], 1)),
    ],
    [
      "operands that do not fit each other",
      "shape-mismatch",
      (k) => k.where(k.fill([1], 1), k.fill([2], 1), k.fill([3], 1)),
    ],
  ]),
  ...(["sum", "mean", "max", "min"] as const).flatMap(wrongAxes),
  ...refused("matMul", [
    ["two vectors", "shape-mismatch", (k) => k.matMul(k.fill([3], 1), k.fill([3], 1))],
    ["a vector first", "shape-mismatch", (k) => k.matMul(k.fill([3], 1), k.fill([3, 2], 1))],
    ["a vector as a column", "shape-mismatch", (k) => k.matMul(k.fill([3], 1), k.fill([1, 2], 1))],
    ["two scalars", "shape-mismatch", (k) => k.matMul(k.fill([], 1), k.fill([], 1))],
    ["a scalar", "shape-mismatch", (k) => k.matMul(k.fill([], 1), k.fill([3, 2], 1))],
    [
      "inner sizes that a flag makes differ",
      "shape-mismatch",
      (k) => k.matMul(k.fill([2, 3], 1), k.fill([3, 2], 1), { transposeA: true }),
    ],
    [
      "the other flag",
      "shape-mismatch",
      (k) => k.matMul(k.fill([2, 3], 1), k.fill([3, 2], 1), { transposeB: true }),
    ],
    ["an inner size of 1", "shape-mismatch", (k) => k.matMul(k.fill([2, 1], 1), k.fill([3, 2], 1))],
    [
      "batches of [2, 3] and [2]",
      "shape-mismatch",
      (k) => k.matMul(k.fill([2, 3, 1, 1], 1), k.fill([2, 1, 1], 1)),
    ],
  ]),
  ...refused("reshape", [
    ["a scalar of two", "shape-mismatch", (k) => k.reshape(k.fill([2], 1), [])],
    ["a size of -1", "shape-mismatch", (k) => k.reshape(k.fill([2, 3], 1), [-1])],
    ["sizes whose signs cancel", "shape-mismatch", (k) => k.reshape(k.fill([2], 1), [-1, -2])],
    ["a size of 0.5", "shape-mismatch", (k) => k.reshape(k.fill([2], 1), [4, 0.5])],
    ["nothing of something", "shape-mismatch", (k) => k.reshape(k.fill([2], 1), [0])],
  ]),
  ...refused("transpose", [
    ["too few axes", "shape-mismatch", (k) => k.transpose(k.fill([2, 3], 1), [0])],
    ["too many axes", "shape-mismatch", (k) => k.transpose(k.fill([2, 3], 1), [0, 1, 1])],
    ["an axis from both ends", "shape-mismatch", (k) => k.transpose(k.fill([2, 3], 1), [0, -2])],
    ["axis 2 of rank 2", "shape-mismatch", (k) => k.transpose(k.fill([2, 3], 1), [0, 2])],
    ["axis -3 of rank 2", "shape-mismatch", (k) => k.transpose(k.fill([2, 3], 1), [1, -3])],
    ["axis 0.5", "shape-mismatch", (k) => k.transpose(k.fill([2, 3], 1), [0.5, 1])],
    ["an axis of a scalar", "shape-mismatch", (k) => k.transpose(k.fill([], 1), [0])],
  ]),
  ...refused("slice", [
    ["a negative begin", "shape-mismatch", (k) => k.slice(k.fill([3], 1), [-1], [1])],
    ["a negative size", "shape-mismatch", (k) => k.slice(k.fill([3], 1), [1], [-1])],
    ["a begin of 0.5", "shape-mismatch", (k) => k.slice(k.fill([3], 1), [0.5], [1])],
    ["a size of 0.5", "shape-mismatch", (k) => k.slice(k.fill([3], 1), [0], [0.5])],
    ["a begin of NaN", "shape-mismatch", (k) => k.slice(k.fill([3], 1), [NaN], [1])],
    ["one entry too many", "shape-mismatch", (k) => k.slice(k.fill([3], 1), [1], [3])],
    [
      "too much of the last axis",
      "shape-mismatch",
      (k) => k.slice(k.fill([2, 3], 1), [0, 2], [1, 2]),
    ],
    ["a begin past the end", "shape-mismatch", (k) => k.slice(k.fill([3], 1), [4], [0])],
    ["a begin too many", "shape-mismatch", (k) => k.slice(k.fill([3], 1), [0, 0], [3])],
    ["a size too few", "shape-mismatch", (k) => k.slice(k.fill([2, 3], 1), [0, 0], [2])],
    ["a size too many", "shape-mismatch", (k) => k.slice(k.fill([3], 1), [0], [3, 1])],
    ["a block of a scalar", "shape-mismatch", (k) => k.slice(k.fill([], 1), [0], [1])],
  ]),
  ...refused("concat", [
    ...wrongAxis((axis) => (k) => k.concat([k.fill([2, 3], 1)], axis)),
    ["no tensors", "invalid-argument", (k) => k.concat([], 0)],
    ["scalars", "shape-mismatch", (k) => k.concat([k.fill([], 1), k.fill([], 1)], 0)],
    [
      "ranks that differ",
      "shape-mismatch",
      (k) => k.concat([k.fill([2, 3], 1), k.fill([3], 1)], 0),
    ],
    [
      "a third that does not fit",
      "shape-mismatch",
      (k) => k.concat([k.fill([2, 3], 1), k.fill([1, 3], 1), k.fill([2, 2], 1)], 0),
    ],
    [
      "rows beside fewer rows",
      "shape-mismatch",
      (k) => k.concat([k.fill([2, 3], 1), k.fill([1, 3], 1)], -1),
    ],
    [
      "an axis of size 1 that would be repeated",
      "shape-mismatch",
      (k) => k.concat([k.fill([2, 3], 1), k.fill([2, 1], 1)], 0),
    ],
    [
      "a longer rank of the same sizes",
      "shape-mismatch",
      (k) => k.concat([k.fill([2], 1), k.fill([2, 1], 1)], 0),
    ],
  ]),
  ...refused("gather", [
    ...wrongAxis((axis) => (k) => k.gather(k.fill([2, 3], 1), [0], axis)),
    ["an axis of a scalar", "shape-mismatch", (k) => k.gather(k.fill([], 1), [0], 0)],
    ["index 0.5", "invalid-argument", (k) => k.gather(k.fill([3], 1), [0.5], 0)],
    ["index NaN", "invalid-argument", (k) => k.gather(k.fill([3], 1), [NaN], 0)],
    ["an index among good ones", "invalid-argument", (k) => k.gather(k.fill([3], 1), [0, 3, 1], 0)],
    [
      "a row by the number of columns",
      "invalid-argument",
      (k) => k.gather(k.fill([2, 3], 1), [2], 0),
    ],
    [
      "a negative index in an Int32Array",
      "invalid-argument",
      (k) => k.gather(k.fill([3], 1), Int32Array.of(-1), 0),
    ],
    ["an index of nothing", "invalid-argument", (k) => k.gather(k.fill([0], 1), [0], 0)],
  ]),
  ...refused(
    "sort",
    [
      ...wrongAxis((axis) => (k) => k.sort(k.fill([2, 3], 1), axis)),
      ["a scalar", "shape-mismatch", (k) => k.sort(k.fill([], 1), -1)],
    ],
    ["sort"],
  ),
  ...refused(
    "valueAndGrad",
    [
      ["one entry", "shape-mismatch", (k) => k.valueAndGrad((x) => x, [k.fill([1], 1)])],
      ["no entries", "shape-mismatch", (k) => k.valueAndGrad((x) => x, [k.fill([0], 1)])],
    ],
    ["valueAndGrad"],
  ),
  ...refused(
    "customGradient",
    (
      [
        ["a first gradient of another shape", (dy, [, y]) => [dy, y!]],
        ["a second gradient of another shape", (dy, [x]) => [x!, dy]],
        ["gradients in another order", (_, [x, y]) => [y!, x!]],
        ["no gradient", () => []],
        ["a gradient too few", (_, [x]) => [x!]],
        ["a gradient too many", (dy, [x, y]) => [x!, y!, dy]],
      ] as readonly (readonly [string, <T>(dy: T, inputs: readonly T[]) => T[]])[]
    ).map(([what, backward]) => [
      what,
      "shape-mismatch",
      (k) =>
        k.valueAndGrad(
          (x, y) =>
            k.customGradient(
              {
                forward: ([v, w]) => ({ value: k.sum(v!), saved: [v!, w!] }),
                backward,
              },
              [x, y],
            ),
          [k.fill([2], 1), k.fill([3], 1)],
        ),
    ]),
    ["valueAndGrad", "customGradient"],
  ),
  ...refused(
    "characteristicMeans",
    [
      ["a scalar", "shape-mismatch", (k) => k.characteristicMeans(k.fill([], 1), 1, [1])],
      ["no samples", "shape-mismatch", (k) => k.characteristicMeans(k.fill([2, 0], 1), 1, [1])],
      ["no harmonics", "invalid-argument", (k) => k.characteristicMeans(k.fill([2], 1), 1, [])],
      [
        "a fraction among harmonics",
        "invalid-argument",
        (k) => k.characteristicMeans(k.fill([2], 1), 1, [1, 1.5]),
      ],
      [
        "zero among harmonics",
        "invalid-argument",
        (k) => k.characteristicMeans(k.fill([2], 1), 1, [2, 0]),
      ],
      [
        "NaN among harmonics",
        "invalid-argument",
        (k) => k.characteristicMeans(k.fill([2], 1), 1, [1, NaN]),
      ],
    ],
    ["characteristicMeans"],
  ),
];
