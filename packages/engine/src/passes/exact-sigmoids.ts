import { rewriteNodes, type Pass } from "./rewrite-nodes.js";

/** e^x is 1 + e^x to the last bit from here on. */
const largest = 80;

/** A sigmoid is e / (1 + e) with e = exp(min(x, 80)). onnxruntime's own is one pass instead of four, off by up to 1e-7 of
 *  1, and exactly 0 below -18: 2e-4 of the result is lost at -10 and all of it there. Last of all passes, as others know
 *  sigmoids as one operation. */
export const exactSigmoids: Pass = {
  name: "exact sigmoids",
  run: (graph) =>
    rewriteNodes(graph, ({ op, domain, inputs }, rewriting) => {
      if (op !== "Sigmoid" || domain !== "") return undefined;
      const x = inputs[0]!;
      const number = (uniform: number) => rewriting.constant({ uniform }, [], x.dtype);
      const capped = rewriting.emit("Min", [x, number(largest)], x.shape, x.dtype);
      const e = rewriting.emit("Exp", [capped], x.shape, x.dtype);
      const sum = rewriting.emit("Add", [e, number(1)], x.shape, x.dtype);
      return rewriting.emit("Div", [e, sum], x.shape, x.dtype);
    }),
};
