/** Writes the operations of a lowered graph while inferring the shape and element type of each result, so that a
 *  lowering reads like array code and a wrong one fails where it is written. */
import type { CallSite } from "./call-site.js";
import { unfitTypes } from "./element-types.js";
import {
  newValue,
  sizeOf,
  type DType,
  type Graph,
  type GraphNode,
  type Literal,
  type Port,
  type Shape,
  type Value,
} from "./graph.js";

type Attributes = Readonly<Record<string, unknown>>;

/** An attribute that is a 32-bit float even where it is a whole number. */
export const float = (value: number) => ({ float: value });

export const microsoft = "com.microsoft";

export function broadcastShapes(a: Shape, b: Shape): number[] {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, axis) => {
    const x = a[axis - rank + a.length] ?? 1;
    const y = b[axis - rank + b.length] ?? 1;
    if (x !== y && x !== 1 && y !== 1)
      throw new Error(`Shapes [${a.join(", ")}] and [${b.join(", ")}] do not broadcast.`);
    return x === 1 ? y : x;
  });
}

/** Axes from the end, as tfjs and ONNX both allow them, made positive. */
export const positiveAxis = (axis: number, rank: number): number => (axis < 0 ? axis + rank : axis);

export class GraphBuilder {
  readonly #nodes: GraphNode[] = [];
  readonly #literals = new Map<Value, Literal>();
  /** Where the kernel that is being lowered was called. */
  site: CallSite | undefined;
  /** Its name. */
  kernel: string | undefined;
  /** What that kernel is a part of: a composite kernel of @lejepa/ops, or itself. */
  layer = "";

  /** @param blockSize Channels in a block of onnxruntime's blocked layout; undefined where that is not to be used. */
  constructor(readonly blockSize?: number) {}

  /** One operation with one result of the given shape and type. */
  op(
    op: string,
    inputs: readonly (Value | undefined)[],
    shape: Shape,
    dtype: DType,
    attributes: Attributes = {},
    domain = "",
  ): Value {
    const output = newValue(shape, dtype);
    this.#add({ op, domain, inputs, attributes, outputs: [output] });
    return output;
  }

  /** One operation with several results. */
  opMany(
    op: string,
    inputs: readonly (Value | undefined)[],
    results: readonly (readonly [Shape, DType])[],
    attributes: Attributes = {},
    domain = "",
  ): Value[] {
    const outputs = results.map(([shape, dtype]) => newValue(shape, dtype));
    this.#add({ op, domain, inputs, attributes, outputs });
    return outputs;
  }

  #add(node: GraphNode): void {
    const unfit = unfitTypes(node, (value) => this.#literals.has(value));
    if (unfit !== undefined)
      throw new Error(
        `there is no ${node.op} of ${unfit}; cast to ${unfit === "bool" ? "int32 or float32" : "float32"} first (tf.cast).`,
      );
    this.#nodes.push({ ...node, kernel: this.kernel, site: this.site });
  }

  literal(literal: Literal, shape: Shape, dtype: DType): Value {
    const value = newValue(shape, dtype);
    this.#literals.set(value, literal);
    return value;
  }

  /** The contents of a value that is a literal; undefined for everything else. */
  contents(value: Value): Literal | undefined {
    return this.#literals.get(value);
  }

  /** Tells the contents of a value that was made elsewhere. */
  know(value: Value, literal: Literal): void {
    this.#literals.set(value, literal);
  }

  uniform(value: number, shape: Shape = [], dtype: DType = "float32"): Value {
    return this.literal({ uniform: value }, shape, dtype);
  }

  dense(values: ArrayLike<number>, shape: Shape, dtype: DType): Value {
    return this.literal({ dense: values }, shape, dtype);
  }

  /** A list of whole numbers as ONNX takes shapes, axes and bounds. */
  list(values: readonly number[]): Value {
    return this.dense(values, [values.length], "int64");
  }

  /** A number of the type of `like`. */
  number(value: number, like: Value): Value {
    return this.uniform(value, [], like.dtype);
  }

  unary(op: string, x: Value, attributes: Attributes = {}): Value {
    return this.op(op, [x], x.shape, x.dtype, attributes);
  }

  binary(
    op: string,
    a: Value,
    b: Value,
    dtype: DType = a.dtype,
    attributes: Attributes = {},
  ): Value {
    return this.op(op, [a, b], broadcastShapes(a.shape, b.shape), dtype, attributes);
  }

  add(a: Value, b: Value): Value {
    return this.binary("Add", a, b);
  }
  sub(a: Value, b: Value): Value {
    return this.binary("Sub", a, b);
  }
  mul(a: Value, b: Value): Value {
    return this.binary("Mul", a, b);
  }
  div(a: Value, b: Value): Value {
    return this.binary("Div", a, b);
  }

  compare(op: "Equal" | "Greater" | "GreaterOrEqual" | "Less" | "LessOrEqual", a: Value, b: Value) {
    return this.binary(op, a, b, "bool");
  }

  where(condition: Value, yes: Value, no: Value): Value {
    const shape = broadcastShapes(condition.shape, broadcastShapes(yes.shape, no.shape));
    // onnxruntime has no Where of bool.
    if (yes.dtype === "bool")
      return this.binary(
        "Or",
        this.binary("And", condition, yes),
        this.binary("And", this.unary("Not", condition), no),
      );
    return this.op("Where", [condition, yes, no], shape, yes.dtype);
  }

  /** Doubles as whole numbers of 32 bits, as JavaScript stores them: without the fraction, modulo 2^32, and 0 for what is
   *  not finite. A cast alone gives the smallest number for all that do not fit. */
  toInt32(x: Value): Value {
    const finite = this.op("Mod", [x, this.number(2 ** 32, x)], x.shape, x.dtype, { fmod: 1 });
    // Of what is not finite the remainder is NaN.
    const none = this.op("IsNaN", [finite], x.shape, "bool");
    return this.cast(this.cast(this.where(none, this.number(0, x), finite), "int64"), "int32");
  }

  cast(x: Value, dtype: DType): Value {
    return x.dtype === dtype ? x : this.op("Cast", [x], x.shape, dtype, { to: { dtype } });
  }

  reshape(x: Value, shape: Shape): Value {
    if (sizeOf(shape) !== sizeOf(x.shape))
      throw new Error(`Cannot reshape [${x.shape.join(", ")}] to [${shape.join(", ")}].`);
    // Without it a length of 0 would mean the length that x has there.
    const attributes = shape.includes(0) ? { allowzero: 1 } : {};
    return this.op("Reshape", [x, this.list(shape)], shape, x.dtype, attributes);
  }

  transpose(x: Value, perm: readonly number[]): Value {
    return this.op(
      "Transpose",
      [x],
      perm.map((axis) => x.shape[axis]!),
      x.dtype,
      { perm },
    );
  }

  swapLastTwo(x: Value): Value {
    const perm = x.shape.map((_, axis) => axis);
    const rank = perm.length;
    [perm[rank - 2], perm[rank - 1]] = [rank - 1, rank - 2];
    return this.transpose(x, perm);
  }

  expand(x: Value, shape: Shape): Value {
    return this.op("Expand", [x, this.list(shape)], broadcastShapes(x.shape, shape), x.dtype);
  }

  concat(parts: readonly Value[], axis: number): Value {
    const [first] = parts as [Value];
    const at = positiveAxis(axis, first.shape.length);
    const length = parts.reduce((sum, part) => sum + part.shape[at]!, 0);
    const shape = first.shape.map((own, i) => (i === at ? length : own));
    return this.op("Concat", parts, shape, first.dtype, { axis: at });
  }

  /** x[begin : end : stride] on every axis; a negative stride with end -1 runs through index 0. */
  slice(
    x: Value,
    begin: readonly number[],
    end: readonly number[],
    stride?: readonly number[],
  ): Value {
    const strides = stride ?? begin.map(() => 1);
    const shape = begin.map((from, i) => Math.max(0, Math.ceil((end[i]! - from) / strides[i]!)));
    const ends = end.map((to, i) => (strides[i]! < 0 && to < 0 ? -(2 ** 31) : to));
    const axes = begin.map((_, axis) => axis);
    return this.op(
      "Slice",
      [x, this.list(begin), this.list(ends), this.list(axes), this.list(strides)],
      shape,
      x.dtype,
    );
  }

  split(x: Value, sizes: readonly number[], axis: number): Value[] {
    const shapes = sizes.map(
      (size) => [x.shape.map((own, i) => (i === axis ? size : own)), x.dtype] as const,
    );
    return this.opMany("Split", [x, this.list(sizes)], shapes, { axis });
  }

  /** Constant padding, [before, after] for each axis. */
  pad(x: Value, paddings: readonly (readonly [number, number])[], value: Value): Value {
    const shape = x.shape.map((own, i) => own + paddings[i]![0] + paddings[i]![1]);
    const pads = [...paddings.map(([before]) => before), ...paddings.map(([, after]) => after)];
    return this.op("Pad", [x, this.list(pads), value], shape, x.dtype, { mode: "constant" });
  }

  gather(x: Value, indices: Value, axis: number): Value {
    const shape = [...x.shape.slice(0, axis), ...indices.shape, ...x.shape.slice(axis + 1)];
    return this.op("Gather", [x, indices], shape, x.dtype, { axis });
  }

  reduce(
    op: "ReduceSum" | "ReduceMean" | "ReduceMax" | "ReduceMin" | "ReduceProd",
    x: Value,
    axes: readonly number[],
    keep: "keep" | "drop",
  ): Value {
    const reduced = x.shape.map((own, i) => (axes.includes(i) ? 1 : own));
    const shape = keep === "keep" ? reduced : x.shape.filter((_, i) => !axes.includes(i));
    return this.op(op, [x, this.list(axes)], shape, x.dtype, { keepdims: keep === "keep" ? 1 : 0 });
  }

  /** op(a) x op(b) of two matrices, transposed where asked, optionally times alpha. */
  gemm(a: Value, b: Value, transA: 0 | 1 = 0, transB: 0 | 1 = 0): Value {
    const shape = [a.shape[transA]!, b.shape[1 - transB]!];
    if (a.shape[1 - transA] !== b.shape[transB])
      throw new Error(`Cannot multiply [${a.shape.join(", ")}] by [${b.shape.join(", ")}].`);
    return this.op("Gemm", [a, b], shape, a.dtype, { transA, transB });
  }

  /** op(a) x op(b) on the last two axes, the others broadcast. */
  matMul(a: Value, b: Value, transA: 0 | 1 = 0, transB: 0 | 1 = 0): Value {
    const rows = a.shape.at(transA ? -1 : -2)!;
    const columns = b.shape.at(transB ? -2 : -1)!;
    const batch = broadcastShapes(a.shape.slice(0, -2), b.shape.slice(0, -2));
    const shape = [...batch, rows, columns];
    if (a.dtype !== "float32" || (!transA && !transB))
      return this.op(
        "MatMul",
        [transA ? this.swapLastTwo(a) : a, transB ? this.swapLastTwo(b) : b],
        shape,
        a.dtype,
      );
    return this.op("FusedMatMul", [a, b], shape, a.dtype, { transA, transB }, microsoft);
  }

  /** The graph written so far between the given ports. */
  finish(inputs: readonly Port[], outputs: readonly Port[]): Graph {
    return { stage: "lowered", inputs, outputs, literals: this.#literals, nodes: this.#nodes };
  }
}
