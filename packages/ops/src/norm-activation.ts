import * as tf from "@tensorflow/tfjs-core";

/** activation(x + residual) */
export function finished(
  x: tf.Tensor,
  residual: tf.Tensor | undefined,
  activation: "relu" | "none",
): tf.Tensor {
  const sum = residual === undefined ? x : tf.add(x, residual);
  return activation === "relu" ? tf.relu(sum) : sum;
}

/** The gradient ahead of the activation. */
export const unfinished = (dy: tf.Tensor, y: tf.Tensor, activation: "relu" | "none"): tf.Tensor2D =>
  (activation === "relu" ? tf.mul(dy, tf.step(y)) : tf.clone(dy)) as tf.Tensor2D;
