import * as tf from "@tensorflow/tfjs-core";
import { LejepaError } from "./lejepa-error.js";

/** The running statistics of one batch normalisation, each [C]. */
export interface BatchStatistics {
  /** Running mean of each channel. */
  readonly mean: tf.Tensor;
  /** Running variance of each channel. */
  readonly variance: tf.Tensor;
}

/** Throws "too-few-rows" when M = `count` is below 2, where the unbiased variance has no value. */
export function requireRows(op: string, count: number, shape: readonly number[]): void {
  if (count < 2) {
    throw new LejepaError(
      "too-few-rows",
      `${op}: training statistics need at least 2 values in each channel, got x of shape [${shape.join(", ")}]; use a larger batch or mode "eval".`,
    );
  }
}

/** running + momentum (batch - running), the batch's variance made unbiased: times M / (M - 1) with M = `count`. */
export function movedStatistics(
  running: BatchStatistics,
  batch: BatchStatistics & { readonly count: number; readonly momentum: number },
): BatchStatistics {
  const { mean, variance, count, momentum } = batch;
  const towards = (old: tf.Tensor, own: tf.Tensor): tf.Tensor =>
    tf.add(tf.mul(old, 1 - momentum), tf.mul(tf.reshape(own, old.shape), momentum));
  return {
    mean: towards(running.mean, mean),
    variance: towards(running.variance, tf.mul(variance, count / (count - 1))),
  };
}
