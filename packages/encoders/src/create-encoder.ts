import { LejepaError, requireArgument, someText } from "@lejepa/ops";
import { distance } from "fastest-levenshtein";
import { convNet } from "./families/conv-net.js";
import type { Encoder } from "./encoder.js";
import { type ImageOptions, requireEncoderOptions } from "./image-options.js";
import { resnet, type ResnetOptions } from "./families/resnet.js";
import { vit, type VitOptions } from "./families/vit.js";

/** Vision transformers by timm's names, `vit_SIZE_patchP_IMAGE`. */
const vitSizes: Readonly<Record<string, Pick<VitOptions, "dim" | "depth" | "heads">>> = {
  tiny: { dim: 192, depth: 12, heads: 3 },
  small: { dim: 384, depth: 12, heads: 6 },
  base: { dim: 768, depth: 12, heads: 12 },
};
const vitPatches = [8, 14, 16];
const vitName = /^vit_(tiny|small|base)_patch(8|14|16)_(\d+)$/;

const resnets: ReadonlyMap<string, Pick<ResnetOptions, "block" | "depths">> = new Map([
  ["resnet18", { block: "basic", depths: [2, 2, 2, 2] }],
  ["resnet34", { block: "basic", depths: [3, 4, 6, 3] }],
  ["resnet50", { block: "bottleneck", depths: [3, 4, 6, 3] }],
] as const);

/** The names that `createEncoder` knows. A vision transformer's name ends in its image size, of which 224 stands for
 *  any: "vit_tiny_patch16_96" is a name too. */
export function encoderNames(): readonly string[] {
  return [
    "conv_mnist",
    ...resnets.keys(),
    ...Object.keys(vitSizes).flatMap((size) =>
      vitPatches.map((patch) => `vit_${size}_patch${patch}_224`),
    ),
  ];
}

/** Makes an encoder by name, for images of `imageSize` x `imageSize` x `channels`. Defaults: 28 x 28 x 1 for
 *  "conv_mnist", the size in the name for transformers, 224 for ResNets, and 3 channels.
 *  Throws LejepaError "unknown-encoder", which suggests the nearest name, and "bad-encoder-option". */
export function createEncoder(name: string, options: ImageOptions = {}): Encoder {
  requireArgument("createEncoder", "name", name, someText, "unknown-encoder");
  requireEncoderOptions("createEncoder", options, {});
  if (name === "conv_mnist") {
    return convNet({ name, widths: [16, 32, 64], head: "flatten", dim: 128, ...options });
  }
  const layout = resnets.get(name);
  if (layout !== undefined) {
    return resnet({ name, ...layout, ...options });
  }
  const match = vitName.exec(name);
  if (match !== null) {
    const [, size, patch, imageSize] = match as unknown as [string, string, string, string];
    return vit({
      name,
      ...(vitSizes[size] as (typeof vitSizes)[string]),
      patch: Number(patch),
      imageSize: Number(imageSize),
      ...options,
    });
  }
  throw unknownEncoder(name);
}

function unknownEncoder(name: string): LejepaError<"unknown-encoder"> {
  const names = encoderNames();
  // A name that was cut short is near to those that go on from it.
  const apart = (known: string): number =>
    Math.min(distance(name, known), distance(name, known.slice(0, name.length)));
  const nearest = names.reduce((best, known) => (apart(known) < apart(best) ? known : best));
  const isNear = apart(nearest) <= Math.max(2, name.length / 2);
  return new LejepaError(
    "unknown-encoder",
    `createEncoder: there is no encoder "${name}"; ${isNear ? `did you mean "${nearest}"? The names` : "the names"} are ${names.join(", ")}.`,
  );
}
