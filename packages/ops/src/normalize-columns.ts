import * as tf from "@tensorflow/tfjs-core";
import { columnSums } from "./column-sums.js";
import { compositeKernel } from "./composite-kernel.js";

/** Kernel of the normalisation inside `batchNorm` in "train": outputs y [M, C], then the batch's mean, (biased) variance
 *  and inv, each [1, C],
 *    y = (x - mean) inv weight + bias,   inv = 1 / sqrt(variance + epsilon) */
export const NormalizeColumns = "LejepaNormalizeColumns";
/** Operands of {@link NormalizeColumns}. */
export interface NormalizeColumnsInputs {
  /** [M, C] */
  readonly x: tf.Tensor;
  /** [C] */
  readonly weight: tf.Tensor;
  /** [C] */
  readonly bias: tf.Tensor;
}
/** Attributes of {@link NormalizeColumns}. */
export interface NormalizeColumnsAttrs {
  /** Added to the variance. */
  readonly epsilon: number;
}

/** Kernel of its gradient: outputs dx [M, C], dweight and dbias, each [1, C], with s = sum over rows of dy (x - mean):
 *    dx = a dy - (x - mean) (a inv^2 s / M) - a mean(dy),  a = weight inv;   dweight = inv s;   dbias = sum of dy */
export const NormalizeColumnsGrad = "LejepaNormalizeColumnsGrad";
/** Operands of {@link NormalizeColumnsGrad}. */
export interface NormalizeColumnsGradInputs {
  /** [M, C] */
  readonly dy: tf.Tensor;
  /** What was normalised, [M, C]. */
  readonly x: tf.Tensor;
  /** [C] */
  readonly weight: tf.Tensor;
  /** [1, C] */
  readonly mean: tf.Tensor;
  /** inv, [1, C] */
  readonly inverse: tf.Tensor;
}

/** Runs the kernel, within the kernels that are made of it. */
export const runNormalizeColumns = compositeKernel({
  kernelName: NormalizeColumns,
  outputs: ["y", "mean", "variance", "inverse"],
  results: 4,
  forward: ({ x, weight, bias }: NormalizeColumnsInputs, { epsilon }: NormalizeColumnsAttrs) => {
    const rows = x.shape[0];
    const mean = columnSums(x as tf.Tensor2D, 1 / rows);
    const centred = tf.sub<tf.Tensor2D>(x, mean);
    const variance = columnSums(tf.square(centred), 1 / rows);
    const inverse = tf.rsqrt(tf.add(variance, epsilon));
    const y = tf.add(tf.mul(centred, tf.mul(inverse, weight)), bias);
    return { y, mean, variance, inverse };
  },
});

/** Runs the kernel of the gradient. x - mean is computed anew: a captured graph that has it already shares it. */
export const runNormalizeColumnsGrad = compositeKernel({
  kernelName: NormalizeColumnsGrad,
  outputs: ["dx", "dweight", "dbias"],
  results: 3,
  forward: ({ dy, x, weight, mean, inverse }: NormalizeColumnsGradInputs) => {
    const rows = dy.shape[0];
    const centred = tf.sub<tf.Tensor2D>(x, mean);
    const dweight = tf.mul(columnSums(tf.mul<tf.Tensor2D>(dy, centred)), inverse);
    const dbias = columnSums(dy as tf.Tensor2D);
    const scale = tf.mul(inverse, weight);
    const slope = tf.mul(tf.mul(tf.mul(scale, inverse), dweight), 1 / rows);
    const offset = tf.mul(tf.mul(scale, dbias), 1 / rows);
    const dx = tf.sub(tf.sub(tf.mul(dy, scale), tf.mul(centred, slope)), offset);
    return { dx, dweight, dbias };
  },
});
