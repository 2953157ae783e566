/** Thicker or thinner strokes: a part of the way towards the brightest (or darkest) value of the
 *  3 x 3 neighbourhood.
 *    m > 0:  y + m (dilate(y) - y)        m < 0:  y + |m| (erode(y) - y)
 *  Neighbours outside the image do not count. */
import { interval, type Interval } from "../fields.js";
import type { FloatImage } from "../image.js";
import { uniform } from "../random.js";
import type { PhotometricTransform } from "./transform.js";

/** Makes light strokes on a dark ground thicker or thinner. */
export interface StrokeThicknessSpec {
  /** Which transform. */
  readonly name: "stroke-thickness";
  /** Range of m, uniform: 1 is the full dilation, -1 the full erosion, 0 no change. */
  readonly amount: Interval;
}

/** Thickens (amount > 0) or thins (amount < 0) in place. */
export function changeThickness(image: FloatImage, amount: number, scratch: Float32Array): void {
  if (amount === 0) return;
  const { height, width, channels, data } = image;
  const share = Math.abs(amount);
  const grows = amount > 0;
  const row = width * channels;
  // The extreme of the nine is the extreme of three rows of the extremes of three columns.
  for (let y = 0; y < height; y++) {
    const first = y * row;
    const last = first + row - channels;
    for (let i = first; i < first + row; i++) {
      let extreme = data[i]!;
      if (i >= first + channels) {
        const left = data[i - channels]!;
        if (left > extreme === grows) extreme = left;
      }
      if (i < last) {
        const right = data[i + channels]!;
        if (right > extreme === grows) extreme = right;
      }
      scratch[i] = extreme;
    }
  }
  const lastRow = (height - 1) * row;
  for (let i = 0; i < height * row; i++) {
    let extreme = scratch[i]!;
    if (i >= row) {
      const above = scratch[i - row]!;
      if (above > extreme === grows) extreme = above;
    }
    if (i < lastRow) {
      const below = scratch[i + row]!;
      if (below > extreme === grows) extreme = below;
    }
    data[i]! += share * (extreme - data[i]!);
  }
}

/** Draws: one uniform. */
export const strokeThickness: PhotometricTransform<StrokeThicknessSpec> = {
  kind: "photometric",
  unit: "pixels",
  fields: { amount: interval("required", { min: -1, max: 1 }) },
  prepare:
    ({ amount }) =>
    (random, image, scratch) =>
      changeThickness(image, uniform(random, amount), scratch),
};
