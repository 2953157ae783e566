import { sameShape, type GraphNode, type Value } from "../graph/graph.js";
import { arithmetic } from "./arithmetic.js";
import { list, rewriteNodes, type Pass, type Rewriting } from "./rewrite-nodes.js";

/** Operators that move elements of their first operand, so that a uniform one stays what it is. */
const movers = ["Identity", "Reshape", "Transpose", "Expand", "Tile", "Slice", "Gather"];

/** Operations on uniform constants become uniform constants, and times 1, plus 0 and the like disappear (or become
 *  the broadcast that they were). float32 only: rounding is that of float32. */
export const uniformConstants: Pass = {
  name: "uniform constants",
  run: (graph) =>
    rewriteNodes(graph, (node, rewriting) => {
      const [y] = node.outputs as [Value];
      if (node.outputs.length !== 1 || node.domain !== "") return undefined;
      const numbers = node.inputs.map((input) => {
        const literal = rewriting.literal(input);
        return literal && "uniform" in literal ? literal.uniform : undefined;
      });
      const [a, b] = numbers;
      if (movers.includes(node.op) && a !== undefined)
        return rewriting.constant({ uniform: a }, y.shape, y.dtype);
      if (node.op === "Cast" && a !== undefined && y.dtype === "float32")
        return rewriting.constant({ uniform: Math.fround(a) }, y.shape, y.dtype);
      if (y.dtype !== "float32") return undefined;
      const compute = arithmetic[node.op];
      if (compute && a !== undefined && (b !== undefined || node.inputs.length === 1)) {
        const uniform = Math.fround(compute(Math.fround(a), Math.fround(b ?? 0)));
        return rewriting.constant({ uniform }, y.shape, y.dtype);
      }
      const neutral = withoutNeutral(node, a, b);
      return neutral && broadcast(rewriting, neutral, y);
    }),
};

/** The operand that is the result where the other one changes nothing. */
function withoutNeutral(
  { op, inputs }: GraphNode,
  a: number | undefined,
  b: number | undefined,
): Value | undefined {
  const [x, y] = inputs as [Value, Value];
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
