import { said } from "./said.js";

/** One image in host memory, row-major [H, W, C]. */
export interface Image {
  /** Number of rows, H. */
  readonly height: number;
  /** Number of columns, W. */
  readonly width: number;
  /** Number of channels, C: 1 (grey) or 3 (red, green, blue). */
  readonly channels: number;
  /** H*W*C values: bytes 0..255, or floats where 0 is black and 1 is white. */
  readonly data: Uint8Array | Float32Array;
}

/** An image whose values are floats, 0 black and 1 white. */
export interface FloatImage extends Image {
  /** H*W*C values. */
  readonly data: Float32Array;
}

/** Height and width of an image, in pixels. */
export interface Size {
  /** Number of rows. */
  readonly height: number;
  /** Number of columns. */
  readonly width: number;
}

/** Why a value is not a usable image, or undefined when it is one. */
export function imageFault(value: unknown): string | undefined {
  if (typeof value !== "object" || value === null)
    return `is ${value === undefined ? "undefined" : said(value)}`;
  const { height, width, channels, data } = value as Partial<Image>;
  if (!isSide(height) || !isSide(width))
    return `has height ${said(height)} and width ${said(width)}`;
  if (channels !== 1 && channels !== 3) return `has ${said(channels)} channels, not 1 or 3`;
  if (!(data instanceof Uint8Array || data instanceof Float32Array))
    return `has data that is neither a Uint8Array nor a Float32Array: ${said(data)}`;
  const expected = height * width * channels;
  if (data.length !== expected)
    return `has ${data.length} values, but ${height} x ${width} x ${channels} is ${expected}`;
  return undefined;
}

const isSide = (side: unknown): side is number => Number.isInteger(side) && (side as number) > 0;

/** v / 255 of each byte, rounded to float32 once. */
const unitOfByte = Float32Array.from({ length: 256 }, (_, byte) => byte / 255);

/** The image with a border of one zero pixel, as floats: [H+2, W+2, C], so that bilinear taps just
 *  outside the image need no test. Writes into `padded`, whose border must be zero already. */
export function padImage(image: Image, padded: Float32Array): void {
  const { height, width, channels, data } = image;
  const row = width * channels;
  const paddedRow = row + 2 * channels;
  const isBytes = data instanceof Uint8Array;
  for (let y = 0; y < height; y++) {
    const from = y * row;
    const to = (y + 1) * paddedRow + channels;
    if (isBytes) for (let i = 0; i < row; i++) padded[to + i] = unitOfByte[data[from + i]!]!;
    else for (let i = 0; i < row; i++) padded[to + i] = data[from + i]!;
  }
}

/** The same image with float values. */
export function floatImage(image: Image): FloatImage {
  const { height, width, channels, data } = image;
  if (data instanceof Float32Array) return { height, width, channels, data: data.slice() };
  // A plain loop: Float32Array.from with a function takes 18 times as long.
  const floats = new Float32Array(data.length);
  toFloats(data, floats);
  return { height, width, channels, data: floats };
}

/** Bytes 0..255 as floats 0..1. */
export function toFloats(bytes: Uint8Array, floats: Float32Array): void {
  for (let i = 0; i < floats.length; i++) floats[i] = unitOfByte[bytes[i]!]!;
}
