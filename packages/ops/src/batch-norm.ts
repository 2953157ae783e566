import { requireOptions } from "./check-argument.js";
import { requireTensors } from "./tensor-argument.js";
import * as tf from "@tensorflow/tfjs-core";
import { batchShare } from "./among-processes.js";
import { columnSums } from "./column-sums.js";
import { compositeKernel } from "./composite-kernel.js";
import { finished, unfinished } from "./norm-activation.js";
import { runNormalizeColumns, runNormalizeColumnsGrad } from "./normalize-columns.js";
import {
  type BatchStatistics,
  movedStatistics,
  normOptions,
  requireRows,
  requireStatistics,
} from "./running-statistics.js";
import { lastAxis, requireShape, sizeOf } from "./shape.js";
import { rowsOfAll, synchronisedBatchNorm } from "./synchronised-batch-norm.js";

/** How `batchNorm` normalises. */
export interface BatchNormOptions {
  /** "train" normalises by the statistics of the batch and moves the running ones; "eval" by the running ones. */
  readonly mode: "train" | "eval";
  /** Added to the variance. Default 1e-5, as torch.nn.BatchNorm2d. */
  readonly epsilon?: number;
  /** Weight of this batch in the new running statistics, 0..1. Default 0.1, as torch.nn.BatchNorm2d. */
  readonly momentum?: number;
  /** Added to the result ahead of the activation; of the shape of x. */
  readonly residual?: tf.Tensor;
  /** Applied last. Default "none". */
  readonly activation?: "relu" | "none";
}

/** Kernel of `batchNorm` in "train": outputs y [M, C] and the batch's mean and (biased) variance, each [1, C], then
 *  inv [1, C], which the gradient reads. */
export const BatchNorm = "LejepaBatchNorm";
/** Operands of {@link BatchNorm}. */
export interface BatchNormInputs {
  /** [M, C] */
  readonly x: tf.Tensor;
  /** [C] */
  readonly weight: tf.Tensor;
  /** [C] */
  readonly bias: tf.Tensor;
  /** [M, C] */
  readonly residual?: tf.Tensor | undefined;
}
/** Attributes of {@link BatchNorm}. */
export interface BatchNormAttrs {
  /** Added to the variance. */
  readonly epsilon: number;
  /** Applied last. */
  readonly activation: "none" | "relu";
}

/** Kernel of `batchNorm` in "eval": y = activation(x scale + shift + residual). */
export const ScaleShift = "LejepaScaleShift";
/** Operands of {@link ScaleShift}. */
export interface ScaleShiftInputs {
  /** [M, C] */
  readonly x: tf.Tensor;
  /** [C] */
  readonly scale: tf.Tensor;
  /** [C] */
  readonly shift: tf.Tensor;
  /** [M, C] */
  readonly residual?: tf.Tensor | undefined;
}
/** Attributes of {@link ScaleShift}. */
export interface ScaleShiftAttrs {
  /** Applied last. */
  readonly activation: "none" | "relu";
}

const runBatchNorm = compositeKernel({
  kernelName: BatchNorm,
  outputs: ["y", "mean", "variance", "inverse"],
  results: 3,
  forward: (
    { x, weight, bias, residual }: BatchNormInputs,
    { epsilon, activation }: BatchNormAttrs,
  ) => {
    const [normal, mean, variance, inverse] = runNormalizeColumns({ x, weight, bias }, { epsilon });
    const y = finished(normal!, residual, activation);
    return { y, mean: mean!, variance: variance!, inverse: inverse! };
  },
  gradient: {
    saves: ["x", "weight", "y", "mean", "inverse"],
    rule: ({ y: dy }, { x, weight, y, mean, inverse }, { activation }) => {
      const dz = unfinished(dy, y, activation);
      const [dx, dweight, dbias] = runNormalizeColumnsGrad(
        { dy: dz, x, weight, mean, inverse },
        {},
      );
      return {
        x: () => tf.clone(dx!),
        weight: () => tf.reshape(dweight!, weight.shape),
        bias: () => tf.reshape(dbias!, weight.shape),
        residual: () => tf.clone(dz),
      };
    },
  },
});

const runScaleShift = compositeKernel({
  kernelName: ScaleShift,
  outputs: ["y"],
  forward: ({ x, scale, shift, residual }: ScaleShiftInputs, { activation }: ScaleShiftAttrs) => ({
    y: finished(tf.add(tf.mul(x, scale), shift), residual, activation),
  }),
  gradient: {
    saves: ["x", "scale", "y"],
    rule: ({ y: dy }, { x, scale, y }, { activation }) => {
      const dz = unfinished(dy, y, activation);
      return {
        x: () => tf.mul(dz, scale),
        scale: () => tf.reshape(columnSums(tf.mul<tf.Tensor2D>(dz, x)), scale.shape),
        shift: () => tf.reshape(columnSums(dz), scale.shape),
        residual: () => tf.clone(dz),
      };
    },
  },
});

/** Batch normalisation over all axes but the last (arXiv 1502.03167), with PyTorch's conventions:
 *    y = activation((x - mean) inv weight + bias + residual),   inv = 1 / sqrt(variance + epsilon)
 *  Shapes: x [.., C]; weight, bias, running.mean, running.variance [C] -> y [.., C]. M = rows, the product of the
 *  leading axes. In "train" mean and variance are the batch's, the variance biased (1/M); the updates are
 *    running + momentum (batch - running), with the unbiased variance (1/(M-1)),
 *  and no gradient flows through them. In "eval" they are the running ones, and the updates are those, unchanged.
 *  Gradient in closed form, with dz = dy where the activation passes it on and s = sum over rows of dz (x - mean):
 *    dx = a dz - (x - mean) (a inv^2 s / M) - a mean(dz),  a = weight inv;   dweight = inv s;   dbias = sum of dz;
 *    dresidual = dz.
 *  Within `amongProcesses` the statistics are those of all processes' rows.
 *  Throws LejepaError "bad-shape", and "too-few-rows" in "train" when M is 1, where the unbiased variance has no value. */
export function batchNorm(
  x: tf.Tensor,
  weight: tf.Tensor,
  bias: tf.Tensor,
  running: BatchStatistics,
  options: BatchNormOptions,
): { y: tf.Tensor; updates: BatchStatistics } {
  requireTensors("batchNorm", { x, weight, bias });
  requireStatistics("batchNorm", "running", running);
  requireOptions("batchNorm", options, normOptions);
  const { mode, epsilon = 1e-5, momentum = 0.1, residual, activation = "none" } = options;
  const channels = lastAxis("batchNorm", "x", x.shape, 2);
  requireShape("batchNorm", "weight", weight.shape, [channels]);
  requireShape("batchNorm", "bias", bias.shape, [channels]);
  requireShape("batchNorm", "running.mean", running.mean.shape, [channels]);
  requireShape("batchNorm", "running.variance", running.variance.shape, [channels]);
  if (residual !== undefined) {
    requireShape("batchNorm", "residual", residual.shape, x.shape);
  }
  const count = sizeOf(x.shape.slice(0, -1));
  const rowsOf = (t: tf.Tensor): tf.Tensor => tf.reshape(t, [count, channels]);
  const operands = { x: rowsOf(x), residual: residual && rowsOf(residual) };

  if (mode === "eval") {
    const scale = tf.mul(weight, tf.rsqrt(tf.add(running.variance, epsilon)));
    const shift = tf.sub(bias, tf.mul(running.mean, scale));
    const y = runScaleShift({ ...operands, scale, shift }, { activation })[0]!;
    return { y: tf.reshape(y, x.shape), updates: running };
  }
  const share = batchShare();
  const rows = share === undefined ? count : rowsOfAll(count, share);
  requireRows("batchNorm", rows, x.shape);
  const trained = { ...operands, weight, bias };
  const [y, mean, variance] = (
    share === undefined
      ? runBatchNorm(trained, { epsilon, activation })
      : synchronisedBatchNorm(trained, { epsilon, activation, ...share })
  ) as [tf.Tensor, tf.Tensor, tf.Tensor];
  return {
    y: tf.reshape(y, x.shape),
    updates: movedStatistics(running, { mean, variance, count: rows, momentum }),
  };
}
