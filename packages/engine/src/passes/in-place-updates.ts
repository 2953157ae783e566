import { port } from "../capture/port.js";
import type { Graph, GraphNode } from "../graph/graph.js";
import type { Pass } from "./rewrite-nodes.js";

/** Kernel of an AdamW update of three tensors of the state, which its results replace. Operands, results and attributes
 *  of LejepaAdamw. */
export const adamwInPlace = "LejepaAdamwInPlace";

/** An AdamW update of tensors of the state becomes one in place: one pass over memory where a dozen operations take a
 *  dozen. Refused where an operand is no tensor of the state, a result is not the next value of the same one, or the
 *  step uses a result for anything else. */
export const inPlaceUpdates: Pass = {
  name: "updates in place",
  run(graph) {
    const used = new Set(graph.nodes.flatMap(({ inputs }) => inputs));
    const nodes = graph.nodes.map((node) =>
      node.op === "LejepaAdamw" && !node.outputs.some((output) => used.has(output))
        ? { ...node, op: replacesState(graph, node) ? adamwInPlace : node.op }
        : node,
    );
    return { ...graph, nodes };
  },
};

function replacesState({ inputs, outputs }: Graph, node: GraphNode): boolean {
  return ["parameter", "mean", "square"].every((operand, i) => {
    const value = node.inputs[node.inputNames!.indexOf(operand)];
    const result = node.outputs[i];
    const read = inputs.find((each) => each.value === value)?.name;
    const written = outputs.filter((each) => each.value === result);
    return (
      read !== undefined &&
      port.isState(read) &&
      written.length === 1 &&
      written[0]!.name === port.nextState(port.stateName(read))
    );
  });
}
