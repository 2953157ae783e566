import { anything, requireArgument, requireOptions, someObject } from "./check-argument.js";
import { requireTensors } from "./tensor-argument.js";
import * as tf from "@tensorflow/tfjs-core";
import { batchShare } from "./among-processes.js";
import { batchNorm } from "./batch-norm.js";
import { columnSums } from "./column-sums.js";
import { compositeKernel, isNative } from "./composite-kernel.js";
import { conv2d } from "./conv2d.js";
import {
  convolve,
  filterGradient,
  type Geometry,
  geometryOf,
  inputGradient,
  resultShape,
} from "./convolution.js";
import { NormalizeColumns } from "./normalize-columns.js";
import type { Padding } from "./padding.js";
import {
  type BatchStatistics,
  movedStatistics,
  normOptions,
  requireRows,
  requireStatistics,
} from "./running-statistics.js";
import { requireShape, sizeOf } from "./shape.js";

/** Scale, shift and running statistics of a batch normalisation, each [O]. */
export interface BatchNormParameters {
  /** Scale of each channel. */
  readonly weight: tf.Tensor;
  /** Shift of each channel. */
  readonly bias: tf.Tensor;
  /** Running mean and variance. */
  readonly running: BatchStatistics;
}

/** Geometry and form of a convolution block. */
export interface ConvBlockOptions {
  /** "train" normalises by the statistics of the batch and moves the running ones; "eval" by the running ones. */
  readonly mode: "train" | "eval";
  /** Step between outputs, in pixels, both ways. Default 1. */
  readonly stride?: number;
  /** Zeros around the image. Default 0. */
  readonly padding?: Padding;
  /** Added after the normalisation, before the activation; of the result's shape. */
  readonly residual?: tf.Tensor4D;
  /** What comes last. Default "relu". */
  readonly activation?: "relu" | "none";
  /** Added to the variance. Default 1e-5, as torch.nn.BatchNorm2d. */
  readonly epsilon?: number;
  /** Weight of this batch in the new running statistics, 0..1. Default 0.1, as torch.nn.BatchNorm2d. */
  readonly momentum?: number;
}

/** Convolution without bias, batch normalisation, residual and ReLU as one operation:
 *    y = relu((u - mean) inv weight + bias + residual),   u = conv(x, kernel),   inv = 1 / sqrt(variance + epsilon)
 *  Shapes: x [N, H, W, I], kernel [Kh, Kw, I, O], the norm's parameters [O], residual and y [N, H', W', O] as `conv2d`.
 *  Statistics, updates and modes as `batchNorm`. What is saved over the two apart, with c = u - mean, M = N H' W':
 *  - the mean of a convolution is the convolution of the mean image, so c leaves the convolution centred;
 *  - dy becomes h = dy - c inv^2 mean(dy c) - mean(dy), of which du = h a, a = weight inv; the factor of each channel
 *    goes to the small side: dkernel = (x * h) a, dx is h convolved back through kernel a;
 *  - in "eval" the whole normalisation is folded into kernel and shift.
 *  dweight = inv sum of dy c, dbias = sum of dy, dresidual = dy, dy taken behind the ReLU.
 *  Within `amongProcesses`, and on a backend with a normalisation of its own, it is `conv2d` and `batchNorm`.
 *  Throws LejepaError "bad-shape", "bad-padding", "bad-stride", and "too-few-rows" in "train" when M is 1. */
export function convBlock(
  x: tf.Tensor4D,
  kernel: tf.Tensor4D,
  norm: BatchNormParameters,
  options: ConvBlockOptions,
): { y: tf.Tensor4D; updates: BatchStatistics } {
  requireTensors("convBlock", { x, kernel });
  requireArgument("convBlock", "norm", norm, someObject);
  const { weight, bias, running } = norm;
  requireTensors("convBlock", { weight, bias });
  requireStatistics("convBlock", "running", running);
  requireOptions("convBlock", options, { ...normOptions, stride: anything, padding: anything });
  const { mode, stride = 1, padding = 0, residual, activation = "relu" } = options;
  const { epsilon = 1e-5, momentum = 0.1 } = options;
  const outputs = kernel.shape[3];
  for (const [name, tensor] of Object.entries({ weight, bias, ...running })) {
    requireShape("convBlock", name, tensor.shape, [outputs]);
  }
  const geometry = geometryOf("convBlock", x, kernel, { stride, padding });
  const shape = resultShape(x.shape, kernel.shape, geometry);
  if (residual !== undefined) {
    requireShape("convBlock", "residual", residual.shape, shape);
  }
  if (mode === "eval") {
    const scale = tf.mul(weight, tf.rsqrt(tf.add(running.variance, epsilon)));
    const shift = tf.sub(bias, tf.mul(running.mean, scale));
    const folded = tf.mul<tf.Tensor4D>(kernel, scale);
    const y = conv2d(x, folded, { stride, padding, bias: shift });
    const sum = residual === undefined ? y : tf.add<tf.Tensor4D>(y, residual);
    return { y: activation === "relu" ? tf.relu(sum) : sum, updates: running };
  }
  if (batchShare() !== undefined || isNative(NormalizeColumns)) {
    // Nothing is saved by having the two as one where the statistics come from elsewhere, or are one operation.
    const u = conv2d(x, kernel, { stride, padding });
    const { y, updates } = batchNorm(u, weight, bias, running, {
      mode,
      epsilon,
      momentum,
      activation,
      ...(residual && { residual }),
    });
    return { y: y as tf.Tensor4D, updates };
  }
  const count = sizeOf(shape.slice(0, -1));
  requireRows("convBlock", count, x.shape);
  const [y, mean, variance] = trainedBlock(
    { x, kernel, weight, bias, residual },
    { ...geometry, activation, epsilon },
  ) as [tf.Tensor4D, tf.Tensor, tf.Tensor];
  return { y, updates: movedStatistics(running, { mean, variance, count, momentum }) };
}

/** What `trainedBlock` takes besides tensors. */
interface BlockAttributes extends Geometry {
  readonly activation: "relu" | "none";
  readonly epsilon: number;
}

const trainedBlock = compositeKernel({
  kernelName: "LejepaConvBlock",
  outputs: ["y", "mean", "variance", "centred", "inverse"],
  results: 3,
  forward: (
    {
      x,
      kernel,
      weight,
      bias,
      residual,
    }: {
      readonly x: tf.Tensor4D;
      readonly kernel: tf.Tensor4D;
      readonly weight: tf.Tensor;
      readonly bias: tf.Tensor;
      readonly residual?: tf.Tensor4D | undefined;
    },
    { activation, epsilon, ...geometry }: BlockAttributes,
  ) => {
    const [batch, ...image] = x.shape;
    const outputs = kernel.shape[3];
    const images = tf.reshape<tf.Rank.R2>(x, [batch, sizeOf(image)]);
    const meanImage = tf.reshape<tf.Rank.R4>(columnSums(images, 1 / batch), [1, ...image]);
    const meanOfImage = convolve(meanImage, kernel, geometry);
    const positions = sizeOf(meanOfImage.shape) / outputs;
    const mean = columnSums(tf.reshape(meanOfImage, [positions, outputs]), 1 / positions); // [1, O]
    const centred = tf.sub<tf.Tensor4D>(convolve(x, kernel, geometry), mean);
    const squares = tf.reshape<tf.Rank.R2>(tf.square(centred), [batch * positions, outputs]);
    const variance = columnSums(squares, 1 / (batch * positions)); // [1, O]
    const inverse = tf.rsqrt(tf.add(variance, epsilon));
    const normal = tf.add(tf.mul(centred, tf.mul(inverse, weight)), bias);
    const sum = residual === undefined ? normal : tf.add(normal, residual);
    const y = activation === "relu" ? tf.relu(sum) : sum;
    return { y, mean, variance, centred, inverse };
  },
  gradient: {
    saves: ["x", "kernel", "weight", "y", "centred", "inverse"],
    rule: ({ y: dy }, saved, { activation, ...geometry }) => {
      const { weight, y, inverse } = saved;
      const [x, kernel, centred] = [saved.x, saved.kernel, saved.centred] as tf.Tensor4D[];
      const outputs = kernel!.shape[3];
      const dSum = activation === "relu" ? tf.mul(dy, tf.step(y)) : dy;
      const count = dSum.size / outputs;
      const sumsOf = (t: tf.Tensor) => columnSums(tf.reshape(t, [count, outputs])); // [1, O]
      const dbias = sumsOf(dSum);
      const dweight = tf.mul(sumsOf(tf.mul(dSum, centred!)), inverse);
      const slope = tf.mul(tf.mul(dweight, inverse), 1 / count);
      const h = tf.sub<tf.Tensor4D>(
        tf.sub(dSum, tf.mul(centred!, slope)),
        tf.mul(dbias, 1 / count),
      );
      const factor = tf.mul(inverse, weight); // [1, O]
      return {
        x: () => inputGradient(h, tf.mul(kernel!, factor), x!.shape, geometry),
        kernel: () => tf.mul(filterGradient(x!, h, kernel!.shape, geometry), factor),
        weight: () => tf.reshape(dweight, weight.shape),
        bias: () => tf.reshape(dbias, weight.shape),
        residual: () => tf.clone(dSum),
      };
    },
  },
});
