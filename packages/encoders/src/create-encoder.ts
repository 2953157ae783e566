import { anything, LejepaError, optional, requireArgument, someText } from "@lejepa/ops";
import { distance } from "fastest-levenshtein";
import { catalogue, type CatalogueRow, findRow } from "./catalogue.js";
import type { Encoder } from "./encoder.js";
import { convNet } from "./families/conv-net.js";
import { resnet } from "./families/resnet.js";
import { vit } from "./families/vit.js";
import { type ImageOptions, requireEncoderOptions } from "./image-options.js";

/** The names that `createEncoder` knows. A vision transformer's name ends in its image size, of which 224 stands for
 *  any: "vit_tiny_patch16_96" is a name too. */
export function encoderNames(): readonly string[] {
  return catalogue.map(({ name }) => name);
}

/** The encoders whose names match, with the family that builds each, its options, and the images that it takes.
 *  @param pattern a name in which each `*` stands for any text: "vit_*_224"; left out, all of them
 *  @throws LejepaError "bad-argument" for a pattern that is no text */
export function listEncoders(pattern?: string): readonly CatalogueRow[] {
  requireArgument("listEncoders", "pattern", pattern, optional(someText));
  if (pattern === undefined) return catalogue;
  const literal = (text: string) => text.replace(/[^\w]/g, "\\$&");
  const matching = new RegExp(`^${pattern.split("*").map(literal).join(".*")}$`);
  return catalogue.filter(({ name }) => matching.test(name));
}

/** What an encoder is made with, besides its name. */
export interface EncoderOptions extends ImageOptions {
  /** Share of the images for which the last residual block is dropped in training, of families that have the option: see
   *  `VitOptions` and `ResnetOptions`. Default 0. */
  readonly dropPath?: number;
}

/** Makes an encoder by name, for images of `imageSize` x `imageSize` x `channels`. Defaults: those of its row in
 *  `listEncoders`, or the size in the name.
 *  @throws LejepaError "unknown-encoder", which suggests the nearest name, and "bad-encoder-option" */
export function createEncoder(name: string, options: EncoderOptions = {}): Encoder {
  requireArgument("createEncoder", "name", name, someText, "unknown-encoder");
  requireEncoderOptions("createEncoder", options, { dropPath: anything });
  const row = findRow(name);
  if (row === undefined) throw unknownEncoder(name);
  const { imageSize = row.input.size, channels = row.input.mean.length, dropPath } = options;
  return build(row, { name, imageSize, channels, ...(dropPath !== undefined && { dropPath }) });
}

function build(row: CatalogueRow, given: EncoderOptions & { name: string }): Encoder {
  switch (row.family) {
    case "convNet":
      return convNet({ ...row.options, ...given });
    case "resnet":
      return resnet({ ...row.options, ...given });
    case "vit":
      return vit({ ...row.options, ...given });
  }
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
