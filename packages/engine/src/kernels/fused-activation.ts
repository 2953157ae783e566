import { float, type GraphBuilder } from "../graph/builder.js";
import type { Value } from "../graph/graph.js";

/** x above 0 and alpha (e^x - 1) below, as e^x - 1 = 2 t / (1 - t) with t = tanh(x / 2): both runtimes' own is e^x less 1,
 *  which loses its digits near 0. */
export function elu(g: GraphBuilder, x: Value, alpha = 1): Value {
  const t = g.unary("Tanh", g.mul(x, g.number(0.5, x)));
  const below = g.div(g.mul(t, g.number(2 * alpha, x)), g.sub(g.number(1, x), t));
  return g.where(g.compare("Greater", x, g.number(0, x)), x, below);
}

/** The activation at the end of tfjs's fused kernels. */
export function activate(
  g: GraphBuilder,
  x: Value,
  activation: string | undefined,
  preluWeights: Value | undefined,
  leakyAlpha: number | undefined,
): Value {
  switch (activation ?? "linear") {
    case "linear":
      return x;
    case "relu":
      return g.unary("Relu", x);
    case "relu6":
      return g.op("Clip", [x, g.uniform(0), g.uniform(6)], x.shape, x.dtype);
    case "elu":
      return elu(g, x);
    case "sigmoid":
      return g.unary("Sigmoid", x);
    case "leakyrelu":
      return g.unary("LeakyRelu", x, { alpha: float(leakyAlpha ?? 0.2) });
    case "prelu":
      if (preluWeights)
        return g.where(g.compare("Less", x, g.uniform(0)), g.mul(x, preluWeights), x);
  }
  throw new Error(`Unknown fused activation "${activation}".`);
}
