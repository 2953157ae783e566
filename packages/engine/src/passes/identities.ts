import { sameShape, type GraphNode, type Value } from "../graph/graph.js";
import { list, rewriteNodes, type Pass, type Rewriting } from "./rewrite-nodes.js";

/** Operators that do nothing when their result has their operand's shape. */
const nothingInPlace = ["Identity", "Reshape", "Expand", "Pad", "Tile"];
const reductions = ["ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceProd"];

/** Operations that change nothing disappear, reshapes and transposes of reshapes and transposes become one, and a
 *  transpose that only moves axes of length 1, or a reduction over such axes, becomes a reshape. */
export const identities: Pass = {
  name: "identities, reshapes and transposes",
  run: (graph) =>
    rewriteNodes(graph, (node, rewriting) => {
      const [x] = node.inputs as [Value];
      const [y] = node.outputs as [Value];
      if (nothingInPlace.includes(node.op) && sameShape(x.shape, y.shape)) return x;
      if (node.op === "Concat") return joined(node, rewriting);
      if (node.op === "Slice" && sameShape(x.shape, y.shape)) {
        const strides = rewriting.literal(node.inputs[4]);
        const forward =
          strides &&
          ("uniform" in strides
            ? strides.uniform > 0
            : Array.from(strides.dense).every((s) => s > 0));
        return forward ? x : undefined;
      }
      if (node.op === "Reshape") {
        const before = rewriting.producer(x);
        if (before?.op === "Reshape") return reshape(rewriting, before.inputs[0]!, y);
      }
      if (node.op === "Transpose") return transpose(rewriting, x, y, permOf(node.attributes));
      if (reductions.includes(node.op) && x.dtype === y.dtype && sizeless(x, y))
        return reshape(rewriting, x, y);
      return undefined;
    }),
};

const permOf = ({ perm }: Readonly<Record<string, unknown>>): readonly number[] =>
  perm as readonly number[];

/** One part is the whole, and so are all parts of what was split, in order. */
function joined({ inputs, attributes }: GraphNode, rewriting: Rewriting): Value | undefined {
  const [x] = inputs as [Value];
  if (inputs.length === 1) return x;
  const split = rewriting.producer(x);
  const isWhole =
    split?.op === "Split" &&
    split.attributes.axis === attributes.axis &&
    split.outputs.length === inputs.length &&
    split.outputs.every((part, i) => part === inputs[i]);
  return isWhole ? split.inputs[0] : undefined;
}

/** As many elements after as before. */
const sizeless = (x: Value, y: Value): boolean =>
  x.shape.filter((length) => length !== 1).join() ===
  y.shape.filter((length) => length !== 1).join();

function reshape(rewriting: Rewriting, x: Value, like: Value): Value {
  if (sameShape(x.shape, like.shape)) return x;
  return rewriting.emit("Reshape", [x, list(rewriting, like.shape)], like.shape, like.dtype);
}

function transpose(
  rewriting: Rewriting,
  x: Value,
  y: Value,
  perm: readonly number[],
): Value | undefined {
  if (perm.every((axis, i) => axis === i)) return x;
  const before = rewriting.producer(x);
  if (before?.op === "Transpose") {
    const first = permOf(before.attributes);
    const both = perm.map((axis) => first[axis]!);
    const source = before.inputs[0]!;
    if (both.every((axis, i) => axis === i)) return source;
    return (
      asReshape(rewriting, source, y, both) ??
      rewriting.emit("Transpose", [source], y.shape, y.dtype, { perm: both })
    );
  }
  return asReshape(rewriting, x, y, perm);
}

/** The axes that are longer than 1 stay in order: nothing moves. */
function asReshape(
  rewriting: Rewriting,
  x: Value,
  y: Value,
  perm: readonly number[],
): Value | undefined {
  const long = perm.filter((axis) => x.shape[axis] !== 1);
  return long.every((axis, i) => i === 0 || long[i - 1]! < axis)
    ? reshape(rewriting, x, y)
    : undefined;
}
