import type { AcceptedSizes } from "./accepted-sizes.js";
import {
  anything,
  badShape,
  type Expected,
  LejepaError,
  oneOf,
  requireArgument,
  requireOptions,
  said,
} from "@lejepa/ops";
import type { Tensor } from "@tensorflow/tfjs-core";

/** Which images an encoder takes. */
export interface ImageOptions {
  /** Height and width in pixels. */
  readonly imageSize?: number;
  /** Channels: 1 for grey, 3 for colour. */
  readonly channels?: number;
}

/** Share of the images for which a residual branch is dropped. */
export const someDropPath: Expected = {
  text: "a number from 0 to below 1",
  accepts: (value) => typeof value === "number" && value >= 0 && value < 1,
};

/** Throws LejepaError "bad-encoder-option" unless every value is a whole number of 1 or more. */
export function requireWholeNumbers(owner: string, values: Readonly<Record<string, number>>): void {
  for (const [option, value] of Object.entries(values)) {
    if (!Number.isSafeInteger(value) || value < 1) {
      throw new LejepaError(
        "bad-encoder-option",
        `${owner}: ${option} should be a whole number of 1 or more, got ${said(value)}.`,
      );
    }
  }
}

/** Throws LejepaError "bad-encoder-option" unless `options` is an object with no options but those expected and those of
 *  images, each as expected. */
export function requireEncoderOptions(
  owner: string,
  options: object,
  expected: Readonly<Record<string, Expected>>,
): void {
  const all = { ...expected, imageSize: anything, channels: anything };
  requireOptions(owner, options, all, "bad-encoder-option");
}

/** A list of sizes; `requireSizes` checks each. */
export const sizeList = (least: 0 | 1): Expected => ({
  text: least === 0 ? "a list of sizes" : "a list of sizes, at least one",
  accepts: (value) => Array.isArray(value) && value.length >= least,
});

/** Throws LejepaError "bad-encoder-option" unless each of a list is a whole number of 1 or more. */
export function requireSizes(owner: string, option: string, sizes: readonly number[]): void {
  // Spread: a hole in a list is no size.
  requireWholeNumbers(
    owner,
    Object.fromEntries([...sizes].map((size, i) => [`${option}[${i}]`, size])),
  );
}

/** Throws LejepaError "bad-shape" unless images are [N, H, W, channels], of sizes that are accepted. */
export function requireImages(
  owner: string,
  shape: readonly number[],
  sizes: AcceptedSizes,
  channels: number,
): void {
  const [, height, width] = shape as [number, number, number];
  if (shape.length !== 4 || shape[3] !== channels || !sizes.accepts(height, width)) {
    throw badShape({
      op: owner,
      argument: "images",
      expected: sizes.shape(channels),
      got: shape,
      fix: "Create the encoder with the imageSize and channels of the images.",
    });
  }
}

/** Throws LejepaError "bad-argument" unless images are float32, which alone tfjs convolves. */
export function requireFloats(owner: string, images: Tensor): void {
  requireArgument(
    owner,
    "the type of images",
    images.dtype,
    oneOf(["float32"]),
    "bad-argument",
    'tf.cast(images, "float32") converts them',
  );
}
