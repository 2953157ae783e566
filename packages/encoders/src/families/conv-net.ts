import { anything, oneOf, optional, someText } from "@lejepa/ops";
import * as tf from "@tensorflow/tfjs-core";
import { onlySize, sizesFrom } from "../accepted-sizes.js";
import { defineEncoder, embedding } from "../define-encoder.js";
import type { Encoder } from "../encoder.js";
import {
  type ImageOptions,
  requireEncoderOptions,
  requireSizes,
  requireWholeNumbers,
  sizeList,
} from "../image-options.js";
import { torchDefault } from "../initial-value.js";
import { batchNorm } from "../layers/batch-norm.js";
import { convNorm } from "../layers/conv-norm.js";
import { feature } from "../layers/feature.js";
import { type Layer, named, operation } from "../layers/layer.js";
import { linear } from "../layers/linear.js";
import { meanPool } from "../layers/pooling.js";
import { residual } from "../layers/residual.js";
import { sequence } from "../layers/sequence.js";

/** A small convolutional encoder. */
export interface ConvNetOptions extends ImageOptions {
  /** Name to give it. Default "conv_net". */
  readonly name?: string;
  /** Channels after each halving of the image, at least one. */
  readonly widths: readonly number[];
  /** "mean": average over positions, D is the last width. "flatten": a linear layer on the flattened map (channel
   *  by channel, as PyTorch flattens), without bias, then batch norm; D is `dim`. */
  readonly head: "mean" | "flatten";
  /** D of the "flatten" head. Default 128. */
  readonly dim?: number;
}

/** A convolutional encoder for small images, after the recipe that was searched for on MNIST:
 *    stem        conv 4x4 stride 2                              -> widths[0]
 *    stages.S    conv 3x3 stride 2                              -> widths[S + 1]
 *                h + BN(conv 3x3 h), in all stages but the last (the residual)
 *  padding 1, no bias, batch norm and ReLU after each convolution; then the head. Each convolution halves the image:
 *  28 pixels become 14, 7, 4.
 *  With head "mean" it accepts images of every size from 2 pixels on, with "flatten" those of `imageSize`.
 *  Features: "stem", "stages.0", "stages.1", ...
 *  Initial values: PyTorch's defaults, uniform within 1 / sqrt(fan in) for convolutions and linear layers.
 *  Throws LejepaError "bad-encoder-option". */
export function convNet(options: ConvNetOptions): Encoder {
  requireEncoderOptions("convNet", options, {
    name: optional(someText),
    widths: sizeList(1),
    head: oneOf(["mean", "flatten"]),
    dim: anything,
  });
  const {
    name = "conv_net",
    imageSize = 28,
    channels = 1,
    widths,
    head,
    dim: flattened = 128,
  } = options;
  requireWholeNumbers(name, { imageSize, channels });
  requireSizes(name, "widths", widths);
  requireWholeNumbers(name, { "imageSize / 2": Math.floor(imageSize / 2) });
  const [first, ...later] = widths as [number, ...number[]];
  const last = widths[widths.length - 1] as number;
  let side = Math.floor((imageSize - 2) / 2) + 1;
  for (let stage = 0; stage < later.length; stage++) {
    side = Math.floor((side - 1) / 2) + 1;
  }
  const flat = side * side * last;
  const dim = head === "mean" ? last : flattened;
  requireWholeNumbers(name, { dim });

  const stem = feature("stem", halving(["stem.conv", "stem.bn"], 4, channels, first));
  const stages = later.map((width, stage) =>
    feature(
      `stages.${stage}`,
      named(
        `stages.${stage}`,
        sequence(
          halving(["conv", "bn"], 3, widths[stage] as number, width),
          ...(stage < later.length - 1 ? [residual(sameSize(width), { activation: "relu" })] : []),
        ),
      ),
    ),
  );
  const network = sequence(
    stem,
    ...stages,
    ...(head === "mean"
      ? [meanPool()]
      : [
          flatten(),
          ["head.fc", linear(flat, dim, { weight: torchDefault(flat) })] as const,
          ["head.bn", batchNorm(dim)] as const,
        ]),
  );
  // A linear layer on the flattened map knows one size of it.
  const sizes = head === "mean" ? sizesFrom(2) : onlySize(imageSize);
  return defineEncoder({ name, imageSize, channels, dim, sizes }, embedding(network));
}

/** Convolution that halves the image, batch norm and ReLU. */
const halving = (
  names: readonly [string, string],
  kernel: number,
  inputs: number,
  outputs: number,
): Layer => convNorm({ names, inputs, outputs, kernel, stride: 2, padding: 1, initial });

/** Convolution and batch norm that keep the shape, for a residual branch. */
const sameSize = (width: number): Layer =>
  convNorm({
    names: ["residual.conv", "residual.bn"],
    inputs: width,
    outputs: width,
    kernel: 3,
    padding: 1,
    activation: "none",
    initial,
  });

const initial = ([height, width, inputs]: readonly [number, number, number, number]) =>
  torchDefault(height * width * inputs);

/** Maps as rows of numbers, channels first, so that the exported weights fit a PyTorch twin as they are. */
const flatten = (): Layer =>
  operation((map: tf.Tensor4D) => {
    const [, height, width, channels] = map.shape;
    return tf.reshape(tf.transpose(map, [0, 3, 1, 2]), [-1, channels * height * width]);
  });
