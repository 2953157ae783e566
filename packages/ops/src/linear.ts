import * as tf from "@tensorflow/tfjs-core";
import { columnSums } from "./column-sums.js";
import { lastAxis, requireShape, sizeOf } from "./shape.js";
import { withGradient } from "./with-gradient.js";

/** Affine map of the last axis:
 *    y[.., o] = sum_i x[.., i] weight[i, o] + bias[o]
 *  Shapes: x [.., I], weight [I, O], bias [O] -> [.., O]. The leading axes become the rows of one matrix product.
 *  Gradients: dx = dy weight', dweight = x' dy, dbias = sum over rows of dy, each one matrix product.
 *  Throws LejepaError "bad-shape". Differs from torch.nn.Linear in the weight's layout, which is [in, out] here. */
export function linear(x: tf.Tensor, weight: tf.Tensor, bias?: tf.Tensor): tf.Tensor {
  const inputs = lastAxis("linear", "x", x.shape);
  requireShape("linear", "weight", weight.shape, [inputs, -1]);
  const outputs = weight.shape[1] as number;
  const leading = x.shape.slice(0, -1);
  const rows = tf.reshape<tf.Rank.R2>(x, [sizeOf(leading), inputs]);
  let y: tf.Tensor2D = tf.matMul(rows, weight);
  if (bias !== undefined) {
    requireShape("linear", "bias", bias.shape, [outputs]);
    y = addBias(y, bias);
  }
  return tf.reshape(y, [...leading, outputs]);
}

/** x [M, C] + bias [C], apart from the matrix product so that tfjs computes only the gradients it is asked for. */
export function addBias(x: tf.Tensor2D, bias: tf.Tensor): tf.Tensor2D {
  return withGradient([x, bias], () => ({
    value: tf.add(x, bias),
    gradient: (dy) => [tf.clone(dy), tf.reshape(columnSums(dy as tf.Tensor2D), bias.shape)],
  })) as tf.Tensor2D;
}
