import { oneOf, optional, someText } from "@lejepa/ops";
import { sizesFrom } from "../accepted-sizes.js";
import { defineEncoder, embedding } from "../define-encoder.js";
import type { Encoder } from "../encoder.js";
import {
  type ImageOptions,
  requireEncoderOptions,
  requireSizes,
  requireWholeNumbers,
  sizeList,
  someDropPath,
} from "../image-options.js";
import { kaimingFanOut } from "../initial-value.js";
import { convNorm, type ConvNormOptions } from "../layers/conv-norm.js";
import { dropPath, dropPathRates } from "../layers/drop-path.js";
import { feature } from "../layers/feature.js";
import { type Layer, named } from "../layers/layer.js";
import { maxPool, meanPool } from "../layers/pooling.js";
import { residual } from "../layers/residual.js";
import { sequence } from "../layers/sequence.js";

/** A residual network. */
export interface ResnetOptions extends ImageOptions {
  /** Name to give it. Default "resnet". */
  readonly name?: string;
  /** "basic": two 3x3 convolutions. "bottleneck": 1x1, 3x3, and 1x1 to four times the width. */
  readonly block: "basic" | "bottleneck";
  /** Number of blocks in each stage; widths are 64, 128, 256, ... */
  readonly depths: readonly number[];
  /** Share of the images for which the last block is its shortcut in training, from 0 to below 1; the blocks before have
   *  less, in equal steps down to 0 at the first. Default 0. */
  readonly dropPath?: number;
}

/** Residual network (arXiv 1512.03385) as timm builds it:
 *    conv1 7x7 stride 2 -> 64, batch norm, ReLU, 3x3 maximum stride 2; layer1, layer2, ...; mean over positions.
 *    block: x <- ReLU(path(x) + shortcut(x)), the shortcut a 1x1 convolution and batch norm where the shape changes.
 *  Every later stage halves the image, in the first 3x3 convolution of its first block. No convolution has a bias.
 *  D is 512 for basic blocks and 2048 for bottlenecks, at four stages. It accepts images of every size.
 *  Draws, where `dropPath` is above 0: "layer1.1.drop_path", "layer2.0.drop_path", ...
 *  Features: "act1", ahead of the maximum, "layer1", "layer2", ...
 *  Initial values: convolutions N(0, 2 / (out height width)); norms 1 and 0, but the last norm of each block starts
 *  at 0, so that a block starts as its shortcut (timm's zero_init_last, its default).
 *  Throws LejepaError "bad-encoder-option". */
export function resnet(options: ResnetOptions): Encoder {
  requireEncoderOptions("resnet", options, {
    name: optional(someText),
    block: oneOf(["basic", "bottleneck"]),
    depths: sizeList(1),
    dropPath: optional(someDropPath),
  });
  const { name = "resnet", imageSize = 224, channels = 3, block, depths } = options;
  const { dropPath: dropped = 0 } = options;
  requireWholeNumbers(name, { imageSize, channels });
  requireSizes(name, "depths", depths);
  const expansion = block === "basic" ? 1 : 4;
  const rates = [
    ...dropPathRates(
      dropped,
      depths.reduce((sum, depth) => sum + depth, 0),
    ),
  ];
  const stages = depths.map((depth, stage) => {
    const width = 64 * 2 ** stage;
    const blocks = Array.from({ length: depth }, (_, i) => {
      const before = i > 0 ? width * expansion : stage > 0 ? (width / 2) * expansion : 64;
      const stride = i === 0 && stage > 0 ? 2 : 1;
      return named(
        `${i}`,
        residualBlock(block, before, width, width * expansion, stride, rates.shift()!),
      );
    });
    const name = `layer${stage + 1}`;
    return feature(name, named(name, sequence(...blocks)));
  });
  const network = sequence(
    feature("act1", conv(["conv1", "bn1"], 7, channels, 64, { stride: 2 })),
    maxPool({ window: 3, stride: 2, padding: 1 }),
    ...stages,
    meanPool(),
  );
  const dim = 64 * 2 ** (depths.length - 1) * expansion;
  return defineEncoder({ name, imageSize, channels, dim, sizes: sizesFrom(1) }, embedding(network));
}

function residualBlock(
  block: "basic" | "bottleneck",
  inputs: number,
  width: number,
  outputs: number,
  stride: number,
  rate: number,
): Layer {
  const layer = (i: number, ...rest: [number, number, number, Partial<ConvNormOptions>?]) =>
    conv([`conv${i}`, `bn${i}`], ...rest);
  const last = { activation: "none", scale: 0 } as const;
  const branch =
    block === "basic"
      ? sequence(layer(1, 3, inputs, width, { stride }), layer(2, 3, width, outputs, last))
      : sequence(
          layer(1, 1, inputs, width),
          layer(2, 3, width, width, { stride }),
          layer(3, 1, width, outputs, last),
        );
  const shortcut =
    inputs === outputs && stride === 1
      ? undefined
      : conv(["downsample.0", "downsample.1"], 1, inputs, outputs, { stride, activation: "none" });
  const path = rate === 0 ? branch : sequence(branch, dropPath("drop_path", rate, "first"));
  return residual(path, { shortcut, activation: "relu" });
}

/** Convolution that keeps the size at stride 1, batch norm and, unless told otherwise, ReLU. */
function conv(
  names: readonly [string, string],
  kernel: number,
  inputs: number,
  outputs: number,
  options: Partial<ConvNormOptions> = {},
): Layer {
  const padding = (kernel - 1) / 2;
  return convNorm({ names, kernel, inputs, outputs, padding, initial: kaimingFanOut, ...options });
}
