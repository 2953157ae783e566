import {
  anything,
  globalAveragePool,
  oneOf,
  optional,
  requireTensors,
  someText,
} from "@lejepa/ops";
import * as tf from "@tensorflow/tfjs-core";
import type { Encoder } from "./encoder.js";
import {
  type ImageOptions,
  requireEncoderOptions,
  requireFloats,
  requireImages,
  requireSizes,
  requireWholeNumbers,
  sizeList,
} from "./image-options.js";
import { drawInitialValues, type ParameterPlan, specsOf, torchDefault } from "./initial-value.js";
import { batchNormPlan, convolutionPlan, ForwardPass, shapesOf, linearPlan } from "./layers.js";

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

  const plans: ParameterPlan[] = [
    ...convolution("stem.conv", 4, channels, first),
    ...batchNormPlan("stem.bn", first),
    ...later.flatMap((width, stage) => [
      ...convolution(`stages.${stage}.conv`, 3, widths[stage] as number, width),
      ...batchNormPlan(`stages.${stage}.bn`, width),
      ...(stage < later.length - 1
        ? [
            ...convolution(`stages.${stage}.residual.conv`, 3, width, width),
            ...batchNormPlan(`stages.${stage}.residual.bn`, width),
          ]
        : []),
    ]),
    ...(head === "flatten"
      ? [
          ...linearPlan("head.fc", flat, dim, { weight: torchDefault(flat) }),
          ...batchNormPlan("head.bn", dim),
        ]
      : []),
  ];

  const shapes = shapesOf(plans);
  return {
    name,
    imageSize,
    channels,
    dim,
    parameters: specsOf(plans),
    init: (seed) => drawInitialValues(plans, seed),
    apply: (parameters, images, options) => {
      requireTensors(name, { images });
      requireImages(name, images.shape, imageSize, channels);
      requireFloats(name, images);
      const pass = new ForwardPass(name, shapes, parameters, options);
      const block = (layer: string, x: tf.Tensor4D, stride: number, residual?: tf.Tensor4D) =>
        pass.convBlock(`${layer}.conv`, `${layer}.bn`, x, {
          stride,
          padding: 1,
          ...(residual && { residual }),
        });
      let h = block("stem", images, 2);
      later.forEach((_, stage) => {
        h = block(`stages.${stage}`, h, 2);
        if (stage < later.length - 1) h = block(`stages.${stage}.residual`, h, 1, h);
      });
      // Channels first, so that the exported weights fit a PyTorch twin as they are.
      const flatRows = (map: tf.Tensor4D) =>
        tf.reshape(tf.transpose(map, [0, 3, 1, 2]), [-1, flat]);
      const embedding =
        head === "mean"
          ? globalAveragePool(h)
          : pass.batchNorm("head.bn", pass.linear("head.fc", flatRows(h), "no-bias"));
      return { embedding: embedding as tf.Tensor2D, updates: pass.updates };
    },
  };
}

function convolution(name: string, kernel: number, inputs: number, outputs: number) {
  return convolutionPlan(
    name,
    [kernel, kernel, inputs, outputs],
    torchDefault(kernel * kernel * inputs),
  );
}
