import { sameShape, sizeOf, type GraphNode, type Shape, type Value } from "../graph/graph.js";
import { arithmetic } from "./arithmetic.js";
import { list, rewriteNodes, type Pass, type Rewriting } from "./rewrite-nodes.js";

/** Elements of the largest constant of unequal numbers that is made: what is larger is cheaper to compute than to store. */
const largest = 2 ** 14;

/** Operations on constants become constants: elementwise arithmetic in float32, and whatever moves elements; times 1,
 *  plus 0 and the like disappear, or become the broadcast that they were. Constants of one number stay one number,
 *  whatever their size. Refused: results of unequal numbers above 16,384 elements, other types than float32 in
 *  arithmetic, and functions whose last bit depends on who computes them. */
export const constants: Pass = {
  name: "constants",
  run: (graph) =>
    rewriteNodes(graph, (node, rewriting) => {
      const [y] = node.outputs as [Value];
      if (node.outputs.length !== 1 || node.domain !== "") return undefined;
      const operands = node.inputs.map((input) => constantOf(input, rewriting));
      const uniform = uniformOf(node, operands, y);
      if (uniform !== undefined) return rewriting.constant({ uniform }, y.shape, y.dtype);
      if (sizeOf(y.shape) <= largest && operands.length > 0 && operands.every(isConstant)) {
        const at = elementsOf(node, operands, y);
        const dense = at && arrayOf(y, (i) => at(coordinates(i, y.shape)));
        return dense && rewriting.constant({ dense }, y.shape, y.dtype);
      }
      const neutral = y.dtype === "float32" ? withoutNeutral(node, operands) : undefined;
      return neutral && broadcast(rewriting, neutral, y);
    }),
};

/** A constant operand: its number, where it is but one, and its elements by their coordinates. */
interface Constant {
  readonly shape: Shape;
  readonly uniform: number | undefined;
  readonly at: (place: readonly number[]) => number;
}

function constantOf(value: Value | undefined, rewriting: Rewriting): Constant | undefined {
  const literal = rewriting.literal(value);
  if (!value || !literal) return undefined;
  const { shape } = value;
  if ("dense" in literal)
    return { shape, uniform: undefined, at: (place) => literal.dense[indexOf(place, shape)]! };
  return { shape, uniform: literal.uniform, at: () => literal.uniform };
}

const isConstant = (operand: Constant | undefined): operand is Constant => operand !== undefined;

/** Operators that move elements of their first operand, so that a uniform one stays what it is. */
const movers = new Set([
  ...["Identity", "Reshape", "Transpose", "Expand", "Tile", "Slice", "Gather"],
]);

/** The number that all of the result is. */
function uniformOf(
  { op }: GraphNode,
  operands: readonly (Constant | undefined)[],
  y: Value,
): number | undefined {
  const a = operands[0]?.uniform;
  const b = operands[1]?.uniform;
  if (a === undefined) return undefined;
  if (movers.has(op)) return a;
  if (y.dtype !== "float32") return undefined;
  if (op === "Cast") return Math.fround(a);
  const compute = arithmetic[op];
  return compute && (b !== undefined || operands.length === 1)
    ? Math.fround(compute(Math.fround(a), Math.fround(b ?? 0)))
    : undefined;
}

/** The elements of the result by their coordinates. */
function elementsOf(
  { op, attributes }: GraphNode,
  operands: readonly Constant[],
  y: Value,
): ((place: readonly number[]) => number) | undefined {
  const source = sources[op];
  if (source)
    return (place) => {
      const [from, at] = source(place, operands, attributes, y.shape);
      return from.at(at);
    };
  const compute = arithmetic[op];
  if (!compute || y.dtype !== "float32" || operands.length > 2) return undefined;
  return (place) => {
    const [a, b] = operands.map(({ shape, at }) => Math.fround(at(unbroadcast(place, shape))));
    return compute(a!, b ?? 0);
  };
}

/** Which operand an element of the result comes from, and which element of it. */
type Source = (
  place: readonly number[],
  operands: readonly Constant[],
  attributes: GraphNode["attributes"],
  shape: Shape,
) => readonly [Constant, readonly number[]];

const inOrder: Source = (place, [x], _attributes, shape) => [
  x!,
  coordinates(indexOf(place, shape), x!.shape),
];

const sources: Readonly<Record<string, Source>> = {
  Identity: inOrder,
  Reshape: inOrder,
  Expand: (place, [x]) => [x!, unbroadcast(place, x!.shape)],
  Transpose: (place, [x], { perm }) => [
    x!,
    place.map((_, axis) => place[(perm as readonly number[]).indexOf(axis)]!),
  ],
  Gather: (place, [x, chosen], attributes) => {
    const axis = attributes.axis as number;
    const end = axis + chosen!.shape.length;
    const index = chosen!.at(place.slice(axis, end));
    const inside = index < 0 ? index + x!.shape[axis]! : index;
    return [x!, [...place.slice(0, axis), inside, ...place.slice(end)]];
  },
  // Axes and strides may be left out.
  Slice: (place, [x, begins, , axes, strides]) => {
    const from = [...place];
    for (let i = 0; i < begins!.shape[0]!; i++) {
      const axis = axes ? axes.at([i]) : i;
      const stride = strides ? strides.at([i]) : 1;
      const length = x!.shape[axis]!;
      const begin = begins!.at([i]) < 0 ? begins!.at([i]) + length : begins!.at([i]);
      const first = Math.min(Math.max(begin, 0), stride < 0 ? length - 1 : length);
      from[axis] = first + place[axis]! * stride;
    }
    return [x!, from];
  },
  Concat: (place, operands, attributes) => {
    const axis = attributes.axis as number;
    const at = [...place];
    let part = 0;
    while (at[axis]! >= operands[part]!.shape[axis]!) at[axis]! -= operands[part++]!.shape[axis]!;
    return [operands[part]!, at];
  },
};

const arrayOf = ({ shape, dtype }: Value, at: (index: number) => number): ArrayLike<number> =>
  dtype === "float32"
    ? Float32Array.from({ length: sizeOf(shape) }, (_, i) => at(i))
    : Array.from({ length: sizeOf(shape) }, (_, i) => at(i));

/** Of element `index` of a row-major array. */
function coordinates(index: number, shape: Shape): number[] {
  const place = new Array<number>(shape.length);
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    place[axis] = index % shape[axis]!;
    index = Math.floor(index / shape[axis]!);
  }
  return place;
}

const indexOf = (place: readonly number[], shape: Shape): number =>
  shape.reduce((index, length, axis) => index * length + place[axis]!, 0);

/** Where an element of a broadcast lies in what was broadcast. */
const unbroadcast = (place: readonly number[], shape: Shape): number[] =>
  place.slice(place.length - shape.length).map((own, axis) => (shape[axis] === 1 ? 0 : own));

/** The operand that is the result where the other one changes nothing. */
function withoutNeutral(
  { op, inputs }: GraphNode,
  [left, right]: readonly (Constant | undefined)[],
): Value | undefined {
  const [x, y] = inputs as [Value, Value];
  const [a, b] = [left?.uniform, right?.uniform];
  if ((op === "Mul" || op === "Div") && b === 1) return x;
  if (op === "Mul" && a === 1) return y;
  if ((op === "Add" || op === "Sub") && b === 0) return x;
  if (op === "Add" && a === 0) return y;
  return undefined;
}

const broadcast = (rewriting: Rewriting, x: Value, like: Value): Value =>
  sameShape(x.shape, like.shape)
    ? x
    : rewriting.emit("Expand", [x, list(rewriting, like.shape)], like.shape, like.dtype);
