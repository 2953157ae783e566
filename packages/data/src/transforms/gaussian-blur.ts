/** Gaussian blur, as torchvision's: weights exp(-i^2 / (2 sigma^2)) over a kernel of K pixels,
 *  normalised, along rows and then along columns; the image is continued by reflection that does not
 *  repeat its edge. */
import { LejepaError } from "../error.js";
import { interval, number, oddInteger, type Interval } from "../fields.js";
import type { FloatImage } from "../image.js";
import { uniform } from "../random.js";
import type { PhotometricTransform } from "./transform.js";

/** Blurs. */
export interface GaussianBlurSpec {
  /** Which transform. */
  readonly name: "gaussian-blur";
  /** Pixels of the kernel, K, odd; (K-1)/2 must be less than each side of the image. */
  readonly kernel: number;
  /** Standard deviation in pixels, uniform; [0.1, 2] by default. */
  readonly sigma?: Interval;
  /** How often, 0..1; 1 by default. */
  readonly probability?: number;
}

/** Blurs in place. Throws `invalid-views` when the kernel is too large for the image. */
export function blur(
  image: FloatImage,
  kernel: number,
  sigma: number,
  scratch: Float32Array,
): void {
  const { height, width, channels, data } = image;
  const reach = (kernel - 1) / 2;
  if (reach >= height || reach >= width)
    throw new LejepaError(
      "invalid-views",
      `gaussian-blur: kernel ${kernel} is too large for an image of ${height} x ${width}. Use at most ${2 * Math.min(height, width) - 1}.`,
    );
  const weights = new Float64Array(kernel);
  let sum = 0;
  for (let k = 0; k < kernel; k++)
    sum += weights[k] = Math.exp(-((k - reach) ** 2) / (2 * sigma ** 2));
  for (let k = 0; k < kernel; k++) weights[k]! /= sum;
  const row = width * channels;
  const columns = reflected(width, reach);
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++)
      for (let c = 0; c < channels; c++) {
        let value = 0;
        for (let k = 0; k < kernel; k++)
          value += weights[k]! * data[y * row + columns[x + k]! * channels + c]!;
        scratch[y * row + x * channels + c] = value;
      }
  const rows = reflected(height, reach);
  for (let y = 0; y < height; y++)
    for (let i = 0; i < row; i++) {
      let value = 0;
      for (let k = 0; k < kernel; k++) value += weights[k]! * scratch[rows[y + k]! * row + i]!;
      data[y * row + i] = value;
    }
}

/** The positions -reach..side-1+reach, those outside mirrored at the first and last pixel. */
const reflected = (side: number, reach: number): Int32Array =>
  Int32Array.from({ length: side + 2 * reach }, (_, i) => {
    const position = Math.abs(i - reach);
    return position < side ? position : 2 * (side - 1) - position;
  });

/** Draws: whether, then sigma. */
export const gaussianBlur: PhotometricTransform<GaussianBlurSpec> = {
  kind: "photometric",
  unit: "pixels",
  fields: {
    kernel: oddInteger("required"),
    sigma: interval("optional", { min: 1e-3, max: 1e3 }),
    probability: number("optional", { min: 0, max: 1 }),
  },
  prepare:
    ({ kernel, sigma = [0.1, 2], probability = 1 }) =>
    (random, image, scratch) => {
      const happens = random() < probability;
      const drawn = uniform(random, sigma);
      if (happens) blur(image, kernel, drawn, scratch);
    },
};
