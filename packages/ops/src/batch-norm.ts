import * as tf from "@tensorflow/tfjs-core";
import { columnSums } from "./column-sums.js";
import { type BatchStatistics, movedStatistics, requireRows } from "./running-statistics.js";
import { lastAxis, requireShape, sizeOf } from "./shape.js";
import { withGradient } from "./with-gradient.js";

/** How `batchNorm` normalises. */
export interface BatchNormOptions {
  /** "train" normalises by the statistics of the batch and moves the running ones; "eval" by the running ones. */
  readonly mode: "train" | "eval";
  /** Added to the variance. Default 1e-5, as torch.nn.BatchNorm2d. */
  readonly epsilon?: number;
  /** Weight of this batch in the new running statistics, 0..1. Default 0.1, as torch.nn.BatchNorm2d. */
  readonly momentum?: number;
}

/** Batch normalisation over all axes but the last (arXiv 1502.03167), with PyTorch's conventions:
 *    y = (x - mean) inv weight + bias,   inv = 1 / sqrt(variance + epsilon)
 *  Shapes: x [.., C]; weight, bias, running.mean, running.variance [C] -> y [.., C]. M = rows, the product of the
 *  leading axes. In "train" mean and variance are the batch's, the variance biased (1/M); the updates are
 *    running + momentum (batch - running), with the unbiased variance (1/(M-1)),
 *  and no gradient flows through them. In "eval" they are the running ones, and the updates are those, unchanged.
 *  Gradient in closed form, with s = sum over rows of dy (x - mean):
 *    dx = a dy - (x - mean) (a inv^2 s / M) - a mean(dy),  a = weight inv;   dweight = inv s;   dbias = sum of dy.
 *  Throws LejepaError "bad-shape", and "too-few-rows" in "train" when M is 1, where the unbiased variance has no value. */
export function batchNorm(
  x: tf.Tensor,
  weight: tf.Tensor,
  bias: tf.Tensor,
  running: BatchStatistics,
  { mode, epsilon = 1e-5, momentum = 0.1 }: BatchNormOptions,
): { y: tf.Tensor; updates: BatchStatistics } {
  const channels = lastAxis("batchNorm", "x", x.shape, 2);
  requireShape("batchNorm", "weight", weight.shape, [channels]);
  requireShape("batchNorm", "bias", bias.shape, [channels]);
  requireShape("batchNorm", "running.mean", running.mean.shape, [channels]);
  requireShape("batchNorm", "running.variance", running.variance.shape, [channels]);
  const count = sizeOf(x.shape.slice(0, -1));
  const rows = tf.reshape<tf.Rank.R2>(x, [count, channels]);

  if (mode === "eval") {
    const scale = tf.mul(weight, tf.rsqrt(tf.add(running.variance, epsilon)));
    const shift = tf.sub(bias, tf.mul(running.mean, scale));
    const y = scaleAndShift(rows, scale, shift);
    return { y: tf.reshape(y, x.shape), updates: running };
  }
  requireRows("batchNorm", count, x.shape);
  // Statistics are computed beside the differentiable operation, so that they can be returned as well.
  const mean = columnSums(rows, 1 / count); // [1, C]
  const centred: tf.Tensor2D = tf.sub(rows, mean);
  const variance = columnSums(tf.square(centred), 1 / count); // [1, C]
  const y = withGradient([rows, weight, bias], (save) => {
    const inverse = tf.rsqrt(tf.add(variance, epsilon)); // [1, C]
    const scale = tf.mul(inverse, weight);
    save([centred, inverse, scale]);
    return {
      value: tf.add(tf.mul(centred, scale), bias),
      gradient: (dy, saved) => {
        const [centred, inverse, scale] = saved as [tf.Tensor2D, tf.Tensor2D, tf.Tensor2D];
        const sumDy = columnSums(dy as tf.Tensor2D);
        const dweight = tf.mul(columnSums(tf.mul(dy, centred)), inverse);
        const slope = tf.mul(tf.mul(tf.mul(scale, inverse), dweight), 1 / count);
        const offset = tf.mul(tf.mul(scale, sumDy), 1 / count);
        const dx = tf.sub(tf.sub(tf.mul(dy, scale), tf.mul(centred, slope)), offset);
        return [dx, tf.reshape(dweight, [channels]), tf.reshape(sumDy, [channels])];
      },
    };
  });
  return {
    y: tf.reshape(y, x.shape),
    updates: movedStatistics(running, { mean, variance, count, momentum }),
  };
}

/** x [M, C] scale [C] + shift [C]. */
function scaleAndShift(x: tf.Tensor2D, scale: tf.Tensor, shift: tf.Tensor): tf.Tensor {
  return withGradient([x, scale, shift], (save) => {
    save([x, scale]);
    return {
      value: tf.add(tf.mul(x, scale), shift),
      gradient: (dy, saved) => {
        const [x, scale] = saved as [tf.Tensor2D, tf.Tensor1D];
        return [
          tf.mul(dy, scale),
          tf.reshape(columnSums(tf.mul(dy, x)), scale.shape),
          tf.reshape(columnSums(dy as tf.Tensor2D), scale.shape),
        ];
      },
    };
  });
}
