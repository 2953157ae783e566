import * as tf from "@tensorflow/tfjs-core";
import { columnSums } from "./column-sums.js";
import { lastAxis, requireShape, sizeOf } from "./shape.js";
import { withGradient } from "./with-gradient.js";

/** Layer normalisation over the last axis (arXiv 1607.06450):
 *    y = x^ weight + bias,   x^ = (x - mean) inv,   inv = 1 / sqrt(variance + epsilon)
 *  with mean and (biased) variance of each row. Shapes: x [.., D], weight [D], bias [D] -> [.., D].
 *  Gradient in closed form, with g = dy weight:
 *    dx = inv (g - mean(g) - x^ mean(g x^)),   dweight = sum of dy x^,   dbias = sum of dy over rows;
 *  both row means are products with the weight as a column, so g x^ is never formed.
 *  timm's vision transformers use epsilon 1e-6, torch.nn.LayerNorm 1e-5. Throws LejepaError "bad-shape". */
export function layerNorm(
  x: tf.Tensor,
  weight: tf.Tensor,
  bias: tf.Tensor,
  epsilon: number,
): tf.Tensor {
  const dim = lastAxis("layerNorm", "x", x.shape);
  requireShape("layerNorm", "weight", weight.shape, [dim]);
  requireShape("layerNorm", "bias", bias.shape, [dim]);
  const rows = tf.reshape(x, [sizeOf(x.shape.slice(0, -1)), dim]);
  const y = withGradient([rows, weight, bias], (save) => {
    const centred = tf.sub(rows, tf.mean(rows, 1, true));
    const variance = tf.mean(tf.square(centred), 1, true);
    const inverse = tf.rsqrt(tf.add(variance, epsilon)); // [M, 1]
    const normal = tf.mul(centred, inverse);
    save([normal, inverse, weight]);
    return {
      value: tf.add(tf.mul(normal, weight), bias),
      gradient: (dy, saved) => {
        const [normal, inverse, weight] = saved as [tf.Tensor2D, tf.Tensor2D, tf.Tensor1D];
        const dyNormal = tf.mul<tf.Tensor2D>(dy, normal);
        const column = tf.mul<tf.Tensor2D>(tf.reshape(weight, [dim, 1]), 1 / dim);
        const meanG = tf.matMul(dy, column); // [M, 1]
        const meanGNormal = tf.matMul(dyNormal, column); // [M, 1]
        const dx = tf.mul(
          tf.sub(tf.sub(tf.mul(dy, weight), meanG), tf.mul(normal, meanGNormal)),
          inverse,
        );
        return [
          dx,
          tf.reshape(columnSums(dyNormal), [dim]),
          tf.reshape(columnSums(dy as tf.Tensor2D), [dim]),
        ];
      },
    };
  });
  return tf.reshape(y, x.shape);
}
