import type { ConvNetOptions } from "./families/conv-net.js";
import type { ResnetOptions } from "./families/resnet.js";
import type { VitOptions } from "./families/vit.js";
import type { ImageOptions } from "./image-options.js";

/** What images look like to the weights that are published under a name; to images of one's own it is a start. */
export interface InputStatistics {
  /** Height and width in pixels. */
  readonly size: number;
  /** Mean of each channel, of values from 0 to 1. */
  readonly mean: readonly number[];
  /** Deviation of each channel. */
  readonly std: readonly number[];
  /** How an image is brought to its size. */
  readonly interpolation: "bicubic" | "bilinear";
  /** Side of the crop in the middle over that of the resized image, above 0 and at most 1. */
  readonly crop: number;
}

/** An encoder that goes by a name: the family that builds it, with these options, for these images. Its name and its images
 *  are options of every family. */
export type CatalogueRow = {
  /** What it is called, in timm too where timm has it. Where it ends in the image size, that stands for any size. */
  readonly name: string;
  /** Its images; `mean` has an entry for each channel. */
  readonly input: InputStatistics;
} & (
  | {
      readonly family: "convNet";
      readonly options: Omit<ConvNetOptions, "name" | keyof ImageOptions>;
    }
  | {
      readonly family: "resnet";
      readonly options: Omit<ResnetOptions, "name" | keyof ImageOptions>;
    }
  | { readonly family: "vit"; readonly options: Omit<VitOptions, "name" | keyof ImageOptions> }
);

const mnist: InputStatistics = {
  size: 28,
  mean: [0.1307],
  std: [0.3081],
  interpolation: "bilinear",
  crop: 1,
};
const imageNet: InputStatistics = {
  size: 224,
  mean: [0.485, 0.456, 0.406],
  std: [0.229, 0.224, 0.225],
  interpolation: "bicubic",
  crop: 0.95,
};
/** Values from -1 to 1, as Google trained its transformers; timm's default for all of them. */
const centred: InputStatistics = {
  ...imageNet,
  mean: [0.5, 0.5, 0.5],
  std: [0.5, 0.5, 0.5],
  crop: 0.9,
};

const tiny = { dim: 192, depth: 12, heads: 3 };
const small = { dim: 384, depth: 12, heads: 6 };
const base = { dim: 768, depth: 12, heads: 12 };

/** Every encoder that goes by a name. The statistics are those of the weights that timm 1.0 takes first for the name. */
export const catalogue: readonly CatalogueRow[] = [
  {
    name: "conv_mnist",
    family: "convNet",
    options: { widths: [16, 32, 64], head: "flatten", dim: 128 },
    input: mnist,
  },
  resnetRow("resnet18", { block: "basic", depths: [2, 2, 2, 2] }),
  resnetRow("resnet34", { block: "basic", depths: [3, 4, 6, 3] }),
  resnetRow("resnet50", { block: "bottleneck", depths: [3, 4, 6, 3] }),
  vitRow("vit_tiny_patch8_224", { ...tiny, patch: 8 }),
  vitRow("vit_tiny_patch14_224", { ...tiny, patch: 14 }),
  vitRow("vit_tiny_patch16_224", { ...tiny, patch: 16 }),
  // DINO's weights.
  vitRow("vit_small_patch8_224", { ...small, patch: 8 }, { ...imageNet, crop: 0.9 }),
  vitRow("vit_small_patch14_224", { ...small, patch: 14 }),
  vitRow("vit_small_patch16_224", { ...small, patch: 16 }),
  vitRow("vit_base_patch8_224", { ...base, patch: 8 }),
  vitRow("vit_base_patch14_224", { ...base, patch: 14 }),
  vitRow("vit_base_patch16_224", { ...base, patch: 16 }),
];

function resnetRow(name: string, options: Pick<ResnetOptions, "block" | "depths">): CatalogueRow {
  return { name, family: "resnet", options, input: imageNet };
}

function vitRow(
  name: string,
  options: Omit<VitOptions, "name" | keyof ImageOptions>,
  input = centred,
): CatalogueRow {
  return { name, family: "vit", options, input };
}

/** The row of a name, or of the name with another image size at its end: for "vit_tiny_patch16_96" that of
 *  "vit_tiny_patch16_224", with 96 for its size. */
export function findRow(name: string): CatalogueRow | undefined {
  const exact = catalogue.find((row) => row.name === name);
  if (exact !== undefined) return exact;
  const [, stem, size] = /^(.+)_(\d+)$/.exec(name) ?? [];
  const row = catalogue.find(({ name, input }) => name === `${stem}_${input.size}`);
  return row && { ...row, input: { ...row.input, size: Number(size) } };
}
