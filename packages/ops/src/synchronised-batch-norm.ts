import * as tf from "@tensorflow/tfjs-core";
import { allReduceMean } from "./all-reduce-mean.js";
import type { BatchShare } from "./among-processes.js";
import type { BatchNormAttrs, BatchNormInputs } from "./batch-norm.js";
import { columnSums } from "./column-sums.js";
import { compositeKernel } from "./composite-kernel.js";
import { finished, unfinished } from "./norm-activation.js";

/** Attributes of {@link synchronisedBatchNorm}. */
interface SynchronisedAttrs extends BatchNormAttrs, BatchShare {}

/** `batchNorm` in "train" over the rows of all processes, x [M, C] being this one's. With c = x - own mean, offset =
 *  mean - own mean, M' the rows and w_r the share of rows of process r:
 *    mean = sum_r w_r mean_r,   variance = sum_r w_r (variance_r + (mean_r - mean)^2)
 *    y = activation(c a + (bias - offset a) + residual),   a = weight / sqrt(variance + epsilon)
 *  One exchange of K 2 C numbers forward: each process puts its mean and variance into a row of its own, which loses
 *  nothing to cancellation as sums of squares would. One of 2 C numbers backward, s0 = sum of dz and s1 = sum of
 *  dz (x - mean) over all rows:
 *    dx = a dz - (x - mean) (a inv^2 s1 / M') - a s0 / M'
 *  dweight and dbias are those of this process's rows: their mean over processes is what a step uses.
 *  Outputs y [M, C], mean and (biased) variance of all rows [1, C], then what the gradient reads. */
export const synchronisedBatchNorm = compositeKernel({
  kernelName: "LejepaSynchronisedBatchNorm",
  outputs: ["y", "mean", "variance", "centred", "offset", "inverse"],
  results: 3,
  forward: (
    { x, weight, bias, residual }: BatchNormInputs,
    { epsilon, activation, rank, samples }: SynchronisedAttrs,
  ) => {
    const [count, channels] = x.shape as [number, number];
    const processes = samples.length;
    const ownMean = columnSums(x as tf.Tensor2D, 1 / count);
    const centred = tf.sub<tf.Tensor2D>(x, ownMean);
    const ownVariance = columnSums(tf.square(centred), 1 / count);
    // The mean over processes of K times a row that only one of them fills is that row.
    const place = samples.map((_, process) => (process === rank ? processes : 0));
    const rows = allReduceMean(
      tf.mul(tf.tensor2d(place, [processes, 1]), tf.concat2d([ownMean, ownVariance], 1)),
    ); // [K, 2 C]
    const [means, variances] = tf.split(rows, 2, 1) as [tf.Tensor2D, tf.Tensor2D];
    const whole = sum(samples);
    const weights = tf.tensor2d(
      samples.map((own) => own / whole),
      [1, processes],
    );
    const mean = tf.matMul(weights, means);
    const spread = tf.add<tf.Tensor2D>(variances, tf.square(tf.sub(means, mean)));
    const variance = tf.matMul(weights, spread);
    const inverse = tf.rsqrt(tf.add(variance, epsilon));
    const offset = tf.sub(mean, ownMean);
    const scale = tf.mul(inverse, tf.reshape(weight, [1, channels]));
    const shift = tf.sub(bias, tf.mul(offset, scale));
    const normal = tf.add(tf.mul(centred, scale), shift);
    return {
      y: finished(normal, residual, activation),
      mean,
      variance,
      centred,
      offset,
      inverse,
    };
  },
  gradient: {
    saves: ["weight", "y", "centred", "offset", "inverse"],
    rule: ({ y: dy }, saved, { activation, rank, samples }) => {
      const { weight, y, centred, offset, inverse } = saved;
      const [count, channels] = dy.shape as [number, number];
      const dz = unfinished(dy, y, activation);
      const s0 = columnSums(dz);
      const s1 = tf.sub<tf.Tensor2D>(
        columnSums(tf.mul<tf.Tensor2D>(dz, centred)),
        tf.mul(offset, s0),
      );
      // A mean over processes of sums over the own rows: K / M' makes it the mean over all rows.
      const perRow = (samples.length * samples[rank]!) / (count * sum(samples));
      const shared = tf.mul(allReduceMean(tf.concat2d([s0, s1], 1)), perRow);
      const [mean0, mean1] = tf.split(shared, 2, 1) as [tf.Tensor2D, tf.Tensor2D];
      return {
        x: () => {
          const scale = tf.mul(inverse, tf.reshape(weight, [1, channels]));
          const slope = tf.mul(tf.mul(scale, tf.square(inverse)), mean1);
          const constant = tf.sub(tf.mul(offset, slope), tf.mul(scale, mean0));
          return tf.add(tf.sub(tf.mul(dz, scale), tf.mul(centred, slope)), constant);
        },
        weight: () => tf.reshape(tf.mul(s1, inverse), weight.shape),
        bias: () => tf.reshape(s0, weight.shape),
        residual: () => tf.clone(dz),
      };
    },
  },
});

/** Rows of all processes, of which this one has `count`. */
export const rowsOfAll = (count: number, { rank, samples }: BatchShare): number =>
  (count * sum(samples)) / samples[rank]!;

const sum = (numbers: readonly number[]): number => numbers.reduce((a, b) => a + b);
