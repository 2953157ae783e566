import type { Shape } from "../contract.js";
import {
  adding,
  entries,
  entryAt,
  indicesOf,
  sample,
  show,
  subsetsOf,
  type Index,
} from "./by-index.js";
import {
  gives,
  givesEach,
  tensor,
  upstream,
  type ConformanceCase,
  type Trial,
  type Values,
} from "./conformance-case.js";

type Dims = "keep" | "drop";
type Reduction = "sum" | "mean" | "max" | "min";

const shapesOfRank: readonly (readonly Shape[])[] = [
  [[]],
  [[3], [1]],
  [
    [2, 3],
    [3, 1],
  ],
  [
    [2, 3, 4],
    [1, 2, 1],
  ],
  [
    [2, 3, 1, 2],
    [1, 2, 1, 3],
  ],
];

/** An index of x as the index of what is left when `axes` go. */
function reducedIndex(index: Index, axes: readonly number[], dims: Dims): Index {
  return dims === "keep"
    ? index.map((i, axis) => (axes.includes(axis) ? 0 : i))
    : index.filter((_, axis) => !axes.includes(axis));
}

function reducedShape(shape: Shape, axes: readonly number[], dims: Dims): Shape {
  return dims === "keep"
    ? shape.map((size, axis) => (axes.includes(axis) ? 1 : size))
    : shape.filter((_, axis) => !axes.includes(axis));
}

/** @param given the axes as the call names them; left out for all of them */
function reduction(
  name: Reduction,
  x: Values,
  axes: readonly number[],
  given: readonly number[] | undefined,
  dims: Dims | undefined,
): Trial {
  const to = (index: Index) => reducedIndex(index, axes, dims ?? "drop");
  const shape = reducedShape(x.shape, axes, dims ?? "drop");
  const indices = indicesOf(x.shape);
  const total = adding(
    shape,
    indices.map((index) => [to(index), entryAt(x, index)]),
  );
  const count = axes.reduce((product, axis) => product * (x.shape[axis] ?? NaN), 1);
  const beats = name === "max" ? Math.max : Math.min;
  const best = entries(shape, (target) =>
    indices
      .filter((index) => to(index).join() === target.join())
      .map((index) => entryAt(x, index))
      .reduce((a, b) => beats(a, b)),
  );
  const weights = upstream(shape);
  /** How far a result moves with an entry that goes into it. */
  const slope = (index: Index) =>
    name === "sum"
      ? 1
      : name === "mean"
        ? 1 / count
        : Number(entryAt(best, to(index)) === entryAt(x, index));
  return {
    what: `shape ${show(x.shape)}, axes ${given === undefined ? "left out" : show(given)}, ${dims ?? "dims left out"}`,
    inputs: [x],
    // Frozen: the list is the caller's.
    call: (k, a) => k[name](a, given && Object.freeze([...given]), dims),
    result:
      name === "sum"
        ? total
        : name === "mean"
          ? { shape, data: total.data.map((value) => value / count) }
          : best,
    gradients: [entries(x.shape, (index) => entryAt(weights, to(index)) * slope(index))],
  };
}

/** Every set of axes, counted from the start, from the end in falling order, and from both; kept and dropped. */
function reductionsOf(name: Reduction, shape: Shape): Trial[] {
  const x = sample(shape, 1);
  const rank = shape.length;
  const all = shape.map((_, axis) => axis);
  return [
    ...([undefined, "drop", "keep"] as const).map((dims) =>
      reduction(name, x, all, undefined, dims),
    ),
    ...subsetsOf(rank).flatMap((axes) => {
      const fromEnd = axes.map((axis) => axis - rank).reverse();
      const mixed = [...axes.slice(1), ...axes.slice(0, 1).map((axis) => axis - rank)];
      const forms =
        axes.length === 0 ? [axes] : [axes, fromEnd, ...(axes.length > 1 ? [mixed] : [])];
      // One form or the other keeps the axes, and each does for some set of them.
      return forms.map((form, n) =>
        reduction(name, x, axes, form, (n + axes.length) % 2 === 0 ? undefined : "keep"),
      );
    }),
    ...subsetsOf(rank).map((axes) =>
      reduction(name, x, axes, axes, axes.length % 2 === 0 ? "keep" : "drop"),
    ),
  ];
}

const nothing = (shape: Shape): Values => ({ shape, data: [] });

/** Where no entries are reduced, and where there are none to reduce to. */
const emptyReductions: Readonly<Record<"sum" | "mean", number>> = { sum: 0, mean: NaN };

function emptyCases(name: Reduction): ConformanceCase[] {
  const toNothing: readonly Trial[] = [
    {
      what: "shape [0, 2], axes [1]",
      inputs: [nothing([0, 2])],
      call: (k, x) => k[name](x, [1]),
      result: nothing([0]),
      gradients: [nothing([0, 2])],
    },
    {
      what: "shape [2, 0, 3], axes [0, -1], keep",
      inputs: [nothing([2, 0, 3])],
      call: (k, x) => k[name](x, [0, -1], "keep"),
      result: nothing([1, 0, 1]),
      gradients: [nothing([2, 0, 3])],
    },
    {
      what: "shape [0], no axes",
      inputs: [nothing([0])],
      call: (k, x) => k[name](x, []),
      result: nothing([0]),
      gradients: [nothing([0])],
    },
  ];
  if (name === "max" || name === "min")
    return givesEach(`${name}/empty`, "values-and-gradients", () => toNothing);
  const value = emptyReductions[name];
  return givesEach(`${name}/empty`, "values-and-gradients", () => [
    ...toNothing,
    {
      what: "shape [0], all axes",
      inputs: [nothing([0])],
      call: (k, x) => k[name](x),
      result: tensor([], value),
      gradients: [nothing([0])],
    },
    {
      what: "shape [2, 0, 3], axes [-2]",
      inputs: [nothing([2, 0, 3])],
      call: (k, x) => k[name](x, [-2]),
      result: entries([2, 3], () => value),
      gradients: [nothing([2, 0, 3])],
    },
    {
      what: "shape [2, 0], axes [1, 0], keep",
      inputs: [nothing([2, 0])],
      call: (k, x) => k[name](x, [1, 0], "keep"),
      result: tensor([1, 1], value),
      gradients: [nothing([2, 0])],
    },
  ]);
}

const specialRows: Readonly<
  Record<Reduction, readonly [row: readonly number[], result: number][]>
> = {
  sum: [
    [[Infinity, 1, 2], Infinity],
    [[Infinity, 1, -Infinity], NaN],
    [[1, NaN, 2], NaN],
  ],
  mean: [
    [[1, -Infinity, 2], -Infinity],
    [[3, Infinity, 2], Infinity],
    [[Infinity, 1, -Infinity], NaN],
    [[1, 2, NaN], NaN],
  ],
  max: [
    [[-Infinity, -Infinity, -Infinity], -Infinity],
    [[-Infinity, -3, -2], -2],
    [[1, Infinity, 2], Infinity],
    [[-1e30, -2e30, -3e30], -1e30],
  ],
  min: [
    [[Infinity, Infinity, Infinity], Infinity],
    [[Infinity, 3, 2], 2],
    [[1, -Infinity, 2], -Infinity],
    [[1e30, 2e30, 3e30], 1e30],
  ],
};

function reductionCasesOf(name: Reduction): ConformanceCase[] {
  return [
    ...shapesOfRank.flatMap((shapes, rank) =>
      givesEach(`${name}/rank-${rank}`, "values-and-gradients", () =>
        shapes.flatMap((shape) => reductionsOf(name, shape)),
      ),
    ),
    ...emptyCases(name),
    ...givesEach(`${name}/special-values`, "values", () =>
      specialRows[name].map(([row, result]) => ({
        what: show(row.map(String)),
        inputs: [tensor([1, 3], ...row)],
        call: (k, x) => k[name](x, [1]),
        result: tensor([1], result),
      })),
    ),
  ];
}

/** x sorted along an axis: where each entry of the result comes from decides its gradient. */
function sorting(x: Values, axis: number, given: number): Trial {
  const along = (index: Index, i: number) => index.map((at, a) => (a === axis ? i : at));
  const origin = new Map<string, Index>();
  for (const index of indicesOf(x.shape).filter((at) => at[axis] === 0))
    Array.from({ length: x.shape[axis] ?? 0 }, (_, i) => along(index, i))
      // JavaScript sorts equal entries in their order.
      .sort((i, j) => entryAt(x, i) - entryAt(x, j))
      .forEach((from, i) => origin.set(along(index, i).join(), from));
  const from = (index: Index) => origin.get(index.join()) ?? [];
  const weights = upstream(x.shape);
  return {
    what: `shape ${show(x.shape)}, axis ${given}`,
    inputs: [x],
    call: (k, a) => k.sort(a, given),
    result: entries(x.shape, (index) => entryAt(x, from(index))),
    gradients: [
      adding(
        x.shape,
        indicesOf(x.shape).map((index) => [from(index), entryAt(weights, index)]),
      ),
    ],
  };
}

const sortCases: readonly ConformanceCase[] = [
  ...[1, 2, 3, 4].flatMap((rank) =>
    givesEach(
      `sort/rank-${rank}`,
      "values-and-gradients",
      () =>
        (shapesOfRank[rank] ?? []).flatMap((shape) =>
          // Distinct values, then values of which every third is the same.
          [
            sample(shape, 1),
            entries(shape, (index) => (index.reduce((a, b) => a + b, 0) * 5) % 3),
          ].flatMap((x) =>
            shape.flatMap((_, axis) => [
              sorting(x, axis, axis),
              sorting(x, axis, axis - shape.length),
            ]),
          ),
        ),
      ["sort"],
    ),
  ),
  ...givesEach(
    "sort/ties-of-many",
    "values-and-gradients",
    // Long enough that a sort which is not stable does not keep the order by chance.
    () => [
      sorting(
        entries([40], ([i = 0]) => (i * 7) % 4),
        0,
        0,
      ),
    ],
    ["sort"],
  ),
  ...givesEach(
    "sort/infinities",
    "values-and-gradients",
    () => [sorting(tensor([5], 1, Infinity, -2, -Infinity, 0.5), 0, -1)],
    ["sort"],
  ),
  ...givesEach(
    "sort/empty",
    "values-and-gradients",
    () =>
      [nothing([0]), nothing([2, 0]), nothing([0, 3])].map((x) => ({
        what: `shape ${show(x.shape)}`,
        inputs: [x],
        call: (k, a) => k.sort(a, -1),
        result: x,
        gradients: [x],
      })),
    ["sort"],
  ),
];

/** Means over the last axis of cosines and sines, by the definition. */
function meansOf(x: Values, step: number, harmonics: readonly number[]): Trial {
  const samples = x.shape.at(-1) ?? 0;
  const lead = x.shape.slice(0, -1);
  const shape = [...lead, 2 * harmonics.length];
  const wave = (i: number) => (i % 2 === 0 ? Math.cos : Math.sin);
  const rate = (i: number) => (harmonics[Math.floor(i / 2)] ?? NaN) * step;
  const weights = upstream(shape);
  return {
    what: `shape ${show(x.shape)}, step ${step}, harmonics ${show(harmonics)}`,
    inputs: [x],
    call: (k, a) => k.characteristicMeans(a, step, Object.freeze([...harmonics])),
    result: entries(shape, (index) => {
      const i = index.at(-1) ?? 0;
      const values = Array.from({ length: samples }, (_, n) =>
        wave(i)(rate(i) * entryAt(x, [...index.slice(0, -1), n])),
      );
      return values.reduce((sum, value) => sum + value, 0) / samples;
    }),
    gradients: [
      entries(x.shape, (index) => {
        const at = entryAt(x, index);
        const terms = Array.from({ length: 2 * harmonics.length }, (_, i) => {
          const slope = i % 2 === 0 ? -Math.sin(rate(i) * at) : Math.cos(rate(i) * at);
          return (entryAt(weights, [...index.slice(0, -1), i]) * rate(i) * slope) / samples;
        });
        return terms.reduce((sum, term) => sum + term, 0);
      }),
    ],
  };
}

const meansCases: readonly ConformanceCase[] = [
  ...[1, 2, 3, 4].flatMap((rank) =>
    givesEach(
      `characteristicMeans/rank-${rank}`,
      "values-and-gradients",
      () =>
        (shapesOfRank[rank] ?? []).flatMap((shape) => [
          meansOf(sample(shape, 1), 0.25, [1, 2, 3]),
          meansOf(sample(shape, 2), 1, [2]),
        ]),
      ["characteristicMeans"],
    ),
  ),
  ...givesEach(
    "characteristicMeans/steps-and-harmonics",
    "values-and-gradients",
    () => {
      const x = sample([2, 5], 3);
      return [
        meansOf(x, -0.5, [1, 2]),
        meansOf(x, 0, [1, 2]),
        meansOf(x, 0.3, [3, 1, 1, 5]),
        meansOf(
          x,
          0.2,
          Array.from({ length: 17 }, (_, i) => i + 1),
        ),
      ];
    },
    ["characteristicMeans"],
  ),
  ...gives(
    "characteristicMeans/special-values",
    [tensor([4, 1], 0, NaN, Infinity, -Infinity)],
    (k, x) => k.characteristicMeans(x, 1, [1]),
    tensor([4, 2], 1, 0, NaN, NaN, NaN, NaN, NaN, NaN),
    ["characteristicMeans"],
  ),
  ...givesEach(
    "characteristicMeans/no-rows",
    "values-and-gradients",
    () => [
      {
        what: "shape [0, 3]",
        inputs: [nothing([0, 3])],
        call: (k, x) => k.characteristicMeans(x, 1, [1, 2]),
        result: nothing([0, 4]),
        gradients: [nothing([0, 3])],
      },
    ],
    ["characteristicMeans"],
  ),
];

/** Functions that go along axes: every set of axes at ranks 0 to 4, from either end. */
export const axisCases: readonly ConformanceCase[] = [
  ...(["sum", "mean", "max", "min"] as const).flatMap(reductionCasesOf),
  ...sortCases,
  ...meansCases,
];
