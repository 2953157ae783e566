/** Convolutions of images so small that every window reaches the whole image, such as 3x3 over 2x2 pixels: products of
 *  matrices in which no zero of the margin is multiplied, where 5 of 9 are for 3x3 over 2x2.
 *    y [N, P O] = x [N, Q C] . whole [Q C, P O],   whole[q, p] = filter[q + margin - p stride]
 *  for P positions and Q pixels. Of 128 images of 2x2, 512 to 512 channels by 3x3, all three took 23 ms where the
 *  convolutions took 53, in turns beside other work. */
import type { GraphBuilder } from "../graph/builder.js";
import { sizeOf, type Value } from "../graph/graph.js";
import { axesOf, type Window } from "../kernels/window.js";

/** Images from which on the products gain more than it costs to lay the filter out. */
const leastBatch = 64;

/** Whether the window is one of these. */
export const reachesWholeImages = (window: Window): boolean =>
  window.batchSize >= leastBatch &&
  window.dilationHeight === 1 &&
  window.dilationWidth === 1 &&
  axesOf(window).every(
    ({ input, output, stride, reach, before }) =>
      (output - 1) * stride <= before && before + input <= reach,
  );

/** whole [Q C, P O] */
function wholeFilter(g: GraphBuilder, filter: Value, window: Window): Value {
  const { inHeight, inWidth, inChannels, outChannels, strideHeight, strideWidth } = window;
  const columns: Value[] = [];
  for (let y = 0; y < window.outHeight; y++)
    for (let x = 0; x < window.outWidth; x++) {
      const [row, column] = [
        window.padInfo.top - y * strideHeight,
        window.padInfo.left - x * strideWidth,
      ];
      const met = g.slice(
        filter,
        [row, column, 0, 0],
        [row + inHeight, column + inWidth, inChannels, outChannels],
      );
      columns.push(g.reshape(met, [inHeight * inWidth * inChannels, outChannels]));
    }
  return columns.length === 1 ? columns[0]! : g.concat(columns, 1);
}

/** Images as rows. */
const rows = (g: GraphBuilder, x: Value): Value =>
  g.reshape(x, [x.shape[0]!, sizeOf(x.shape.slice(1))]);

export const wholeConvolution = (g: GraphBuilder, x: Value, filter: Value, window: Window): Value =>
  g.reshape(g.gemm(rows(g, x), wholeFilter(g, filter, window)), window.outShape);

export const wholeInputGradient = (
  g: GraphBuilder,
  dy: Value,
  filter: Value,
  window: Window,
): Value => g.reshape(g.gemm(rows(g, dy), wholeFilter(g, filter, window), 0, 1), window.inShape);

/** Each tap from the pixels that it meets: dfilter[a, b] = X' dY. */
export function wholeFilterGradient(g: GraphBuilder, x: Value, dy: Value, window: Window): Value {
  const { batchSize, inChannels, outChannels, filterHeight, filterWidth } = window;
  const [vertical, horizontal] = axesOf(window);
  const taps: Value[] = [];
  for (let a = 0; a < filterHeight; a++)
    for (let b = 0; b < filterWidth; b++) {
      const [row, column] = [meeting(vertical, a), meeting(horizontal, b)];
      if (row.count === 0 || column.count === 0) {
        taps.push(g.uniform(0, [inChannels, outChannels]));
        continue;
      }
      const pixels = g.slice(
        x,
        [0, row.pixel, column.pixel, 0],
        [
          batchSize,
          row.pixel + (row.count - 1) * vertical.stride + 1,
          column.pixel + (column.count - 1) * horizontal.stride + 1,
          inChannels,
        ],
        [1, vertical.stride, horizontal.stride, 1],
      );
      const outputs = g.slice(
        dy,
        [0, row.output, column.output, 0],
        [batchSize, row.output + row.count, column.output + column.count, outChannels],
      );
      const pairs = batchSize * row.count * column.count;
      taps.push(
        g.gemm(g.reshape(pixels, [pairs, inChannels]), g.reshape(outputs, [pairs, outChannels]), 1),
      );
    }
  return g.reshape(g.concat(taps, 0), window.filterShape);
}

/** The outputs for which a tap meets a pixel: the first of them, the pixel that it meets there, and how many there are. */
function meeting(
  { input, output, stride, before }: ReturnType<typeof axesOf>[number],
  tap: number,
): { readonly output: number; readonly pixel: number; readonly count: number } {
  const pixels = Array.from({ length: output }, (_, p) => p * stride + tap - before);
  const first = pixels.findIndex((pixel) => pixel >= 0 && pixel < input);
  const count = pixels.filter((pixel) => pixel >= 0 && pixel < input).length;
  return { output: first, pixel: pixels[first] ?? 0, count };
}
