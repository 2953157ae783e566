import type { Window } from "../window.js";
import type { Size } from "../image.js";
import { roundHalfToEven } from "../round-half-to-even.js";
import type { SamplingTransform } from "./transform.js";

/** Takes the middle of the image, pixel by pixel, at the size of the view; an image that is smaller lies in the middle of
 *  zeros. */
export interface CenterCropSpec {
  /** Which transform. */
  readonly name: "center-crop";
}

/** The window in the middle, as torchvision's CenterCrop rounds it; a side that is too short begins before the image. */
export function middleWindow(input: Size, { height, width }: Size): Window {
  const start = (side: number, wanted: number): number =>
    side < wanted ? -Math.floor((wanted - side) / 2) : roundHalfToEven((side - wanted) / 2);
  return { top: start(input.height, height), left: start(input.width, width), height, width };
}

/** Draws nothing. */
export const centerCrop: SamplingTransform<CenterCropSpec> = {
  kind: "sampling",
  unit: "pixels",
  resizes: () => "to-output-size",
  fields: {},
  prepare: () => (_random, input, output) => ({
    window: middleWindow(input, output),
    size: output,
    filter: "none",
  }),
};
