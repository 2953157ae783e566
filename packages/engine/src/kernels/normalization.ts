/** Normalisation layers that tfjs has as one kernel. */
import type {
  FusedBatchNormAttrs,
  FusedBatchNormInputs,
  LRNAttrs,
  LRNGradAttrs,
  LRNGradInputs,
  LRNInputs,
} from "@tensorflow/tfjs-core";
import { float } from "../onnx/builder.js";
import { kernel } from "./kernel.js";

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
  // With n = bias + alpha * (sum of x^2 over the neighbours) and y = x n^-beta:
  //   dx = dy n^-beta - 2 alpha beta x * (sum of dy y / n over the neighbours)
  LRNGrad: kernel<LRNGradInputs, LRNGradAttrs>(
    ({ x, y, dy }, { depthRadius, bias, alpha, beta }, g) => {
      const channels = x.shape[3]!;
      const near = Float32Array.from({ length: channels * channels }, (_, i) =>
        Math.abs((i % channels) - Math.floor(i / channels)) <= depthRadius ? 1 : 0,
      );
      const neighbours = g.dense(near, [channels, channels], "float32");
      const squares = g.matMul(g.mul(x, x), neighbours);
      const n = g.add(g.mul(squares, g.uniform(alpha)), g.uniform(bias));
      const through = g.matMul(g.div(g.mul(dy, y), n), neighbours);
      const own = g.mul(dy, g.binary("Pow", n, g.uniform(-beta)));
      return g.sub(own, g.mul(g.mul(x, through), g.uniform(2 * alpha * beta)));
    },
  ),
};
