/** Normalisation layers that tfjs has as one kernel. */
import type {
  FusedBatchNormAttrs,
  FusedBatchNormInputs,
  LRNAttrs,
  LRNInputs,
} from "@tensorflow/tfjs-core";
import { float } from "../onnx/builder.js";
import { kernel, refuse } from "./kernel.js";

export const normalization = {
  // (x - mean) / sqrt(variance + epsilon) * scale + offset, the statistics given.
  FusedBatchNorm: kernel<FusedBatchNormInputs, FusedBatchNormAttrs>(
    ({ x, scale, offset, mean, variance }, { varianceEpsilon }, g) => {
      const deviation = g.unary("Sqrt", g.add(variance, g.uniform(varianceEpsilon)));
      const inverse = g.unary("Reciprocal", deviation);
      const slope = (scale as typeof scale | undefined) ? g.mul(scale, inverse) : inverse;
      const y = g.mul(g.sub(x, mean), slope);
      return (offset as typeof offset | undefined) ? g.add(y, offset) : y;
    },
  ),
  // ONNX divides alpha by the number of neighbours, tfjs does not.
  LRN: kernel<LRNInputs, LRNAttrs>(({ x }, { depthRadius, bias, alpha, beta }, g) => {
    const size = 2 * depthRadius + 1;
    const y = g.unary("LRN", g.transpose(x, [0, 3, 1, 2]), {
      size,
      bias: float(bias),
      alpha: float(alpha * size),
      beta: float(beta),
    });
    return g.transpose(y, [0, 2, 3, 1]);
  }),
  LRNGrad: refuse("use layer norm or batch norm"),
};
