import * as tf from "@tensorflow/tfjs-core";
import { type Expected, oneOf, optional, requireArgument, someObject } from "./check-argument.js";
import { LejepaError } from "./lejepa-error.js";
import { epsilonArgument, requireTensors, someTensor } from "./tensor-argument.js";

/** The running statistics of one batch normalisation, each [C]. */
export interface BatchStatistics {
  /** Running mean of each channel. */
  readonly mean: tf.Tensor;
  /** Running variance of each channel. */
  readonly variance: tf.Tensor;
}

/** The options that all batch normalisations have. */
export const normOptions: Readonly<
  Record<"mode" | "epsilon" | "momentum" | "residual" | "activation", Expected>
> = {
  mode: oneOf(["train", "eval"]),
  epsilon: optional(epsilonArgument),
  momentum: optional({
    text: "a number from 0 to 1",
    accepts: (value) => typeof value === "number" && value >= 0 && value <= 1,
  }),
  residual: optional(someTensor),
  activation: optional(oneOf(["none", "relu"])),
};

/** Throws LejepaError "bad-argument" unless these are running statistics. */
export function requireStatistics(op: string, name: string, running: BatchStatistics): void {
  requireArgument(op, name, running, someObject);
  requireTensors(op, {
    [`${name}.mean`]: running.mean,
    [`${name}.variance`]: running.variance,
  });
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
