import type { Batch as LoadedBatch } from "@lejepa/data";
import { convNet, createEncoder, projector, vit, type Encoder } from "@lejepa/encoders";
import type { BatchShare } from "@lejepa/ops";
import { lejepaStep, type LejepaStep } from "@lejepa/trainer";
import { randomNormal } from "d3-random";
import seedrandom from "seedrandom";

/** The models of the speed bars: two small ones on 28x28 images, two of common size on 64x64 ones. */
export const models = ["vit", "conv", "vit-tiny", "resnet18"] as const;
export type Model = (typeof models)[number];

/** V views of N images each. */
export interface Batch {
  readonly views: number;
  readonly size: number;
}

interface Reference {
  readonly encoder: () => Encoder;
  readonly batch: Batch;
  /** Our time over that of torch.compile, at most, by engine. */
  readonly bars: { readonly onnx: number; readonly tensorflow?: number };
  /** As many as take a second or two. */
  readonly stepsPerTurn: number;
}

const small = {
  batch: { views: 4, size: 128 },
  bars: { onnx: 1.15, tensorflow: 1.05 },
  stepsPerTurn: 10,
};
const common = { batch: { views: 4, size: 32 }, bars: { onnx: 1.3 }, stepsPerTurn: 3 };

export const references: Readonly<Record<Model, Reference>> = {
  vit: {
    ...small,
    encoder: () =>
      vit({
        imageSize: 28,
        channels: 1,
        patch: 7,
        dim: 64,
        depth: 3,
        heads: 4,
        mlpRatio: 4,
        classToken: false,
        activation: "quick_gelu",
        pool: "mean",
      }),
  },
  conv: {
    ...small,
    encoder: () => convNet({ imageSize: 28, channels: 1, widths: [32, 64, 128], head: "mean" }),
  },
  "vit-tiny": {
    ...common,
    encoder: () => createEncoder("vit_tiny_patch16_224", { imageSize: 64 }),
  },
  resnet18: { ...common, encoder: () => createEncoder("resnet18", { imageSize: 64 }) },
};

/** The training step of one model, from the definition that its PyTorch twin shares: projector 256 -> 16, 256 slices,
 *  lambda 0.05. `batchAt(i)` is batch i of seeded images of independent normal pixels, [V N, H, W, C].
 *  With a share it is the step of one of several processes; the images are those of all. */
export function referenceStep(
  model: Model,
  batch: Batch = references[model].batch,
  share?: BatchShare,
): LejepaStep & {
  encoder: Encoder;
  head: ReturnType<typeof projector>;
  batchAt: (index: number) => LoadedBatch;
} {
  const encoder = references[model].encoder();
  const head = projector({ inputDim: encoder.dim, hidden: [256], outputDim: 16 });
  const { views, size } = batch;
  const { imageSize, channels } = encoder;
  const shape = [views * size, imageSize, imageSize, channels] as const;
  const pixels = views * size * imageSize ** 2 * channels;
  return {
    encoder,
    head,
    batchAt: (index) => {
      const normal = randomNormal.source(seedrandom.alea(`bench/${index}`))();
      const images = Float32Array.from({ length: pixels }, () => normal());
      return {
        index,
        epoch: 0,
        size,
        groups: [{ views, shape, images, normalise: undefined }],
        indices: Int32Array.from({ length: size }, (_, n) => n),
        labels: undefined,
      };
    },
    ...lejepaStep({
      encoder,
      projector: head,
      batch: { images: size, groups: [{ views }] },
      share,
      slices: 256,
      loss: { lambda: 0.05 },
    }),
  };
}
