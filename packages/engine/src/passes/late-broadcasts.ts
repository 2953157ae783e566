import { broadcastShapes } from "../graph/builder.js";
import { sameShape, sizeOf, type GraphNode, type Shape, type Value } from "../graph/graph.js";
import { list, rewriteNodes, type Pass, type Rewriting } from "./rewrite-nodes.js";

/** Elementwise operators, all of which broadcast. */
const elementwise = new Set([
  ...["Add", "Sub", "Mul", "Div", "Max", "Min", "Pow", "Where", "Neg", "Abs", "Sqrt", "Reciprocal"],
  ...["Exp", "Log", "Sigmoid", "Tanh", "Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual"],
  ...["And", "Or", "Not", "Cast"],
]);

/** An elementwise operation takes the unexpanded form of expanded operands and of uniform constants, since it
 *  broadcasts by itself. Where its result is then smaller, the Expand follows it: small work first. */
export const lateBroadcasts: Pass = {
  name: "late broadcasts",
  run: (graph) =>
    rewriteNodes(graph, (node, rewriting) => {
      const [y] = node.outputs as [Value];
      if (!elementwise.has(node.op) || node.domain !== "") return undefined;
      const small = node.inputs.map((input) => unexpanded(rewriting, input!));
      if (small.every((input, i) => input === node.inputs[i])) return undefined;
      const shape = small.reduce<Shape>((all, { shape }) => broadcastShapes(all, shape), []);
      // Two expanded operands that grow together, [A, 1] and [1, B], stay as small as their own broadcast.
      const result = rewriting.emit(node.op, small, shape, y.dtype, node.attributes);
      if (sameShape(shape, y.shape)) return result;
      return rewriting.emit("Expand", [result, list(rewriting, y.shape)], y.shape, y.dtype);
    }),
};

function unexpanded(rewriting: Rewriting, value: Value): Value {
  const literal = rewriting.literal(value);
  if (literal && "uniform" in literal && sizeOf(value.shape) > 1)
    return rewriting.constant(literal, [], value.dtype);
  const before: GraphNode | undefined = rewriting.producer(value);
  return before?.op === "Expand" ? before.inputs[0]! : value;
}
