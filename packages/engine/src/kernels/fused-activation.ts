import type { Value } from "../graph/graph.js";
import { float, type OnnxBuilder } from "../onnx/builder.js";

/** The activation at the end of tfjs's fused kernels. */
export function activate(
  g: OnnxBuilder,
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
      return g.unary("Elu", x);
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
