/** Sums, means, extremes and scans over axes. */
import {
  util,
  type AllAttrs,
  type AllInputs,
  type ArgMaxAttrs,
  type ArgMaxInputs,
  type BincountAttrs,
  type BincountInputs,
  type CumprodAttrs,
  type CumprodInputs,
  type CumsumAttrs,
  type CumsumInputs,
  type DenseBincountAttrs,
  type DenseBincountInputs,
  type MaxAttrs,
  type MaxInputs,
  type SoftmaxAttrs,
  type SoftmaxInputs,
  type SumAttrs,
  type SumInputs,
  type TopKAttrs,
  type TopKInputs,
} from "@tensorflow/tfjs-core";
import { positiveAxis, type GraphBuilder } from "../graph/builder.js";
import { sizeOf, type Value } from "../graph/graph.js";
import { kernel, refuse } from "./kernel.js";

type ReduceOp = "ReduceSum" | "ReduceMean" | "ReduceMax" | "ReduceMin" | "ReduceProd";

function reduce(
  g: GraphBuilder,
  op: ReduceOp,
  x: Value,
  axis: number | number[],
  keepDims: boolean | undefined,
): Value {
  const axes = util.parseAxisParam(axis, [...x.shape]);
  if (axes.length === 0) return g.unary("Identity", x);
  const narrow = columnSums(g, op, x, axes);
  if (narrow === undefined) return g.reduce(op, x, axes, keepDims ? "keep" : "drop");
  return g.reshape(
    narrow,
    keepDims
      ? x.shape.map((length, i) => (axes.includes(i) ? 1 : length))
      : x.shape.slice(axes.length),
  );
}

/** Rows that one product with a row of ones adds up. */
const rowsAtOnce = 64;

/** Sums over the leading axes as products with a row of ones, [1, R] x [R, C]: a ReduceSum over rows took 0.70 ms
 *  where this takes 0.11. Rows are added 64 at a time and the sums of those then, which also rounds less. */
function columnSums(
  g: GraphBuilder,
  op: ReduceOp,
  x: Value,
  axes: readonly number[],
): Value | undefined {
  if (op !== "ReduceSum" && op !== "ReduceMean") return undefined;
  const leading = [...axes].sort((a, b) => a - b).every((axis, i) => axis === i);
  const rows = sizeOf(x.shape.slice(0, axes.length));
  const columns = sizeOf(x.shape.slice(axes.length));
  if (!leading || x.dtype !== "float32" || rows < 1024 || rows % rowsAtOnce || columns < 4)
    return undefined;
  const blocks = rows / rowsAtOnce;
  const weight = op === "ReduceSum" ? 1 : 1 / rows;
  const wide = g.reshape(x, [rowsAtOnce, blocks * columns]);
  const sums = g.gemm(g.uniform(weight, [1, rowsAtOnce]), wide);
  return g.reduce("ReduceSum", g.reshape(sums, [blocks, columns]), [0], "drop");
}

const reduction = (op: ReduceOp) =>
  kernel<SumInputs, SumAttrs>(({ x }, { axis, keepDims }, g) => reduce(g, op, x, axis, keepDims));

/** Whether any or all are true, as the largest or smallest of 0 and 1. */
const truth = (op: ReduceOp) =>
  kernel<AllInputs, AllAttrs>(({ x }, { axis, keepDims }, g) =>
    g.cast(reduce(g, op, g.cast(x, "int32"), axis, keepDims), "bool"),
  );

/** The extreme, or NaN where there is one, as in tfjs; onnxruntime's is NaN only where that comes first. */
function extreme(
  g: GraphBuilder,
  op: "ReduceMax" | "ReduceMin",
  x: Value,
  axis: number | number[],
  keepDims: boolean | undefined,
): Value {
  requireElements(x, util.parseAxisParam(axis, [...x.shape]));
  if (x.dtype === "bool") return g.cast(extreme(g, op, g.cast(x, "int32"), axis, keepDims), "bool");
  const y = reduce(g, op, x, axis, keepDims);
  if (x.dtype !== "float32") return y;
  const none = g.cast(g.op("IsNaN", [x], x.shape, "bool"), "float32");
  const any = g.cast(reduce(g, "ReduceMax", none, axis, keepDims), "bool");
  return g.where(any, g.uniform(NaN), y);
}

/** tfjs reads what lies behind the tensor. */
function requireElements({ shape }: Value, axes: readonly number[]): void {
  const isEmpty = (axis: number): boolean => shape[axis] === 0;
  if (axes.some(isEmpty) && !shape.some((_, axis) => isEmpty(axis) && !axes.includes(axis)))
    throw new Error(
      `There is no largest or smallest of [${shape.join(", ")}]; leave the tensor out, as its shape is known when the step is written.`,
    );
}

/** The place of the extreme; NaN is passed over. */
const arg = (op: "ArgMax" | "ArgMin") =>
  kernel<ArgMaxInputs, ArgMaxAttrs>(({ x }, { axis }, g) => {
    const [at] = util.parseAxisParam(axis, [...x.shape]) as [number];
    requireElements(x, [at]);
    const shape = x.shape.filter((_, i) => i !== at);
    const worst = g.uniform(op === "ArgMax" ? -Infinity : Infinity);
    const numbers =
      x.dtype === "float32"
        ? g.where(g.op("IsNaN", [x], x.shape, "bool"), worst, x)
        : g.cast(x, "int32");
    return g.cast(g.op(op, [numbers], shape, "int64", { axis: at, keepdims: 0 }), "int32");
  });

/** How often, by how much weight in all, or whether each of 0 .. size - 1 is in x [N] or in each row of x [M, N]. */
function counts(
  g: GraphBuilder,
  x: Value,
  weights: Value,
  size: number,
  what: "counts" | "whether",
): Value {
  if (weights.dtype === "bool" && what === "counts")
    throw new Error(
      "counts do not fit into bool; cast the weights to int32 or float32 first (tf.cast).",
    );
  const columns = x.shape.at(-1)!;
  const each = [sizeOf(x.shape) / columns, columns, 1];
  const numbers = g.dense(
    Int32Array.from({ length: size }, (_, i) => i),
    [size],
    "int32",
  );
  const hits = g.compare("Equal", g.reshape(g.cast(x, "int32"), each), numbers);
  const weighed =
    sizeOf(weights.shape) > 0 && what === "counts"
      ? g.mul(g.cast(hits, "float32"), g.reshape(g.cast(weights, "float32"), each))
      : g.cast(hits, "float32");
  const sums = g.reduce(what === "whether" ? "ReduceMax" : "ReduceSum", weighed, [1], "drop");
  return g.cast(g.reshape(sums, [...x.shape.slice(0, -1), size]), weights.dtype);
}

export const reductions = {
  Sum: reduction("ReduceSum"),
  Mean: kernel<SumInputs, SumAttrs>(({ x }, { axis, keepDims }, g) =>
    reduce(g, "ReduceMean", g.cast(x, "float32"), axis, keepDims),
  ),
  Prod: reduction("ReduceProd"),
  Max: kernel<MaxInputs, MaxAttrs>(({ x }, { reductionIndices, keepDims }, g) =>
    extreme(g, "ReduceMax", x, reductionIndices, keepDims),
  ),
  // tf.min calls it axis, whatever tfjs's declaration says.
  Min: kernel<SumInputs, SumAttrs>(({ x }, { axis, keepDims }, g) =>
    extreme(g, "ReduceMin", x, axis, keepDims),
  ),
  All: truth("ReduceMin"),
  Any: truth("ReduceMax"),
  ArgMax: arg("ArgMax"),
  ArgMin: arg("ArgMin"),
  Cumsum: kernel<CumsumInputs, CumsumAttrs>(({ x }, { axis, exclusive, reverse }, g) =>
    g.op(
      "CumSum",
      [x, g.uniform(positiveAxis(axis, x.shape.length), [], "int64")],
      x.shape,
      x.dtype,
      { exclusive: exclusive ? 1 : 0, reverse: reverse ? 1 : 0 },
    ),
  ),
  // ONNX has none: products of 1, 2, 4, .. neighbours, each from two of half the length.
  Cumprod: kernel<CumprodInputs, CumprodAttrs>(({ x }, { axis, exclusive, reverse }, g) => {
    const at = positiveAxis(axis, x.shape.length);
    const length = x.shape[at]!;
    const shifted = (y: Value, by: number): Value => {
      const [from, to] = [x.shape.map(() => 0), [...x.shape]];
      if (reverse) from[at] = by;
      else to[at] = length - by;
      const kept = g.slice(y, from, to);
      const ones = g.uniform(1, x.shape.with(at, by), x.dtype);
      return g.concat(reverse ? [kept, ones] : [ones, kept], at);
    };
    if (exclusive && length === 1) return g.uniform(1, x.shape, x.dtype);
    let y = exclusive ? shifted(x, 1) : g.unary("Identity", x);
    for (let by = 1; by < length; by *= 2) y = g.mul(y, shifted(y, by));
    return y;
  }),
  // Values and places of the k largest along the last axis; equal values in the order they came, which onnxruntime
  // keeps only where it sorts.
  TopK: kernel<TopKInputs, TopKAttrs>(({ x }, { k, sorted }, g) => {
    void sorted;
    const shape = [...x.shape.slice(0, -1), k];
    const [values, places] = g.opMany(
      "TopK",
      [x, g.list([k])],
      [
        [shape, x.dtype],
        [shape, "int64"],
      ],
      { axis: x.shape.length - 1, largest: 1, sorted: 1 },
    ) as [Value, Value];
    return [values, g.cast(places, "int32")];
  }),
  Softmax: kernel<SoftmaxInputs, SoftmaxAttrs>(({ logits }, { dim }, g) =>
    g.unary("Softmax", logits, { axis: positiveAxis(dim, logits.shape.length) }),
  ),
  LogSoftmax: refuse("call tf.logSoftmax, which composes it"),
  Bincount: kernel<BincountInputs, BincountAttrs>(({ x, weights }, { size }, g) =>
    counts(g, g.reshape(x, [sizeOf(x.shape)]), weights, size, "counts"),
  ),
  DenseBincount: kernel<DenseBincountInputs, DenseBincountAttrs>(
    ({ x, weights }, { size, binaryOutput }, g) =>
      counts(g, x, weights, size, binaryOutput && x.shape.length === 2 ? "whether" : "counts"),
  ),
};
