import { rewriteNodes, type Pass } from "./rewrite-nodes.js";

/** e^x is 1 + e^x to the last bit from here on. */
const largest = 80;

/** The attribute of a Sigmoid whose tail is wanted. */
export const exactly = { exact: 1 } as const;

/** A sigmoid whose tail is wanted is e / (1 + e) with e = exp(min(x, 80)). onnxruntime's own is one pass instead of four,
 *  off by up to 1e-7 of 1, and exactly 0 below -18: 2e-4 of the result is lost at -10 and all of it there. That is kept
 *  inside the composite kernels of @lejepa/ops, which multiply by it what is far larger. Last of all passes, as others
 *  know sigmoids as one operation. */
export const exactSigmoids: Pass = {
  name: "exact sigmoids",
  run: (graph) =>
    rewriteNodes(graph, ({ op, domain, inputs, attributes }, rewriting) => {
      if (op !== "Sigmoid" || domain !== "" || attributes.exact === undefined) return undefined;
      const x = inputs[0]!;
      const number = (uniform: number) => rewriting.constant({ uniform }, [], x.dtype);
      const capped = rewriting.emit("Min", [x, number(largest)], x.shape, x.dtype);
      const e = rewriting.emit("Exp", [capped], x.shape, x.dtype);
      const sum = rewriting.emit("Add", [e, number(1)], x.shape, x.dtype);
      return rewriting.emit("Div", [e, sum], x.shape, x.dtype);
    }),
};
