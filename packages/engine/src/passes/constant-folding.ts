import {
  sizeOf,
  type DType,
  type GraphNode,
  type Literal,
  type Shape,
  type Value,
} from "../graph/graph.js";
import { arithmetic } from "./arithmetic.js";
import { rewriteNodes, type Pass, type Rewriting } from "./rewrite-nodes.js";

/** Elements of the largest constant that is made: what is larger is cheaper to compute than to store. */
const largest = 2 ** 14;

/** Operations on constants become constants, computed as float32 where they are: elementwise arithmetic, and whatever
 *  moves elements (Reshape, Transpose, Expand, Slice, Gather, Concat). Refused: results above 16,384 elements, other
 *  types than float32 in arithmetic, and functions whose last bit depends on who computes them. */
export const constantFolding: Pass = {
  name: "constant folding",
  run: (graph) =>
    rewriteNodes(graph, (node, rewriting) => {
      const [y] = node.outputs as [Value];
      if (node.outputs.length !== 1 || node.domain !== "" || sizeOf(y.shape) > largest)
        return undefined;
      const constants = node.inputs.map((input) => constantOf(input, rewriting));
      if (constants.length === 0 || !constants.every((constant) => constant !== undefined))
        return undefined;
      const values = computed(node, constants, y) ?? moved(node, constants, y);
      return values && rewriting.constant({ dense: values }, y.shape, y.dtype);
    }),
};

/** A constant operand: its shape and its elements by index. */
interface Constant {
  readonly shape: Shape;
  readonly dtype: DType;
  readonly at: (index: number) => number;
}

function constantOf(value: Value | undefined, rewriting: Rewriting): Constant | undefined {
  const literal: Literal | undefined = rewriting.literal(value);
  if (!value || !literal) return undefined;
  const at = "uniform" in literal ? () => literal.uniform : (i: number) => literal.dense[i]!;
  return { shape: value.shape, dtype: value.dtype, at };
}

const arrayOf = (dtype: DType, length: number, at: (index: number) => number): ArrayLike<number> =>
  dtype === "float32"
    ? Float32Array.from({ length }, (_, i) => at(i))
    : Array.from({ length }, (_, i) => at(i));

function computed(
  { op }: GraphNode,
  constants: readonly Constant[],
  y: Value,
): ArrayLike<number> | undefined {
  const compute = arithmetic[op];
  if (!compute || y.dtype !== "float32" || constants.length > 2) return undefined;
  const [a, b] = constants.map(({ shape, at }) => {
    const place = broadcastPlaces(shape, y.shape);
    return (i: number) => Math.fround(at(place(i)));
  }) as [(i: number) => number, ((i: number) => number)?];
  return arrayOf("float32", sizeOf(y.shape), (i) => compute(a(i), b?.(i) ?? 0));
}

/** Coordinates of element i of a row-major array. */
function coordinates(index: number, shape: Shape): number[] {
  const result = new Array<number>(shape.length);
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    result[axis] = index % shape[axis]!;
    index = Math.floor(index / shape[axis]!);
  }
  return result;
}

const placeOf = (at: readonly number[], shape: Shape): number =>
  shape.reduce((place, length, axis) => place * length + at[axis]!, 0);

/** Where element i of the broadcast lies in an operand. */
const broadcastPlaces = (from: Shape, to: Shape) => (index: number) => {
  const at = coordinates(index, to).slice(to.length - from.length);
  return placeOf(
    at.map((own, axis) => (from[axis] === 1 ? 0 : own)),
    from,
  );
};

/** The result of an operation that only moves elements of its first operand (Concat: of all of them). */
function moved(
  { op, attributes }: GraphNode,
  constants: readonly Constant[],
  y: Value,
): ArrayLike<number> | undefined {
  const [x, second] = constants as [Constant, Constant?];
  const from = (place: (at: readonly number[], index: number) => number): ArrayLike<number> =>
    arrayOf(y.dtype, sizeOf(y.shape), (i) => x.at(place(coordinates(i, y.shape), i)));
  switch (op) {
    case "Identity":
    case "Reshape":
      return from((_, index) => index);
    case "Expand": {
      const place = broadcastPlaces(x.shape, y.shape);
      return from((_, index) => place(index));
    }
    case "Transpose": {
      const perm = attributes.perm as readonly number[];
      return from((at) =>
        placeOf(
          perm.map((_, axis) => at[perm.indexOf(axis)]!),
          x.shape,
        ),
      );
    }
    case "Gather": {
      const axis = attributes.axis as number;
      const { shape, at: chosen } = second!;
      return from((at) => {
        const index = chosen(placeOf(at.slice(axis, axis + shape.length), shape));
        const inside = index < 0 ? index + x.shape[axis]! : index;
        return placeOf([...at.slice(0, axis), inside, ...at.slice(axis + shape.length)], x.shape);
      });
    }
    case "Slice":
      return sliced(constants, from);
    case "Concat":
      return joined(constants, attributes.axis as number, y);
    default:
      return undefined;
  }
}

/** Operands x, begins, ends, axes and strides, the last two of which may be left out. */
function sliced(
  [x, begins, , axes, strides]: readonly Constant[],
  from: (place: (at: readonly number[]) => number) => ArrayLike<number>,
): ArrayLike<number> {
  const count = begins!.shape[0]!;
  const first = x!.shape.map(() => 0);
  const step = x!.shape.map(() => 1);
  for (let i = 0; i < count; i++) {
    const axis = axes ? axes.at(i) : i;
    const length = x!.shape[axis]!;
    step[axis] = strides ? strides.at(i) : 1;
    const begin = begins!.at(i) < 0 ? begins!.at(i) + length : begins!.at(i);
    first[axis] = Math.min(Math.max(begin, 0), step[axis] < 0 ? length - 1 : length);
  }
  return from((at) =>
    placeOf(
      at.map((own, axis) => first[axis]! + own * step[axis]!),
      x!.shape,
    ),
  );
}

function joined(constants: readonly Constant[], axis: number, y: Value): ArrayLike<number> {
  return arrayOf(y.dtype, sizeOf(y.shape), (i) => {
    const at = coordinates(i, y.shape);
    let part = 0;
    while (at[axis]! >= constants[part]!.shape[axis]!) at[axis]! -= constants[part++]!.shape[axis]!;
    const { shape, at: element } = constants[part]!;
    return element(placeOf(at, shape));
  });
}
