import type { Value } from "../graph/graph.js";
import type { Pass } from "./rewrite-nodes.js";

/** The mask of a ReLU's gradient, step(x), is read off its result instead: step(relu(x)) is the same. The operand need
 *  not be kept for the backward pass then, and what makes it can be one operation with the ReLU. Over tfjs kernels;
 *  refused where step(x) is not 0 below 0. */
export const masksFromResults: Pass = {
  name: "masks from results",
  run(graph) {
    // tfjs saves a copy of the operand for the backward pass.
    const copied = new Map<Value, Value>();
    const original = (value: Value): Value => copied.get(value) ?? value;
    const rectified = new Map<Value, Value>();
    const nodes = graph.nodes.map((node) => {
      const x = node.inputs[0] && original(node.inputs[0]);
      const y = node.outputs[0]!;
      if (node.op === "Identity") copied.set(y, x!);
      if (node.op === "Relu") rectified.set(x!, y);
      const result = node.op === "Step" && node.attributes.alpha === 0 && rectified.get(x!);
      return result ? { ...node, inputs: [result] } : node;
    });
    return { ...graph, nodes };
  },
};
