/** Normalisation layers that tfjs has as one kernel. */
import type {
  FusedBatchNormAttrs,
  FusedBatchNormInputs,
  LRNAttrs,
  LRNGradAttrs,
  LRNGradInputs,
  LRNInputs,
} from "@tensorflow/tfjs-core";
import type { GraphBuilder } from "../graph/builder.js";
import type { Value } from "../graph/graph.js";
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
  // y = x n^-beta
  LRN: kernel<LRNInputs, LRNAttrs>(({ x }, attributes, g) =>
    g.mul(x, g.binary("Pow", responseOf(g, x, attributes), g.uniform(-attributes.beta))),
  ),
  // dx = dy n^-beta - 2 alpha beta x * (sum of dy y / n over the neighbours)
  LRNGrad: kernel<LRNGradInputs, LRNGradAttrs>(({ x, y, dy }, attributes, g) => {
    const { depthRadius, alpha, beta } = attributes;
    const n = responseOf(g, x, attributes);
    const through = neighbourSums(g, g.div(g.mul(dy, y), n), depthRadius);
    const own = g.mul(dy, g.binary("Pow", n, g.uniform(-beta)));
    return g.sub(own, g.mul(g.mul(x, through), g.uniform(2 * alpha * beta)));
  }),
};

/** n = bias + alpha * (sum of x^2 over the neighbours). The operators that the runtimes have for this are not taken:
 *  onnxruntime's slides one sum along the channels, in which large numbers leave their rounding behind, so that 30000
 *  made the next channel but one infinite; TensorFlow's multiplies by a matrix of zeros and ones, so that one infinite
 *  channel makes all the others NaN. */
const responseOf = (
  g: GraphBuilder,
  x: Value,
  { depthRadius, bias, alpha }: Pick<LRNAttrs, "depthRadius" | "bias" | "alpha">,
): Value =>
  g.add(g.mul(neighbourSums(g, g.mul(x, x), depthRadius), g.uniform(alpha)), g.uniform(bias));

/** The sum of each channel and of those at most `radius` away: [N, H, W, C] -> the same, or [N, H, W, 1] where all are. */
function neighbourSums(g: GraphBuilder, x: Value, radius: number): Value {
  const channels = x.shape[3]!;
  if (radius >= channels - 1) return g.reduce("ReduceSum", x, [3], "keep");
  const none = [0, 0] as const;
  const wide = g.pad(x, [none, none, none, [radius, radius]], g.uniform(0));
  return sumsOf(g, wide, 2 * radius + 1);
}

/** Sums of so many channels in a row, from sums of half as many: [.., C] -> [.., C - count + 1]. */
function sumsOf(g: GraphBuilder, x: Value, count: number): Value {
  if (count === 1) return x;
  const half = Math.floor(count / 2);
  const halves = sumsOf(g, x, half);
  const length = x.shape[3]! - count + 1;
  const from = (sums: Value, first: number): Value =>
    g.slice(sums, [0, 0, 0, first], [...x.shape.slice(0, 3), first + length]);
  const even = g.add(from(halves, 0), from(halves, half));
  return count % 2 === 0 ? even : g.add(even, from(x, count - 1));
}
