/** Bilinear resampling with zeros outside the image:
 *    output(p) = sum over the four pixel centres q around map(p) of
 *                input(q) (1 - |map(p).x - q.x|) (1 - |map(p).y - q.y|) */
import type { Points } from "./coordinate-map.js";
import type { Size } from "./image.js";

/** Takes the values of an image at the points.
 *  @param padded the image with a border of one zero pixel, [H+2, W+2, C]
 *  @param size H and W, without the border
 *  @param output [points, C] */
export function resample(
  padded: Float32Array,
  { height, width }: Size,
  channels: number,
  { x, y }: Points,
  output: Float32Array,
): void {
  const rowStep = (width + 2) * channels;
  for (let i = 0; i < x.length; i++) {
    const px = x[i]! + 1;
    const py = y[i]! + 1;
    // Written so that NaN is outside.
    const isInside = px > 0 && px < width + 1 && py > 0 && py < height + 1;
    if (!isInside) {
      for (let c = 0; c < channels; c++) output[i * channels + c] = 0;
      continue;
    }
    const column = px | 0;
    const row = py | 0;
    const fx = px - column;
    const fy = py - row;
    const top = row * rowStep + column * channels;
    const bottom = top + rowStep;
    for (let c = 0; c < channels; c++) {
      const topLeft = padded[top + c]!;
      const bottomLeft = padded[bottom + c]!;
      const above = topLeft + fx * (padded[top + channels + c]! - topLeft);
      const below = bottomLeft + fx * (padded[bottom + channels + c]! - bottomLeft);
      output[i * channels + c] = above + fy * (below - above);
    }
  }
}
