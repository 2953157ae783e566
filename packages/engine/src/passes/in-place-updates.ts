import type { Graph, GraphNode, Value } from "../graph/graph.js";
import { port } from "../graph/port.js";
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

function replacesState(graph: Graph, { inputs, inputNames, outputs }: GraphNode): boolean {
  return ["parameter", "mean", "square"].every(
    (operand, i) =>
      replacedState(graph, inputs[inputNames!.indexOf(operand)]!, outputs[i]!) !== undefined,
  );
}

/** The name of the tensor of the state that `operand` is, where `result` is the next value of that one and leaves the
 *  graph as nothing else. */
export function replacedState(
  { inputs, outputs }: Graph,
  operand: Value,
  result: Value,
): string | undefined {
  const read = inputs.find((each) => each.value === operand)?.name;
  if (read === undefined || !port.isState(read)) return undefined;
  const name = port.stateName(read);
  const written = outputs.filter((each) => each.value === result);
  return written.length === 1 && written[0]!.name === port.nextState(name) ? name : undefined;
}
