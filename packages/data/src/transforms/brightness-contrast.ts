/** Brightness, then contrast, as torchvision's.
 *    brightness:  x f            contrast:  x f + m (1 - f),  m the mean luma of the image
 *  luma = 0.2989 R + 0.587 G + 0.114 B; of a grey image, the value itself. Each clamps to [0, 1]. */
import { number, oneOf } from "../fields.js";
import type { FloatImage } from "../image.js";
import { uniform } from "../random.js";
import type { PhotometricTransform } from "./transform.js";

/** Makes the image lighter or darker, and its contrast stronger or weaker. */
export interface BrightnessContrastSpec {
  /** Which transform. */
  readonly name: "brightness-contrast";
  /** b: the factor is uniform in [max(0, 1-b), 1+b]; 0 (none) by default. */
  readonly brightness?: number;
  /** c: likewise. */
  readonly contrast?: number;
  /** What becomes of values that leave [0, 1]: "clamp" (default) or "keep". */
  readonly overflow?: "clamp" | "keep";
}

/** The factors of one view. */
export interface BrightnessContrastParameters {
  readonly brightness: number;
  readonly contrast: number;
  readonly overflow: "clamp" | "keep";
}

/** Changes brightness, then contrast, in place. */
export function changeBrightnessContrast(
  image: FloatImage,
  { brightness, contrast, overflow }: BrightnessContrastParameters,
): void {
  if (brightness !== 1) blend(image.data, brightness, 0, overflow);
  if (contrast !== 1) blend(image.data, contrast, meanLuma(image) * (1 - contrast), overflow);
}

/** x f + offset in place. */
function blend(data: Float32Array, factor: number, offset: number, overflow: "clamp" | "keep") {
  const low = overflow === "clamp" ? 0 : -Infinity;
  const high = overflow === "clamp" ? 1 : Infinity;
  for (let i = 0; i < data.length; i++) {
    const value = data[i]! * factor + offset;
    data[i] = value < low ? low : value > high ? high : value;
  }
}

function meanLuma({ channels, data }: FloatImage): number {
  let sum = 0;
  if (channels === 1) for (let i = 0; i < data.length; i++) sum += data[i]!;
  else
    for (let i = 0; i < data.length; i += 3)
      sum += 0.2989 * data[i]! + 0.587 * data[i + 1]! + 0.114 * data[i + 2]!;
  return (sum * channels) / data.length;
}

/** Draws: the brightness factor, the contrast factor. */
export const brightnessContrast: PhotometricTransform<BrightnessContrastSpec> = {
  kind: "photometric",
  fields: {
    brightness: number("optional", { min: 0, max: 10 }),
    contrast: number("optional", { min: 0, max: 10 }),
    overflow: oneOf("optional", ["clamp", "keep"]),
  },
  prepare:
    ({ brightness = 0, contrast = 0, overflow = "clamp" }) =>
    (random, image) =>
      changeBrightnessContrast(image, {
        brightness: uniform(random, [Math.max(0, 1 - brightness), 1 + brightness]),
        contrast: uniform(random, [Math.max(0, 1 - contrast), 1 + contrast]),
        overflow,
      }),
};
