import type { Image, Size } from "./image.js";

/** A window of an image, in pixels: its upper left corner lies `top` and `left` of the image's. */
export interface Window extends Size {
  readonly top: number;
  readonly left: number;
}

/** The window that is the whole image. */
export const wholeOf = ({ height, width }: Size): Window => ({ top: 0, left: 0, height, width });

/** A window of an image, pixel by pixel, zeros where it is outside the image.
 *  @param room gives memory for array 1 */
export function cutOut(
  { height, width, channels, data }: Image,
  window: Window,
  room: (which: 1, length: number, kind: "bytes" | "floats") => Uint8Array | Float32Array,
): Image {
  const length = window.height * window.width * channels;
  const output = room(1, length, data instanceof Uint8Array ? "bytes" : "floats");
  output.fill(0);
  const first = Math.max(window.left, 0);
  const end = Math.min(window.left + window.width, width);
  for (let y = Math.max(window.top, 0); y < Math.min(window.top + window.height, height); y++)
    output.set(
      data.subarray((y * width + first) * channels, (y * width + end) * channels),
      ((y - window.top) * window.width + first - window.left) * channels,
    );
  return { height: window.height, width: window.width, channels, data: output };
}
