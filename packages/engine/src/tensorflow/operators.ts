/** From operators of a lowered graph to TensorFlow nodes: those of ONNX that lowerings write, one small entry each, and
 *  TensorFlow's own (domain {@link tensorflow}), which pass through. */
import {
  sameShape,
  sizeOf,
  type DType,
  type GraphNode,
  type Literal,
  type Value,
} from "../graph/graph.js";
import { attribute, type Attribute } from "./attribute.js";

/** The domain of operators that are TensorFlow's own. Their attributes are in its form, but for the element type `T`
 *  of the first operand, which every such operator has and no lowering writes. */
export const tensorflow = "tensorflow";

/** What an entry writes with. */
export interface NodeWriter {
  /** A node; returns the name of its first result. The others are `name:1`, `name:2`. */
  node(
    op: string,
    inputs: readonly string[],
    attributes: Readonly<Record<string, Attribute>>,
  ): string;
  /** A constant. */
  constant(literal: Literal, shape: readonly number[], dtype: DType): string;
  /** The contents of a value that is a constant. */
  literal(value: Value | undefined): readonly number[] | undefined;
}

type Results = string | readonly string[];
type Operator = (node: GraphNode, inputs: readonly string[], w: NodeWriter) => Results;

const { type, int, float, bool, string } = attribute;
const T = ({ inputs }: GraphNode): { T: Attribute } => ({ T: type(inputs[0]!.dtype) });

/** The same operation under another name. */
const named =
  (op: string): Operator =>
  (node, inputs, w) =>
    w.node(op, inputs, T(node));

/** An operation on truth values alone, which has no type attribute. */
const logical =
  (op: string): Operator =>
  (_node, inputs, w) =>
    w.node(op, inputs, {});

/** A list of lengths, axes or bounds. On a GPU those of int32 stay in the host's memory, where operators want them; those of
 *  int64 would be constants of the device, fetched back for each use. */
const list = (w: NodeWriter, values: readonly number[]): string =>
  w.constant({ dense: values }, [values.length], "int32");

const axisOf = (w: NodeWriter, axis: number): string => w.constant({ uniform: axis }, [], "int32");

const [int32, int64] = [type("int32"), type("int64")];

/** Axes that most of TensorFlow's operators on the CPU can do with. */
const mostAxes = 5;

/** The numbers of a shape, of axes or of bounds, which lowerings always write down. */
function numbers(w: NodeWriter, { op, inputs }: GraphNode, operand: number): readonly number[] {
  const literal = w.literal(inputs[operand]);
  if (literal === undefined) throw new Error(`Operand ${operand} of ${op} should be a constant.`);
  return literal;
}

const reduction =
  (op: string): Operator =>
  (node, [x], w) =>
    w.node(op, [x!, list(w, numbers(w, node, 1))], {
      ...T(node),
      Tidx: int32,
      keep_dims: bool(node.attributes.keepdims === 1),
    });

const extremePlace =
  (op: string): Operator =>
  (node, [x], w) => {
    const axis = axisOf(w, node.attributes.axis as number);
    return w.node(op, [x!, axis], { ...T(node), Tidx: int32, output_type: int64 });
  };

/** Stretches of axes that are all repeated, or all not, of each of the shapes: what TensorFlow makes of axes when it
 *  broadcasts. It counts axes of length 1 to either side. */
function stretches(shapes: readonly (readonly number[])[], whole: readonly number[]): number {
  let count = 0;
  let before = "";
  whole.forEach((length, axis) => {
    if (length === 1) return;
    const pattern = shapes
      .map((shape) => (shape[axis - whole.length + shape.length] ?? 1) === 1)
      .join();
    if (pattern !== before) count++;
    before = pattern;
  });
  return count;
}

/** A value of the shape `from` broadcast to `to`, some of its axes at a time where there are too many stretches. */
function repeated(
  w: NodeWriter,
  value: string,
  from: readonly number[],
  to: readonly number[],
  T: Attribute,
): string {
  if (sameShape(from, to)) return value;
  const whole = [...to.slice(from.length).map(() => 1), ...from];
  if (stretches([from], to) <= mostAxes)
    return w.node("BroadcastTo", [value, list(w, to)], { T, Tidx: int32 });
  const middle = Math.ceil(to.length / 2);
  const half = [...to.slice(0, middle), ...whole.slice(middle)];
  return repeated(w, repeated(w, value, from, half, T), half, to, T);
}

/** Operators of two operands, element by element. */
const pairwise = new Set([
  ...["Add", "And", "BitwiseAnd", "Div", "Equal", "Greater", "GreaterOrEqual", "Less"],
  ...["LessOrEqual", "Max", "Min", "Mod", "Mul", "Or", "Pow", "Sub", "Xor"],
]);

/** The operands of such an operator, repeated where TensorFlow would not. */
function repeatedOperands(
  node: GraphNode,
  operands: readonly string[],
  w: NodeWriter,
): readonly string[] {
  const { shape } = node.outputs[0]!;
  const shapes = node.inputs.map((input) => input!.shape);
  if (shape.length <= mostAxes || stretches(shapes, shape) <= mostAxes) return operands;
  return operands.map((operand, i) =>
    repeated(w, operand, shapes[i]!, shape, type(node.inputs[i]!.dtype)),
  );
}

/** Swaps an axis with the last one, runs `body` there, and swaps back. */
function onLastAxis(
  node: GraphNode,
  x: string,
  axis: number,
  w: NodeWriter,
  body: (x: string, shape: readonly number[]) => string,
): string {
  const { shape } = node.inputs[0]!;
  const rank = shape.length;
  if (axis === rank - 1) return body(x, shape);
  const perm = Array.from({ length: rank }, (_, i) =>
    i === axis ? rank - 1 : i === rank - 1 ? axis : i,
  );
  const swap = (value: string): string =>
    w.node("Transpose", [value, list(w, perm)], { ...T(node), Tperm: int32 });
  return swap(
    body(
      swap(x),
      perm.map((from) => shape[from]!),
    ),
  );
}

/** Batches of matrices are repeated before they are multiplied, never by the product: behind BatchMatMulV2 the strides
 *  that oneDNN is given for a batch of length 1 lead out of its memory, and on the way back the heap is corrupted. */
const product: Operator = (node, operands, w) => {
  const { transA, transB } = node.attributes;
  const batch = node.outputs[0]!.shape.slice(0, -2);
  const [a, b] = operands.map((operand, i) => {
    const { shape } = node.inputs[i]!;
    return repeated(w, operand, shape, [...batch, ...shape.slice(-2)], T(node).T);
  });
  return w.node("BatchMatMulV2", [a!, b!], {
    ...T(node),
    adj_x: bool(Boolean(transA)),
    adj_y: bool(Boolean(transB)),
  });
};

const operators: Readonly<Record<string, Operator>> = {
  Abs: named("Abs"),
  Acos: named("Acos"),
  Acosh: named("Acosh"),
  Add: named("AddV2"),
  And: logical("LogicalAnd"),
  ArgMax: extremePlace("ArgMax"),
  ArgMin: extremePlace("ArgMin"),
  Asin: named("Asin"),
  Asinh: named("Asinh"),
  Atan: named("Atan"),
  Atanh: named("Atanh"),
  BitwiseAnd: named("BitwiseAnd"),
  Cast: (node, [x], w) =>
    w.node("Cast", [x!], {
      SrcT: type(node.inputs[0]!.dtype),
      DstT: type(node.outputs[0]!.dtype),
    }),
  Ceil: named("Ceil"),
  Clip: named("ClipByValue"),
  Concat: (node, inputs, w) => {
    const axis = axisOf(w, node.attributes.axis as number);
    const attributes = { ...T(node), N: int(inputs.length), Tidx: int32 };
    return w.node("ConcatV2", [...inputs, axis], attributes);
  },
  Cos: named("Cos"),
  Cosh: named("Cosh"),
  CumSum: (node, [x], w) =>
    w.node("Cumsum", [x!, axisOf(w, numbers(w, node, 1)[0]!)], {
      ...T(node),
      Tidx: int32,
      exclusive: bool(node.attributes.exclusive === 1),
      reverse: bool(node.attributes.reverse === 1),
    }),
  Div: (node, inputs, w) =>
    w.node(node.inputs[0]!.dtype.startsWith("float") ? "RealDiv" : "Div", inputs, T(node)),
  Einsum: (node, inputs, w) =>
    w.node("Einsum", inputs, {
      ...T(node),
      N: int(inputs.length),
      equation: string(node.attributes.equation as string),
    }),
  Elu: named("Elu"),
  Equal: named("Equal"),
  Erf: named("Erf"),
  Exp: named("Exp"),
  Expand: (node, [x], w) =>
    sameShape(node.inputs[0]!.shape, node.outputs[0]!.shape)
      ? w.node("Identity", [x!], T(node))
      : repeated(w, x!, node.inputs[0]!.shape, node.outputs[0]!.shape, T(node).T),
  Floor: named("Floor"),
  FusedMatMul: product,
  Gather: (node, [x, indices], w) => {
    const axis = axisOf(w, node.attributes.axis as number);
    return w.node("GatherV2", [x!, indices!, axis], {
      batch_dims: int(0),
      Tparams: type(node.inputs[0]!.dtype),
      Tindices: type(node.inputs[1]!.dtype),
      Taxis: int32,
    });
  },
  GatherND: (node, inputs, w) =>
    w.node("GatherNd", inputs, { Tparams: type(node.inputs[0]!.dtype), Tindices: int64 }),
  Gemm: (node, [a, b], w) =>
    w.node("MatMul", [a!, b!], {
      ...T(node),
      transpose_a: bool(Boolean(node.attributes.transA)),
      transpose_b: bool(Boolean(node.attributes.transB)),
    }),
  Greater: named("Greater"),
  GreaterOrEqual: named("GreaterEqual"),
  Identity: named("Identity"),
  IsInf: named("IsInf"),
  IsNaN: named("IsNan"),
  LeakyRelu: (node, inputs, w) =>
    w.node("LeakyRelu", inputs, {
      ...T(node),
      alpha: float((node.attributes.alpha as { float: number }).float),
    }),
  Less: named("Less"),
  LessOrEqual: named("LessEqual"),
  Log: named("Log"),
  MatMul: product,
  Max: named("Maximum"),
  Min: named("Minimum"),
  Mod: (node, inputs, w) =>
    w.node(node.attributes.fmod === 1 ? "TruncateMod" : "FloorMod", inputs, T(node)),
  Mul: named("Mul"),
  Neg: named("Neg"),
  Not: logical("LogicalNot"),
  Or: logical("LogicalOr"),
  Pad: (node, [x, , value], w) => {
    const pads = numbers(w, node, 1);
    const rank = node.inputs[0]!.shape.length;
    const pairs = Array.from({ length: rank }, (_, i) => [pads[i]!, pads[i + rank]!]).flat();
    const paddings = w.constant({ dense: pairs }, [rank, 2], "int32");
    return w.node("PadV2", [x!, paddings, value!], { ...T(node), Tpaddings: int32 });
  },
  Pow: named("Pow"),
  Reciprocal: named("Reciprocal"),
  ReduceMax: reduction("Max"),
  ReduceMean: reduction("Mean"),
  ReduceMin: reduction("Min"),
  ReduceProd: reduction("Prod"),
  ReduceSum: reduction("Sum"),
  // Not TensorFlow's Relu: fused into the operation before it, as oneDNN does, it makes 0 of NaN, and whoever watches the
  // loss or the features sees a network that is broken as one that is not. It takes no longer.
  Relu: (node, [x], w) => {
    const zero = w.constant({ uniform: 0 }, [], node.inputs[0]!.dtype);
    return w.node("Maximum", [x!, zero], T(node));
  },
  Reshape: (node, [x], w) =>
    w.node("Reshape", [x!, list(w, node.outputs[0]!.shape)], { ...T(node), Tshape: int32 }),
  Round: named("Round"),
  ScatterElements: scatterElements,
  Selu: named("Selu"),
  Sigmoid: named("Sigmoid"),
  Sign: named("Sign"),
  Sin: named("Sin"),
  Sinh: named("Sinh"),
  Slice: slice,
  // Of rows: TensorFlow takes at most five axes.
  Softmax: (node, [x], w) =>
    onLastAxis(node, x!, node.attributes.axis as number, w, (last, shape) => {
      if (shape.length <= mostAxes) return w.node("Softmax", [last], T(node));
      const rows = [sizeOf(shape.slice(0, -1)), shape.at(-1)!];
      const reshaped = (value: string, to: readonly number[]): string =>
        w.node("Reshape", [value, list(w, to)], { ...T(node), Tshape: int32 });
      return reshaped(w.node("Softmax", [reshaped(last, rows)], T(node)), shape);
    }),
  Softplus: named("Softplus"),
  Split: (node, [x], w) => {
    const axis = axisOf(w, node.attributes.axis as number);
    const parts = node.outputs.length;
    const attributes = { ...T(node), num_split: int(parts), Tlen: int32 };
    const sizes = list(w, numbers(w, node, 1));
    const first = w.node("SplitV", [x!, sizes, axis], attributes);
    return Array.from({ length: parts }, (_, i) => (i === 0 ? first : `${first}:${i}`));
  },
  Sqrt: named("Sqrt"),
  Step: step,
  Sub: named("Sub"),
  Tanh: named("Tanh"),
  Tile: (node, [x], w) =>
    w.node("Tile", [x!, list(w, numbers(w, node, 1))], { ...T(node), Tmultiples: int32 }),
  TopK: (node, [x], w) => {
    const [k] = numbers(w, node, 1);
    const count = w.constant({ uniform: k! }, [], "int32");
    const values = w.node("TopKV2", [x!, count], { ...T(node), sorted: bool(true) });
    const cast = { SrcT: int32, DstT: int64 };
    return [values, w.node("Cast", [`${values}:1`], cast)];
  },
  Transpose: (node, [x], w) =>
    w.node("Transpose", [x!, list(w, node.attributes.perm as number[])], {
      ...T(node),
      Tperm: int32,
    }),
  Where: (node, inputs, w) => w.node("SelectV2", inputs, { T: type(node.inputs[1]!.dtype) }),
  // Of truth values alone.
  Xor: (node, inputs, w) => w.node("NotEqual", inputs, T(node)),
};

/** 1 above 0 and 0 up to it; NaN stays NaN. */
function step(node: GraphNode, [x]: readonly string[], w: NodeWriter): string {
  const { T: kind } = T(node);
  const zero = w.constant({ uniform: 0 }, [], node.inputs[0]!.dtype);
  const above = w.node("Greater", [x!, zero], { T: kind });
  const mask = w.node("Cast", [above], { SrcT: type("bool"), DstT: kind });
  return w.node("SelectV2", [w.node("IsNan", [x!], { T: kind }), x!, mask], { T: kind });
}

/** Operands target, places and updates along axis 0, which is where lowerings scatter: into the flat target, at places
 *  counted in its elements. */
function scatterElements(node: GraphNode, operands: readonly string[], w: NodeWriter): string {
  const [target, places] = node.inputs as [Value, Value];
  if (node.attributes.axis !== 0) throw new Error("ScatterElements should be along axis 0.");
  const count = sizeOf(places.shape);
  const inner = sizeOf(target.shape.slice(1));
  const index = { T: type(places.dtype) };
  const flat = (x: string, shape: readonly number[], T: Attribute): string =>
    w.node("Reshape", [x, list(w, shape)], { T, Tshape: int32 });
  const columns = Array.from({ length: count }, (_, i) => i % inner);
  const rows = w.node(
    "Mul",
    [flat(operands[1]!, [count], index.T), w.constant({ uniform: inner }, [], places.dtype)],
    index,
  );
  const at = w.node("AddV2", [rows, w.constant({ dense: columns }, [count], places.dtype)], index);
  const op = node.attributes.reduction === "add" ? "TensorScatterAdd" : "TensorScatterUpdate";
  const sums = w.node(
    op,
    [
      flat(operands[0]!, [sizeOf(target.shape)], T(node).T),
      flat(at, [count, 1], index.T),
      flat(operands[2]!, [count], T(node).T),
    ],
    { ...T(node), Tindices: index.T },
  );
  return flat(sums, target.shape, T(node).T);
}

/** Operands x, begins, ends, axes and strides; an end before index 0 means "through the first element". */
function slice(node: GraphNode, [x]: readonly string[], w: NodeWriter): string {
  const { shape } = node.inputs[0]!;
  const [begins, ends, axes, steps] = [1, 2, 3, 4].map((operand) => numbers(w, node, operand));
  const begin = shape.map(() => 0);
  const end = [...shape];
  const stride = shape.map(() => 1);
  let throughFirst = 0;
  axes!.forEach((axis, i) => {
    begin[axis] = begins![i]!;
    end[axis] = Math.max(ends![i]!, 0);
    stride[axis] = steps![i]!;
    if (steps![i]! < 0 && ends![i]! < 0) throughFirst |= 1 << axis;
  });
  if (stride.every((step) => step === 1))
    return w.node("Slice", [x!, list(w, begin), list(w, node.outputs[0]!.shape)], {
      ...T(node),
      Index: int32,
    });
  return w.node("StridedSlice", [x!, list(w, begin), list(w, end), list(w, stride)], {
    ...T(node),
    Index: int32,
    begin_mask: int(0),
    end_mask: int(throughFirst),
    ellipsis_mask: int(0),
    new_axis_mask: int(0),
    shrink_axis_mask: int(0),
  });
}

/** One node of a lowered graph as TensorFlow nodes: the names of its results. */
export function writeNode(node: GraphNode, inputs: readonly string[], w: NodeWriter): Results {
  if (node.domain === tensorflow) {
    const first = w.node(node.op, inputs, {
      ...T(node),
      ...(node.attributes as Readonly<Record<string, Attribute>>),
    });
    return node.outputs.map((_, i) => (i === 0 ? first : `${first}:${i}`));
  }
  const operator = node.domain === "" || node.op === "FusedMatMul" ? operators[node.op] : undefined;
  if (operator === undefined)
    throw new Error(`TensorFlow has no entry for the operator ${node.op} of "${node.domain}".`);
  return operator(node, pairwise.has(node.op) ? repeatedOperands(node, inputs, w) : inputs, w);
}
