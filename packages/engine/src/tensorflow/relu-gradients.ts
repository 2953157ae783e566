import { sameShape, type Value } from "../graph/graph.js";
import { rewriteNodes, type Pass } from "../passes/rewrite-nodes.js";
import { tensorflow } from "./operators.js";

/** dy * Step(x) becomes ReluGrad(dy, x): one pass over memory where the mask takes four more. Refused where one of them
 *  is broadcast. A NaN in x, and so in the result of the activation, no longer shows in its gradient. */
export const reluGradients: Pass = {
  name: "gradients of ReLU",
  run: (graph) =>
    rewriteNodes(graph, (node, rewriting) => {
      if (node.op !== "Mul" || node.domain !== "") return undefined;
      const [a, b] = node.inputs as [Value, Value];
      if (!sameShape(a.shape, b.shape)) return undefined;
      for (const [dy, mask] of [
        [a, b],
        [b, a],
      ] as const) {
        const step = rewriting.producer(mask);
        if (step?.op === "Step" && step.domain === "")
          return rewriting.emit(
            "ReluGrad",
            [dy, step.inputs[0]],
            dy.shape,
            dy.dtype,
            {},
            tensorflow,
          );
      }
      return undefined;
    }),
};
