import { type Expected, numberFrom, positiveNumber, requireOptions } from "./check-argument.js";
import { someTensor } from "./tensor-argument.js";
import * as tf from "@tensorflow/tfjs-core";
import { compositeKernel } from "./composite-kernel.js";
import { requireShape } from "./shape.js";

/** What one AdamW update reads. */
export interface AdamwInputs {
  /** p, of any shape. */
  readonly parameter: tf.Tensor;
  /** m, the running mean of the gradients, of p's shape. */
  readonly mean: tf.Tensor;
  /** v, the running mean of their squares, of p's shape. */
  readonly square: tf.Tensor;
  /** g, of p's shape. */
  readonly gradient: tf.Tensor;
  /** lr, a scalar. */
  readonly learningRate: tf.Tensor;
  /** c1 = 1 - b1^t, a scalar. */
  readonly correction1: tf.Tensor;
  /** c2 = 1 - b2^t, a scalar; above 0. */
  readonly correction2: tf.Tensor;
}

/** What stays the same from step to step. */
export interface AdamwConstants {
  /** b1, decay rate of the mean of the gradients; in [0, 1). */
  readonly beta1: number;
  /** b2, decay rate of the mean of their squares; in [0, 1). */
  readonly beta2: number;
  /** Added to the root of the second moment; above 0. */
  readonly epsilon: number;
  /** wd, of the parameter itself; 0 for none. */
  readonly weightDecay: number;
}

/** One update of a parameter, or of several laid end to end in one vector, by AdamW (arXiv 1711.05101, algorithm 2):
 *    m' = b1 m + (1 - b1) g,   v' = b2 v + (1 - b2) g^2
 *    p' = (1 - lr wd) p - lr (m' / c1) / (sqrt(v' / c2) + epsilon)
 *  t counts steps from 1. As torch.optim.AdamW. Computed as lr' m' / (sqrt(v') + epsilon'), with the corrections on
 *  the scalars: lr' = lr sqrt(c2) / c1, epsilon' = epsilon sqrt(c2). Every element is on its own, so an engine may
 *  lay several updates end to end. No gradient flows through it. Throws LejepaError "bad-shape". */
export function adamw(
  inputs: AdamwInputs,
  constants: AdamwConstants,
): { parameter: tf.Tensor; mean: tf.Tensor; square: tf.Tensor } {
  const names = [
    "parameter",
    "mean",
    "square",
    "gradient",
    "learningRate",
    "correction1",
    "correction2",
  ];
  const tensors = Object.fromEntries(names.map((name) => [name, someTensor]));
  requireOptions("adamw", inputs, tensors, "bad-argument");
  const rates = { beta1: rate, beta2: rate, epsilon: positiveNumber, weightDecay: numberFrom(0) };
  requireOptions("adamw", constants, rates);
  const { beta1, beta2, epsilon, weightDecay } = constants;
  const { parameter, mean, square, gradient, learningRate, correction1, correction2 } = inputs;
  for (const [name, tensor] of Object.entries({ mean, square, gradient })) {
    requireShape("adamw", name, tensor.shape, parameter.shape);
  }
  for (const [name, tensor] of Object.entries({ learningRate, correction1, correction2 })) {
    requireShape("adamw", name, tensor.shape, []);
  }
  const updated = update(
    { parameter, mean, square, gradient, learningRate, correction1, correction2 },
    { beta1, beta2, epsilon, weightDecay },
  );
  const [nextParameter, nextMean, nextSquare] = updated as [tf.Tensor, tf.Tensor, tf.Tensor];
  return { parameter: nextParameter, mean: nextMean, square: nextSquare };
}

const rate: Expected = {
  text: "a number of 0 or more, below 1",
  accepts: (value) => typeof value === "number" && value >= 0 && value < 1,
};

const update = compositeKernel({
  kernelName: "LejepaAdamw",
  outputs: ["parameter", "mean", "square"],
  results: 3,
  forward: (
    {
      parameter,
      mean,
      square,
      gradient,
      learningRate,
      correction1,
      correction2,
    }: { readonly [Name in keyof AdamwInputs]: tf.Tensor },
    { beta1, beta2, epsilon, weightDecay }: AdamwConstants,
  ) => {
    const root = tf.sqrt(correction2);
    const stepSize = tf.div(tf.mul(learningRate, root), correction1);
    const nextMean = tf.add(tf.mul(mean, beta1), tf.mul(gradient, 1 - beta1));
    const nextSquare = tf.add(tf.mul(square, beta2), tf.mul(tf.square(gradient), 1 - beta2));
    const denominator = tf.add(tf.sqrt(nextSquare), tf.mul(root, epsilon));
    const change = tf.mul(tf.div(nextMean, denominator), stepSize);
    const kept =
      weightDecay === 0
        ? parameter
        : tf.mul(parameter, tf.sub(1, tf.mul(learningRate, weightDecay)));
    return { parameter: tf.sub(kept, change), mean: nextMean, square: nextSquare };
  },
});
