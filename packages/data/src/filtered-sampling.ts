/** Resampling with an antialiasing filter, as Pillow does it: along rows and then along columns, output pixel i of a side
 *  is the weighted mean of input pixels j,
 *    weight(i, j) = f((j + 1/2 - c) / stretch) / sum,   c = start + (i + 1/2) scale,   scale = input side / output side
 *  with stretch = max(scale, 1): where an image shrinks, the filter grows with it, so that every pixel counts. Where it
 *  grows, the filter interpolates. Pixels that are not seen are left out of the sum.
 *  Bytes are rounded and kept within 0..255 after each of the two passes, with weights of 22 fractional bits; floats are
 *  neither rounded nor limited.
 *  Source: Pillow, src/libImaging/Resample.c. Differs: Pillow 13 takes the columns first where heights shrink and widths
 *  grow; here rows always come first, as in torchvision and in Pillow before. Golden: test/golden/pillow-resize.json */
import type { Image, Size } from "./image.js";
import type { Window } from "./window.js";

const sinc = (x: number): number => (x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x));

/** "box" (mean of an area), "bilinear" (triangle), "bicubic" (Keys, a = -1/2), "lanczos" (3 lobes). */
export type FilterName = "box" | "bilinear" | "bicubic" | "lanczos";

interface Filter {
  /** How far it reaches to either side, in output pixels of a shrinking image. */
  readonly reach: number;
  readonly valueAt: (x: number) => number;
}

const filters: Readonly<Record<FilterName, Filter>> = {
  box: { reach: 0.5, valueAt: (x) => (x > -0.5 && x <= 0.5 ? 1 : 0) },
  bilinear: { reach: 1, valueAt: (x) => Math.max(0, 1 - Math.abs(x)) },
  bicubic: {
    reach: 2,
    valueAt: (signed) => {
      const x = Math.abs(signed);
      if (x < 1) return (1.5 * x - 2.5) * x * x + 1;
      return x < 2 ? (((x - 5) * x + 8) * x - 4) * -0.5 : 0;
    },
  },
  lanczos: {
    reach: 3,
    valueAt: (x) => (x >= -3 && x < 3 ? sinc(x) * sinc(x / 3) : 0),
  },
};

/** The names of all filters. */
export const filterNames = Object.keys(filters) as readonly FilterName[];

/** What each output pixel of a side is a mean of: `counts[i]` input pixels from `firsts[i]` on. */
interface Taps {
  readonly firsts: Int32Array;
  readonly counts: Int32Array;
  /** Those of output pixel i from i times `stride` on. */
  readonly weights: Float64Array;
  readonly stride: number;
}

/** @param start where the window begins on this side
 *  @param side its length, of which `output` pixels are made
 *  @param seen the input pixels that may be used, [first, end) */
function tapsOf(
  start: number,
  side: number,
  [first, end]: readonly [number, number],
  output: number,
  filter: FilterName,
): Taps {
  const { reach, valueAt } = filters[filter];
  const scale = side / output;
  const stretch = Math.max(scale, 1);
  const support = reach * stretch;
  const stride = 2 * Math.ceil(support) + 1;
  const firsts = new Int32Array(output);
  const counts = new Int32Array(output);
  const weights = new Float64Array(output * stride);
  for (let i = 0; i < output; i++) {
    const centre = start + (i + 0.5) * scale;
    const from = Math.max(Math.trunc(centre - support + 0.5), first);
    const to = Math.min(Math.trunc(centre + support + 0.5), end);
    let sum = 0;
    for (let j = from; j < to; j++)
      sum += weights[i * stride + j - from] = valueAt((j + 0.5 - centre) / stretch);
    if (sum !== 0) for (let k = 0; k < to - from; k++) weights[i * stride + k]! /= sum;
    firsts[i] = from;
    counts[i] = to - from;
  }
  return { firsts, counts, weights, stride };
}

/** Fractional bits of the weights for bytes. */
const bits = 22;
const half = 1 << (bits - 1);

/** The weights as whole numbers, half away from zero. */
const inWhole = (taps: Taps): Taps => ({
  ...taps,
  weights: taps.weights.map(
    (weight) => Math.sign(weight) * Math.floor(Math.abs(weight) * 2 ** bits + 0.5),
  ),
});

type Pixels = Uint8Array | Float32Array;

const toByte = (sum: number): number => {
  const value = (sum + half) >> bits;
  return value < 0 ? 0 : value > 255 ? 255 : value;
};

/** Along rows: of the input rows [firstRow, endRow) to as many output rows. */
function alongRows(
  { data, width, channels }: Image,
  [firstRow, endRow]: readonly [number, number],
  { firsts, counts, weights, stride }: Taps,
  output: Pixels,
): void {
  const isBytes = output instanceof Uint8Array;
  let at = 0;
  for (let row = firstRow; row < endRow; row++)
    for (let i = 0; i < firsts.length; i++) {
      const from = (row * width + firsts[i]!) * channels;
      const taps = i * stride;
      const count = counts[i]!;
      for (let c = 0; c < channels; c++) {
        let sum = 0;
        for (let k = 0, pixel = from + c; k < count; k++, pixel += channels)
          sum += weights[taps + k]! * data[pixel]!;
        output[at++] = isBytes ? toByte(sum) : sum;
      }
    }
}

/** Along columns, of rows of `length` values; row 0 of the input is `firstRow` of the taps. */
function alongColumns(
  input: Pixels,
  length: number,
  firstRow: number,
  { firsts, counts, weights, stride }: Taps,
  output: Pixels,
): void {
  const isBytes = output instanceof Uint8Array;
  const sums = new Float64Array(length);
  for (let i = 0; i < firsts.length; i++) {
    sums.fill(0);
    for (let k = 0; k < counts[i]!; k++) {
      const weight = weights[i * stride + k]!;
      const from = (firsts[i]! + k - firstRow) * length;
      for (let x = 0; x < length; x++) sums[x]! += weight * input[from + x]!;
    }
    const to = i * length;
    if (isBytes) for (let x = 0; x < length; x++) output[to + x] = toByte(sums[x]!);
    else output.set(sums, to);
  }
}

/** Takes a window of an image at another size, through a filter: bytes give bytes, floats give floats.
 *  @param window may have fractional sides and corners
 *  @param seen the part of the image, in whole pixels, that the filter may reach: that of the whole image is Pillow's
 *  `resize(size, filter, box)`, that of the window Pillow's `crop(box).resize(size, filter)`
 *  @param room gives memory for two arrays, 0 and 1, of so many values; the result is in 1
 *  @returns the image itself where it is the whole one at its own size */
export function sampleFiltered(
  image: Image,
  window: Window,
  seen: Window,
  size: Size,
  filter: FilterName,
  room: (which: 0 | 1, length: number, kind: "bytes" | "floats") => Pixels = freshRoom,
): Image {
  const { height, width, channels } = image;
  const isAll = window.top === 0 && window.left === 0;
  const isSame = window.height === size.height && window.width === size.width;
  if (isAll && isSame && height === size.height && width === size.width) return image;
  const kind = image.data instanceof Uint8Array ? "bytes" : "floats";
  const columns = tapsOf(
    window.left,
    window.width,
    [seen.left, seen.left + seen.width],
    size.width,
    filter,
  );
  const rows = tapsOf(
    window.top,
    window.height,
    [seen.top, seen.top + seen.height],
    size.height,
    filter,
  );
  // Only rows that an output row is made of.
  const firstRow = rows.firsts[0]!;
  const endRow = rows.firsts.at(-1)! + rows.counts.at(-1)!;
  const length = size.width * channels;
  const between = room(0, (endRow - firstRow) * length, kind);
  const data = room(1, size.height * length, kind);
  const [overRows, overColumns] =
    kind === "bytes" ? [inWhole(columns), inWhole(rows)] : [columns, rows];
  alongRows(image, [firstRow, endRow], overRows, between);
  alongColumns(between, length, firstRow, overColumns, data);
  return { height: size.height, width: size.width, channels, data };
}

const freshRoom = (_which: 0 | 1, length: number, kind: "bytes" | "floats"): Pixels =>
  kind === "bytes" ? new Uint8Array(length) : new Float32Array(length);
