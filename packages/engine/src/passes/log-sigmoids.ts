import { newValue, type Graph, type GraphNode, type Value } from "../graph/graph.js";
import type { Pass } from "./rewrite-nodes.js";

/** The logarithm of a sigmoid, and its gradient as tfjs takes it, where the sigmoid itself is 0 or 1 in float32:
 *    log(sigmoid(u))           becomes -softplus(-u),
 *    (dy / y) (y (1 - y))      becomes dy sigmoid(-u)   for y = sigmoid(u).
 *  Over tfjs kernels. */
export const logSigmoids: Pass = {
  name: "log sigmoids",
  run(graph: Graph): Graph {
    const producers = new Map<Value, GraphNode>();
    for (const node of graph.nodes) for (const output of node.outputs) producers.set(output, node);
    const made = (value: Value | undefined, op: string): readonly Value[] | undefined => {
      const node = value && producers.get(value);
      return node?.op === op ? (node.inputs as readonly Value[]) : undefined;
    };
    const isOne = (value: Value | undefined): boolean => {
      const literal = value && graph.literals.get(value);
      return literal !== undefined && "uniform" in literal && literal.uniform === 1;
    };
    /** Whether it is y (1 - y). */
    const isSlope = (value: Value | undefined, y: Value): boolean => {
      const factors = made(value, "Multiply");
      const rest = made(
        factors?.find((factor) => factor !== y),
        "Sub",
      );
      return factors?.includes(y) === true && isOne(rest?.[0]) && rest?.[1] === y;
    };
    const nodes = graph.nodes.flatMap((node): GraphNode[] => {
      const add = (op: string, inputNames: readonly string[], inputs: readonly Value[]) => {
        const { domain, layer, site } = node;
        const outputs = [newValue(inputs.at(-1)!.shape, "float32")];
        return { op, domain, inputNames, inputs, attributes: {}, outputs, layer, site };
      };
      const last = (own: GraphNode): GraphNode => ({ ...own, outputs: node.outputs });
      const [u] = node.op === "Log" ? (made(node.inputs[0], "Sigmoid") ?? []) : [];
      if (u) {
        const negative = add("Neg", ["x"], [u]);
        const softplus = add("Softplus", ["x"], negative.outputs);
        return [negative, softplus, last(add("Neg", ["x"], softplus.outputs))];
      }
      if (node.op !== "Multiply") return [node];
      for (const [quotient, slope] of [node.inputs, [...node.inputs].reverse()]) {
        const [dy, y] = made(quotient, "RealDiv") ?? [];
        const [argument] = made(y, "Sigmoid") ?? [];
        if (!dy || !argument || !isSlope(slope, y!)) continue;
        const negative = add("Neg", ["x"], [argument]);
        const sigmoid = add("Sigmoid", ["x"], negative.outputs);
        const product = add("Multiply", ["a", "b"], [dy, ...sigmoid.outputs]);
        return [negative, sigmoid, last(product)];
      }
      return [node];
    });
    return { ...graph, nodes };
  },
};
