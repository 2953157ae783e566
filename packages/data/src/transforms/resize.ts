import { oneOf, wholeNumber } from "../fields.js";
import { filterNames, type FilterName } from "../filtered-sampling.js";
import type { Size } from "../image.js";
import { wholeOf } from "../window.js";
import type { SamplingTransform } from "./transform.js";

/** Brings the whole image to another size, with antialiasing. */
export interface ResizeSpec {
  /** Which transform. */
  readonly name: "resize";
  /** Pixels of the shorter side; the longer one keeps the ratio, rounded down, as torchvision's Resize. A transform to the
   *  size of the view has to follow. Left out, the image is stretched to the size of the view. */
  readonly shorterSide?: number;
  /** "bilinear" by default. */
  readonly filter?: FilterName;
}

/** The size with this shorter side and the ratio of the input. */
export function sizeWithShorterSide({ height, width }: Size, side: number): Size {
  return height <= width
    ? { height: side, width: Math.floor((side * width) / height) }
    : { height: Math.floor((side * height) / width), width: side };
}

/** Draws nothing. */
export const resize: SamplingTransform<ResizeSpec> = {
  kind: "sampling",
  resizes: ({ shorterSide }) => (shorterSide === undefined ? "to-output-size" : "to-own-size"),
  fields: {
    shorterSide: wholeNumber("optional", { min: 1, max: 65_536 }),
    filter: oneOf("optional", filterNames),
  },
  needs: ({ shorterSide: side }, output) =>
    side === undefined ? output : { height: side, width: side },
  prepare:
    ({ shorterSide, filter = "bilinear" }) =>
    (_random, input, output) => ({
      window: wholeOf(input),
      size: shorterSide === undefined ? output : sizeWithShorterSide(input, shorterSide),
      filter,
    }),
};
