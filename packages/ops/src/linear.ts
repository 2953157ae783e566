import { requireOptionalTensors, requireTensors } from "./tensor-argument.js";
import * as tf from "@tensorflow/tfjs-core";
import { columnSums } from "./column-sums.js";
import { compositeKernel } from "./composite-kernel.js";
import { lastAxis, requireShape, sizeOf } from "./shape.js";

/** Kernel of `linear`. */
export const Linear = "LejepaLinear";
/** Operands of {@link Linear}. */
export interface LinearInputs {
  /** [M, I] */
  readonly x: tf.Tensor;
  /** [I, O] */
  readonly weight: tf.Tensor;
  /** [O] */
  readonly bias?: tf.Tensor | undefined;
}

const runLinear = compositeKernel({
  kernelName: Linear,
  outputs: ["y"],
  forward: ({ x, weight, bias }: LinearInputs) => {
    const product = tf.matMul(x, weight);
    return { y: bias === undefined ? product : tf.add(product, bias) };
  },
  gradient: {
    saves: ["x", "weight"],
    rule: ({ y: dy }, { x, weight }) => ({
      x: () => tf.matMul(dy, weight, false, true),
      weight: () => tf.matMul(x, dy, true, false),
      bias: () => tf.reshape(columnSums(dy as tf.Tensor2D), [weight.shape[1] as number]),
    }),
  },
});

/** Affine map of the last axis:
 *    y[.., o] = sum_i x[.., i] weight[i, o] + bias[o]
 *  Shapes: x [.., I], weight [I, O], bias [O] -> [.., O]. The leading axes become the rows of one matrix product.
 *  Gradients: dx = dy weight', dweight = x' dy, dbias = sum over rows of dy, each one matrix product.
 *  Throws LejepaError "bad-shape". Differs from torch.nn.Linear in the weight's layout, which is [in, out] here. */
export function linear(x: tf.Tensor, weight: tf.Tensor, bias?: tf.Tensor): tf.Tensor {
  requireTensors("linear", { x, weight });
  requireOptionalTensors("linear", { bias });
  const inputs = lastAxis("linear", "x", x.shape);
  requireShape("linear", "weight", weight.shape, [inputs, -1]);
  const outputs = weight.shape[1] as number;
  if (bias !== undefined) {
    requireShape("linear", "bias", bias.shape, [outputs]);
  }
  const leading = x.shape.slice(0, -1);
  const rows = tf.reshape(x, [sizeOf(leading), inputs]);
  return tf.reshape(runLinear({ x: rows, weight, bias }, {})[0]!, [...leading, outputs]);
}
