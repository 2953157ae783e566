/** Which promise of each function is tried how: seen by watching the cases run, not by what their titles say. */
import { beforeAll, expect, test } from "vitest";
import type { TensorAdapter } from "@lejepa/tensor";
import { conformanceCases, runConformance } from "@lejepa/tensor/conformance";
import type { Float64Tensor } from "@lejepa/tensor/float64";
import { isTensor, loneAdapter, tensorsIn } from "./whole-adapter.js";

type Adapter = TensorAdapter<Float64Tensor>;
type Fact = "contractVersion" | "name" | "precision" | "capabilities" | "processes";
type Method = Exclude<keyof Adapter, Fact>;

const aspects = [
  ...["rank 0", "rank 1", "rank 2", "rank 3", "rank 4"],
  ...["negative axes", "size-1 axes", "several axes", "repeated indices", "no entries"],
  ...["gradient at rank 0", "gradient at rank 1", "gradient at rank 2", "gradient at rank 3"],
  ...["gradient at rank 4", "upstream gradient neither 1 nor equal", "not finite", "refusal"],
  ...["inputs stay", "result outlives inputs", "inputs outlive result", "reads are copies"],
  "lists are copied",
] as const;
type Aspect = (typeof aspects)[number];

/** What was seen, as "method: aspect", and the cases that it was seen in. */
const seen = new Map<string, Set<string>>();

/** Runs every case on an adapter that notes how its functions are called, each in the cases that bear its name. */
async function watch(): Promise<void> {
  const k = loneAdapter();
  let current = "";
  const note = (method: string, aspect: Aspect) => {
    if (!current.startsWith(`${method}/`)) return;
    const key = `${method}: ${aspect}`;
    seen.set(key, (seen.get(key) ?? new Set()).add(current));
  };
  const noteShape = (method: string, shape: readonly number[]) => {
    if (shape.length <= 4) note(method, `rank ${shape.length}` as Aspect);
    if (shape.length > 0 && shape.includes(1)) note(method, "size-1 axes");
    if (shape.includes(0)) note(method, "no entries");
  };
  const noteAxes = (method: string, given: unknown) => {
    const axes = typeof given === "number" ? [given] : Array.isArray(given) ? given : [];
    if (axes.some((axis) => typeof axis === "number" && axis < 0)) note(method, "negative axes");
    if (axes.length > 1) note(method, "several axes");
  };
  /** Where in its arguments a function has its axes. */
  const axesAt: Partial<Record<Method, number>> = {
    ...{ sum: 1, mean: 1, max: 1, min: 1, transpose: 1, concat: 1, sort: 1, gather: 2 },
  };
  /** The tensors that were made by a call, of what, and what has happened to them. */
  interface Made {
    readonly method: string;
    readonly inputs: readonly Float64Tensor[];
    readonly from: string;
  }
  const made = new Map<Float64Tensor, Made>();
  const disposed = new Set<Float64Tensor>();
  const changedReads = new Map<Float64Tensor, ArrayLike<number>>();
  const lists: { list: ArrayLike<unknown>; before: readonly unknown[]; method: string }[] = [];

  const watched = Object.fromEntries(
    (Object.keys(k) as (keyof Adapter)[]).map((name) => {
      const value = (k as unknown as Readonly<Record<string, unknown>>)[name];
      if (typeof value !== "function") return [name, value];
      const call = value as (...args: unknown[]) => unknown;
      return [
        name,
        (...args: unknown[]) => {
          const tensors = tensorsIn(args);
          for (const x of tensors) {
            noteShape(name, x.shape);
            if (x.data.some((v) => !Number.isFinite(v))) note(name, "not finite");
          }
          if (name in axesAt) noteAxes(name, args[axesAt[name as Method]!]);
          if (name === "fromArray" || name === "fill")
            noteShape(name, args[name === "fill" ? 0 : 1] as number[]);
          if (
            name === "fromArray" &&
            Array.from(args[0] as number[]).some((v) => !Number.isFinite(v))
          )
            note(name, "not finite");
          if (name === "fill" && !Number.isFinite(args[1])) note(name, "not finite");
          if (name === "gather") {
            const indices = Array.from(args[1] as number[]);
            if (new Set(indices).size < indices.length) note(name, "repeated indices");
          }
          for (const { list, before, method } of lists)
            if (before.some((entry, i) => !Object.is(entry, list[i])))
              note(method, "lists are copied");
          for (const arg of args)
            if (
              Array.isArray(arg) ||
              arg instanceof Int32Array ||
              arg instanceof Float32Array ||
              arg instanceof Float64Array
            )
              lists.push({
                list: arg as ArrayLike<unknown>,
                before: Array.from(arg as ArrayLike<unknown>),
                method: name,
              });
          // The last few are enough, and quick to compare.
          lists.splice(0, Math.max(0, lists.length - 8));
          let result: unknown;
          try {
            result = call(...args);
          } catch (error) {
            if ((error as { name?: unknown }).name === "LejepaError") note(name, "refusal");
            throw error;
          }
          if (name === "scope" && isTensor(result)) noteShape(name, result.shape);
          if (name === "dispose") for (const x of tensors) disposed.add(x);
          if (name === "read" || name === "readSync") {
            const [x] = tensors as [Float64Tensor];
            const maker = made.get(x);
            // What is read after a read was overwritten, of the same tensor.
            const last = changedReads.get(x);
            if (last !== undefined && Array.from(last).join() !== x.data.join()) {
              note(name, "reads are copies");
              if (maker) note(maker.method, "reads are copies");
            }
            if (
              maker?.inputs.some((input) => disposed.has(input)) ||
              (maker && maker.inputs.length === 0)
            )
              note(maker.method, "result outlives inputs");
            for (const { method, inputs, from } of made.values())
              if (from === current && inputs.includes(x)) note(method, "inputs stay");
            for (const [y, { method, inputs }] of made)
              if (disposed.has(y) && inputs.includes(x)) note(method, "inputs outlive result");
            const keep = (data: ArrayLike<number>) => void changedReads.set(x, data);
            if (result instanceof Promise) void result.then(keep);
            else keep(result as ArrayLike<number>);
          }
          const results = isTensor(result)
            ? [result]
            : name === "valueAndGrad"
              ? tensorsIn(Object.values(result as object))
              : [];
          for (const y of results)
            made.set(y, { method: name, inputs: [...tensors], from: current });
          if (name === "valueAndGrad") {
            for (const g of (result as { grads: Float64Tensor[] }).grads)
              note(name, `gradient at rank ${g.shape.length}` as Aspect);
          }
          // What comes from above, by a rule that hands it on. A rule's own inputs stay as they are.
          if (!isTensor(result) || name === "fill" || name === "fromArray") return result;
          const before = made.get(result)!;
          const through = k.customGradient(
            {
              forward: ([y]) => ({ value: y!, saved: [] }),
              backward: (dy) => {
                if (dy.shape.length <= 4)
                  note(
                    name,
                    `gradient at rank ${Math.max(...tensors.map((x) => x.shape.length), 0)}` as Aspect,
                  );
                if (new Set(dy.data).size > 1 && !dy.data.includes(1))
                  note(name, "upstream gradient neither 1 nor equal");
                return [dy];
              },
            },
            [result],
          );
          made.set(through, before);
          return through;
        },
      ];
    }),
  ) as unknown as Adapter;
  for (const one of conformanceCases) {
    current = one.id;
    made.clear();
    disposed.clear();
    changedReads.clear();
    lists.length = 0;
    const { results } = await runConformance(watched, [one]);
    if (results[0]?.status === "failed") throw new Error(`${one.id}: ${results[0].reason}`);
  }
}
beforeAll(watch);

const methods = [...new Set(conformanceCases.map(({ id }) => id.split("/")[0] as Method))].filter(
  (name) => (name as string) !== "contract",
);

const elementwise: readonly Method[] = [
  ...(["neg", "abs", "square", "exp", "log", "sqrt", "sin", "cos", "tanh"] as const),
  ...(["add", "sub", "mul", "div", "maximum", "minimum", "greaterEqual", "where"] as const),
];
const unary = elementwise.slice(0, 9);
const inOut: readonly Method[] = [
  "fromArray",
  "fill",
  "read",
  "readSync",
  "shape",
  "scope",
  "dispose",
];
const noAxes: readonly Method[] = [
  ...elementwise,
  ...inOut,
  ...(["matMul", "reshape", "slice", "valueAndGrad", "customGradient"] as const),
  ...(["allReduceMean", "characteristicMeans"] as const),
];
const gradientRanks = [0, 1, 2, 3, 4].map((rank) => `gradient at rank ${rank}` as Aspect);

/** Why a function is not tried in some way. */
const reasons: readonly (readonly [
  aspect: Aspect | readonly Aspect[],
  why: string,
  of: readonly Method[],
])[] = [
  ["negative axes", "it is not told any axes", noAxes],
  ["several axes", "it is not told any axes, or one", [...noAxes, "concat", "gather", "sort"]],
  ["repeated indices", "it is not told any indices", methods.filter((name) => name !== "gather")],
  [
    [...gradientRanks, "upstream gradient neither 1 nor equal"],
    "it makes or reads tensors and has no operand to differentiate by, or hands on what others made",
    inOut,
  ],
  [
    "gradient at rank 0",
    "a scalar has no axis for it, and is refused",
    ["concat", "gather", "sort", "characteristicMeans"],
  ],
  [
    ["gradient at rank 0", "gradient at rank 1"],
    "its operands are matrices, others are refused",
    ["matMul"],
  ],
  [
    "upstream gradient neither 1 nor equal",
    "the value that it differentiates is one number, whose gradient is 1",
    ["valueAndGrad"],
  ],
  ["not finite", "it looks at no value", ["shape", "scope", "dispose"]],
  ["not finite", "what it gives is what the functions inside give", ["valueAndGrad"]],
  [
    "not finite",
    "an adapter may compose it of a gradient that has to be finite, as that of jax-js does",
    ["customGradient"],
  ],
  [
    "refusal",
    "no tensor has a shape that it refuses",
    [...unary, "read", "readSync", "shape", "scope", "dispose", "allReduceMean"],
  ],
  ["refusal", "it is refused when the gradient is asked for, by valueAndGrad", ["customGradient"]],
  [
    "inputs stay",
    "it has no tensors for inputs, or gives none",
    ["fromArray", "fill", "read", "readSync", "shape", "scope", "dispose"],
  ],
  ["result outlives inputs", "its result is no tensor", ["read", "readSync", "shape", "dispose"]],
  [
    "inputs outlive result",
    "it has no tensors for inputs, or gives none",
    ["fromArray", "fill", "read", "readSync", "shape", "scope", "dispose"],
  ],
  [
    "reads are copies",
    "it gives nothing to read; the list of sizes is read-only",
    ["shape", "dispose"],
  ],
  [
    "lists are copied",
    "it is not given a list",
    [
      ...elementwise,
      "matMul",
      "sort",
      "allReduceMean",
      "read",
      "readSync",
      "shape",
      "scope",
      "dispose",
    ],
  ],
];

test("each function is tried in every way, or there is a reason why not", () => {
  const problems = methods.flatMap((method) =>
    aspects.flatMap((aspect) => {
      const tried = [...(seen.get(`${method}: ${aspect}`) ?? [])];
      const why = reasons.filter(
        ([which, , of]) => [which].flat().includes(aspect) && of.includes(method),
      );
      if (tried.length > 0 && why.length > 0)
        return [`${method}: ${aspect}: has a reason, and ${tried[0]}`];
      return tried.length === 0 && why.length === 0
        ? [`${method}: ${aspect}: neither a case nor a reason`]
        : [];
    }),
  );
  expect(problems).toEqual([]);
  expect(methods).toHaveLength(39);
});

test("a function without a case for some way is noticed", () => {
  // As many as there are: no aspect is one that nothing is tried in.
  expect(
    aspects.filter((aspect) => !methods.some((method) => seen.has(`${method}: ${aspect}`))),
  ).toEqual([]);
  expect(seen.get("where: gradient at rank 3")).toContain("where/rank-3/gradient");
  expect(seen.get("gather: repeated indices")).toContain("gather/rank-1/gradient");
  expect(seen.get("mean: negative axes")).toContain("mean/rank-2");
});
