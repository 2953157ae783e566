import type * as tf from "@tensorflow/tfjs-core";
import "@tensorflow/tfjs-backend-cpu";
import * as errors from "@lejepa/tensor/error";
import * as float64Entry from "@lejepa/tensor/float64";
import * as jaxEntry from "@lejepa/tensor/jax";
import * as shapes from "@lejepa/tensor/shapes";
import * as tfjsEntry from "@lejepa/tensor/tfjs";
import type { GradientRule, TensorAdapter } from "@lejepa/tensor";
import { describe, expect, test } from "vitest";
import { faultsOf, functionsOf, works, type ArgumentRow } from "../../../tools/bad-arguments.js";

// What it computes does not matter: arguments are refused before it is called.
const characteristicMeans = (x: tf.Tensor) => x;
const processes = { count: 1, allReduceMean: (x: never) => x };
const makers: ArgumentRow[] = [
  { name: "float64Adapter", call: float64Entry.float64Adapter, args: [] },
  { name: "jaxAdapter", call: jaxEntry.jaxAdapter, args: [] },
  {
    name: "tfjsAdapter",
    call: tfjsEntry.tfjsAdapter,
    args: [{ characteristicMeans, processes }],
    options: 0,
    allowed: {
      0: ["nothing", "an object", "an object without prototype", "a date"],
      characteristicMeans: ["nothing", "a function"],
      processes: ["nothing"],
    },
  },
];

const anyOperation = { 0: "all" } as const;
const shapeRows: ArgumentRow[] = [
  { name: "sizeOf", call: shapes.sizeOf, args: [[2, 3]], allowed: { 0: ["an array"] } },
  { name: "checkCount", call: shapes.checkCount, args: ["op", 6, [2, 3]], allowed: anyOperation },
  {
    name: "checkShape",
    call: shapes.checkShape,
    args: ["op", [2, 3]],
    allowed: { 0: "all", 1: ["an array"] },
  },
  {
    name: "broadcastShape",
    call: shapes.broadcastShape,
    args: ["op", [2, 3], [1, 3]],
    allowed: { 0: "all", 1: ["an array"], 2: ["an array"] },
  },
  {
    name: "resolveAxis",
    call: shapes.resolveAxis,
    args: ["op", 0, 2],
    allowed: { 0: "all", 1: ["-1"] },
  },
  {
    name: "resolveAxes",
    call: shapes.resolveAxes,
    args: ["op", [0], 2],
    allowed: { 0: "all", 1: ["nothing", "an array"] },
  },
  {
    name: "checkNotEmpty",
    call: shapes.checkNotEmpty,
    args: ["op", [2, 3], [0]],
    allowed: { 0: "all", 1: ["an array"], 2: ["an array"] },
  },
  {
    name: "reducedShape",
    call: shapes.reducedShape,
    args: [[2, 3], [0], "keep"],
    allowed: { 0: ["an array"], 1: ["an array"] },
  },
  {
    name: "matMulSizes",
    call: shapes.matMulSizes,
    args: [[2, 3], [3, 4], false, false],
    allowed: { 2: ["true"], 3: ["true"] },
  },
  {
    name: "resolvePermutation",
    call: shapes.resolvePermutation,
    args: [[1, 0], 2],
    allowed: { 0: ["nothing"] },
  },
  { name: "checkSlice", call: shapes.checkSlice, args: [[2], [0], [1]] },
  { name: "concatShape", call: shapes.concatShape, args: [[[2], [3]], 0], allowed: { 1: ["-1"] } },
  {
    name: "checkIndices",
    call: shapes.checkIndices,
    args: [[0, 1], 2],
    allowed: { 0: ["an array", "a Float64Array", "a Uint8Array"] },
  },
  { name: "checkHarmonics", call: shapes.checkHarmonics, args: [[2], [1]] },
  { name: "checkScalar", call: shapes.checkScalar, args: [[]], allowed: { 0: ["an array"] } },
  { name: "checkGradients", call: shapes.checkGradients, args: [[[2]], [[2]]] },
];

test("every function of the entries has a row", () => {
  const ofEntries = [float64Entry, jaxEntry, tfjsEntry].flatMap(functionsOf);
  expect(makers.map(({ name }) => name).sort()).toEqual(ofEntries.sort());
  expect(shapeRows.map(({ name }) => name).sort()).toEqual(functionsOf(shapes));
  // What authors of adapters report by: neither has arguments to refuse.
  expect(functionsOf(errors)).toEqual(["said", "unsupported"]);
});

test.each([...makers, ...shapeRows])(
  "$name refuses what is none of its arguments, by one sentence with a code",
  async (row) => {
    expect(await works(row)).toBe(true);
    expect(await faultsOf(row)).toEqual([]);
  },
);

/** A call of every method of the contract. */
function rowsOf<T>(k: TensorAdapter<T>): ArgumentRow[] {
  const method =
    (name: keyof TensorAdapter<T>) =>
    (...args: never[]): unknown =>
      (k[name] as (...args: never[]) => unknown)(...args);
  const x = () => k.fromArray([1, 2, 3, 4, 5, 6], [2, 3]);
  const rule: GradientRule<T> = {
    forward: ([a]) => ({ value: k.mul(a!, 1), saved: [] }),
    backward: (dy) => [dy],
  };
  const numbers = ["NaN", "Infinity", "-1", "1.5"];
  const binary = (
    name: "add" | "sub" | "mul" | "div" | "maximum" | "minimum" | "greaterEqual",
  ) => ({
    name,
    call: method(name),
    args: [x(), x()],
    allowed: { 0: numbers, 1: numbers },
  });
  const unary = (
    name: "neg" | "abs" | "square" | "exp" | "log" | "sqrt" | "sin" | "cos" | "tanh",
  ) => ({ name, call: method(name), args: [x()] });
  const reduce = (name: "sum" | "mean" | "max" | "min") => ({
    name,
    call: method(name),
    args: [x(), [0], "keep"],
    allowed: { 1: ["nothing", "an array"], 2: ["nothing"] },
  });
  return [
    {
      name: "fromArray",
      call: method("fromArray"),
      args: [[1, 2, 3], [3]],
      allowed: { 0: ["a Float64Array", "a Uint8Array"] },
    },
    {
      name: "fill",
      call: method("fill"),
      args: [[2], 1],
      allowed: { 0: ["an array"], 1: numbers },
    },
    { name: "read", call: method("read"), args: [x()] },
    { name: "readSync", call: method("readSync"), args: [x()] },
    { name: "shape", call: method("shape"), args: [x()] },
    ...(["add", "sub", "mul", "div", "maximum", "minimum", "greaterEqual"] as const).map(binary),
    {
      name: "where",
      call: method("where"),
      args: [k.greaterEqual(x(), 2), x(), x()],
      allowed: { 1: numbers, 2: numbers },
    },
    ...(["neg", "abs", "square", "exp", "log", "sqrt", "sin", "cos", "tanh"] as const).map(unary),
    ...(["sum", "mean", "max", "min"] as const).map(reduce),
    {
      name: "matMul",
      call: method("matMul"),
      args: [x(), x(), { transposeB: true }],
      options: 2,
      allowed: { transposeB: ["true"] },
    },
    { name: "reshape", call: method("reshape"), args: [x(), [3, 2]] },
    {
      name: "transpose",
      call: method("transpose"),
      args: [x(), [1, 0]],
      allowed: { 1: ["nothing"] },
    },
    { name: "slice", call: method("slice"), args: [x(), [0, 0], [1, 1]] },
    { name: "concat", call: method("concat"), args: [[x(), x()], 0], allowed: { 1: ["-1"] } },
    {
      name: "gather",
      call: method("gather"),
      args: [x(), [0, 1, 1], 0],
      allowed: { 1: ["an array", "a Float64Array", "a Uint8Array"], 2: ["-1"] },
    },
    { name: "scope", call: method("scope"), args: [() => 1], allowed: { 0: ["a function"] } },
    {
      name: "valueAndGrad",
      call: method("valueAndGrad"),
      args: [(a: T) => k.sum(a), [x()]],
    },
    { name: "customGradient", call: method("customGradient"), args: [rule, [x()]] },
    ...(k.capabilities.includes("sort")
      ? [{ name: "sort", call: method("sort"), args: [x(), 0], allowed: { 1: ["-1"] } }]
      : []),
    ...(k.capabilities.includes("characteristicMeans")
      ? [
          {
            name: "characteristicMeans",
            call: method("characteristicMeans"),
            args: [x(), 0.1, [1, 2]],
            allowed: { 1: numbers },
          },
        ]
      : []),
    ...(k.capabilities.includes("allReduceMean")
      ? [{ name: "allReduceMean", call: method("allReduceMean"), args: [x()] }]
      : []),
    { name: "dispose", call: method("dispose"), args: [x()] },
  ];
}

const adapters = [
  float64Entry.float64Adapter(),
  tfjsEntry.tfjsAdapter({
    characteristicMeans,
    processes: { count: 1, allReduceMean: (x) => x.clone() },
  }),
  jaxEntry.jaxAdapter(),
] as unknown as TensorAdapter<unknown>[];

describe.each(adapters)("the $name adapter", (k) => {
  test("has a row for every method that it has", () => {
    const methods = functionsOf(k).filter(
      (name) =>
        !["sort", "characteristicMeans", "allReduceMean"].includes(name) ||
        (k.capabilities as readonly string[]).includes(name),
    );
    expect(
      rowsOf(k)
        .map(({ name }) => name)
        .sort(),
    ).toEqual(methods);
  });

  test.each(rowsOf(k))(
    "$name refuses what is none of its arguments, by one sentence with a code",
    async (row) => {
      expect(await faultsOf(row)).toEqual([]);
    },
  );
});
