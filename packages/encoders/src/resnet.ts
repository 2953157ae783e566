import {
  type ConvBlockOptions,
  globalAveragePool,
  maxPool2d,
  oneOf,
  optional,
  requireTensors,
  someText,
} from "@lejepa/ops";
import type * as tf from "@tensorflow/tfjs-core";
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
import { drawInitialValues, kaimingFanOut, type ParameterPlan, specsOf } from "./initial-value.js";
import { batchNormPlan, convolutionPlan, ForwardPass, shapesOf } from "./layers.js";

/** A residual network. */
export interface ResnetOptions extends ImageOptions {
  /** Name to give it. Default "resnet". */
  readonly name?: string;
  /** "basic": two 3x3 convolutions. "bottleneck": 1x1, 3x3, and 1x1 to four times the width. */
  readonly block: "basic" | "bottleneck";
  /** Number of blocks in each stage; widths are 64, 128, 256, ... */
  readonly depths: readonly number[];
}

/** One residual block: its name, and the channels and stride of its path. */
interface Block {
  readonly name: string;
  readonly inputs: number;
  readonly width: number;
  readonly outputs: number;
  readonly stride: number;
}

/** Residual network (arXiv 1512.03385) as timm builds it:
 *    conv1 7x7 stride 2 -> 64, batch norm, ReLU, 3x3 maximum stride 2; layer1, layer2, ...; mean over positions.
 *    block: x <- ReLU(path(x) + shortcut(x)), the shortcut a 1x1 convolution and batch norm where the shape changes.
 *  Every later stage halves the image, in the first 3x3 convolution of its first block. No convolution has a bias.
 *  D is 512 for basic blocks and 2048 for bottlenecks, at four stages.
 *  Initial values: convolutions N(0, 2 / (out height width)); norms 1 and 0, but the last norm of each block starts
 *  at 0, so that a block starts as its shortcut (timm's zero_init_last, its default).
 *  Throws LejepaError "bad-encoder-option". */
export function resnet(options: ResnetOptions): Encoder {
  requireEncoderOptions("resnet", options, {
    name: optional(someText),
    block: oneOf(["basic", "bottleneck"]),
    depths: sizeList(1),
  });
  const { name = "resnet", imageSize = 224, channels = 3, block, depths } = options;
  requireWholeNumbers(name, { imageSize, channels });
  requireSizes(name, "depths", depths);
  const blocks = planBlocks(depths, block === "basic" ? 1 : 4);
  const dim = (blocks[blocks.length - 1] as Block).outputs;
  const plans: ParameterPlan[] = [
    ...convolution("conv1", 7, channels, 64),
    ...batchNormPlan("bn1", 64),
    ...blocks.flatMap((b) => [
      ...(block === "basic"
        ? [
            ...convolution(`${b.name}.conv1`, 3, b.inputs, b.width),
            ...batchNormPlan(`${b.name}.bn1`, b.width),
            ...convolution(`${b.name}.conv2`, 3, b.width, b.outputs),
            ...batchNormPlan(`${b.name}.bn2`, b.outputs, 0),
          ]
        : [
            ...convolution(`${b.name}.conv1`, 1, b.inputs, b.width),
            ...batchNormPlan(`${b.name}.bn1`, b.width),
            ...convolution(`${b.name}.conv2`, 3, b.width, b.width),
            ...batchNormPlan(`${b.name}.bn2`, b.width),
            ...convolution(`${b.name}.conv3`, 1, b.width, b.outputs),
            ...batchNormPlan(`${b.name}.bn3`, b.outputs, 0),
          ]),
      ...(changesShape(b)
        ? [
            ...convolution(`${b.name}.downsample.0`, 1, b.inputs, b.outputs),
            ...batchNormPlan(`${b.name}.downsample.1`, b.outputs),
          ]
        : []),
    ]),
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
      /** Convolution that keeps the size at stride 1, batch norm, residual and ReLU. */
      const layer = (
        [conv, bn]: readonly [string, string],
        x: tf.Tensor4D,
        kernel: number,
        options: Omit<ConvBlockOptions, "mode" | "padding"> = {},
      ) => pass.convBlock(conv, bn, x, { padding: (kernel - 1) / 2, ...options });
      let x = layer(["conv1", "bn1"], images, 7, { stride: 2 });
      x = maxPool2d(x, { window: 3, stride: 2, padding: 1 });
      for (const b of blocks) {
        const { name, stride } = b;
        const names = (i: number) => [`${name}.conv${i}`, `${name}.bn${i}`] as const;
        const residual = changesShape(b)
          ? layer([`${name}.downsample.0`, `${name}.downsample.1`], x, 1, {
              stride,
              activation: "none",
            })
          : x;
        x =
          block === "basic"
            ? layer(names(2), layer(names(1), x, 3, { stride }), 3, { residual })
            : layer(names(3), layer(names(2), layer(names(1), x, 1), 3, { stride }), 1, {
                residual,
              });
      }
      return { embedding: globalAveragePool(x), updates: pass.updates };
    },
  };
}

function planBlocks(depths: readonly number[], expansion: number): Block[] {
  let inputs = 64;
  return depths.flatMap((depth, stage) => {
    const width = 64 * 2 ** stage;
    const outputs = width * expansion;
    return Array.from({ length: depth }, (_, i): Block => {
      const planned = {
        name: `layer${stage + 1}.${i}`,
        inputs,
        width,
        outputs,
        stride: i === 0 && stage > 0 ? 2 : 1,
      };
      inputs = outputs;
      return planned;
    });
  });
}

function changesShape({ inputs, outputs, stride }: Block): boolean {
  return inputs !== outputs || stride !== 1;
}

function convolution(name: string, kernel: number, inputs: number, outputs: number) {
  const shape = [kernel, kernel, inputs, outputs] as const;
  return convolutionPlan(name, shape, kaimingFanOut(shape));
}
