/** Blocked convolutions of small images by heavy kernels, with the images side by side.
 *
 *  onnxruntime goes through all weights for every row of every image. Where a row has two or four pixels and the weights
 *  are megabytes, that is most of the time: 23.5 ms for 128 images of 2x2 and 3x3 taps from 512 to 512 channels. With
 *  the columns of 32 images next to each other, n innermost, a row is long, a step to the next column is 32 pixels and
 *  the same result takes 5.9 ms (12.9 and 7.6 ms for 4x4 and 256 channels; 7.7 and 8.6 for 8x8 and 128, which stay). */
import type { GraphBuilder } from "../graph/builder.js";
import type { Value } from "../graph/graph.js";
import { blockedConv } from "../onnx/nchwc.js";
import { largestDivisor } from "./largest-divisor.js";

type Four = [number, number, number, number];

/** Attributes of a blocked convolution of one group, each a pair for rows and columns. */
interface Attributes {
  readonly kernel_shape: readonly number[];
  readonly pads: readonly number[];
  readonly strides?: readonly number[];
  readonly dilations?: readonly number[];
}

/** Positions of one result that count as few, and weights that count as many. */
const fewPositions = 16;
const manyWeights = 2 ** 18;
/** Images that share a row. */
const mostImages = 32;

/** `blockedConv`, in the order of images that is faster. */
export function convolveBlocked(
  g: GraphBuilder,
  x: Value,
  weights: Value,
  shape: Four,
  attributes: Attributes,
): Value {
  const [batch, outputs, rows, columns] = shape;
  const [kh, kw] = attributes.kernel_shape as [number, number];
  const inputs = x.shape[1]!;
  const heavy = inputs >= g.blockSize! && inputs * outputs * kh * kw >= manyWeights;
  const together = largestDivisor(batch, mostImages);
  return heavy && rows * columns <= fewPositions && together > 1
    ? sideBySide(g, x, weights, shape, { ...attributes, together })
    : blockedConv(g, x, weights, shape, attributes);
}

function sideBySide(
  g: GraphBuilder,
  x: Value,
  weights: Value,
  [batch, outputs, rows, columns]: Four,
  options: Attributes & { readonly together: number },
): Value {
  const { together, kernel_shape, pads } = options;
  const [strideY, strideX] = (options.strides ?? [1, 1]) as [number, number];
  const [dilationY, dilationX] = (options.dilations ?? [1, 1]) as [number, number];
  const [, inputs, height, width] = x.shape as Four;
  const [top, left, bottom] = pads as Four;
  const [, taps] = kernel_shape as [number, number];
  const block = g.blockSize!;
  const parts = batch / together;
  // By a stride, every tap has the columns that it meets to itself.
  const apart = strideX > 1;
  const met = Array.from(
    { length: apart ? taps * columns : columns + (taps - 1) * dilationX },
    (_, i) =>
      apart ? (i % columns) * strideX + Math.floor(i / columns) * dilationX - left : i - left,
  );
  const pixels = height * width;
  const blocks = inputs / block;
  const zeros = batch * blocks * pixels;
  const inside = (column: number): boolean => column >= 0 && column < width;
  const places = new Int32Array(parts * blocks * height * met.length * together);
  let at = 0;
  for (let part = 0; part < parts; part++)
    for (let b = 0; b < blocks; b++)
      for (let y = 0; y < height; y++)
        for (const column of met)
          for (let n = part * together; n < (part + 1) * together; n++)
            places[at++] = inside(column) ? (n * blocks + b) * pixels + y * width + column : zeros;
  const flat = g.reshape(x, [zeros, block]);
  const source = met.every(inside) ? flat : g.concat([flat, g.uniform(0, [1, block])], 0);
  const images = g.reshape(g.gather(source, g.dense(places, [places.length], "int32"), 0), [
    parts,
    inputs,
    height,
    met.length * together,
  ]);
  const y = blockedConv(g, images, weights, [parts, outputs, rows, columns * together], {
    kernel_shape,
    pads: [top, 0, bottom, 0],
    strides: [strideY, 1],
    dilations: [dilationY, together * (apart ? columns : dilationX)],
  });
  const filters = outputs / block;
  const back = new Int32Array(batch * filters * rows * columns);
  at = 0;
  for (let n = 0; n < batch; n++)
    for (let f = 0; f < filters; f++)
      for (let row = 0; row < rows; row++)
        for (let column = 0; column < columns; column++)
          back[at++] =
            ((Math.floor(n / together) * filters + f) * rows + row) * columns * together +
            column * together +
            (n % together);
  const ordered = g.gather(
    g.reshape(y, [back.length, block]),
    g.dense(back, [back.length], "int32"),
    0,
  );
  return g.reshape(ordered, [batch, outputs, rows, columns]);
}
