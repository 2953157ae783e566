/** Kernels that tfjs's backends for JavaScript have wrong, or not at all, as loops in float64. */
import { backend_util, util } from "@tensorflow/tfjs-core";
import type { HostKernel } from "./on-host.js";
import { always, type IsRight } from "./trusted-kernels.js";

type Five = [number, number, number, number, number];
type Four = [number, number, number, number];

/** Where one window begins and ends in the image, along one axis. */
type Span = readonly [first: number, end: number];

interface Axis {
  readonly output: number;
  readonly stride: number;
  readonly reach: number;
  readonly before: number;
  readonly input: number;
}

/** The windows of an axis' outputs. */
const spans = ({ output, stride, reach, before, input }: Axis): readonly Span[] =>
  Array.from({ length: output }, (_, i) => [
    Math.max(0, i * stride - before),
    Math.min(input, i * stride - before + reach),
  ]);

/** The shape of images [N, D, H, W, C] and the windows over each axis of them. */
interface Windows {
  readonly shape: Five;
  readonly outShape: readonly number[];
  readonly depths: readonly Span[];
  readonly rows: readonly Span[];
  readonly columns: readonly Span[];
}

interface Pooling<Sizes> {
  readonly filterSize: Sizes;
  readonly strides: Sizes | number;
  readonly pad: "valid" | "same" | number;
  readonly dimRoundingMode?: "floor" | "round" | "ceil";
}

/** The part of windows that lies within a plane, alike in two dimensions and in three. */
const planeOf = (
  w: backend_util.Conv2DInfo | backend_util.Conv3DInfo,
): Pick<Windows, "rows" | "columns"> => ({
  rows: spans({
    output: w.outHeight,
    stride: w.strideHeight,
    reach: w.filterHeight,
    before: w.padInfo.top,
    input: w.inHeight,
  }),
  columns: spans({
    output: w.outWidth,
    stride: w.strideWidth,
    reach: w.filterWidth,
    before: w.padInfo.left,
    input: w.inWidth,
  }),
});

function windowsOf(images: readonly number[], attributes: object): Windows {
  const { filterSize, strides, pad, dimRoundingMode } = attributes as Pooling<[number, number]>;
  const shape = images as Four;
  const w = backend_util.computePool2DInfo(shape, filterSize, strides, 1, pad, dimRoundingMode);
  return {
    shape: [shape[0], 1, shape[1], shape[2], shape[3]],
    outShape: w.outShape,
    depths: [[0, 1]],
    ...planeOf(w),
  };
}

function windowsOf3D(images: readonly number[], attributes: object): Windows {
  const { filterSize, strides, pad, dimRoundingMode } = attributes as Pooling<
    [number, number, number]
  >;
  const shape = images as Five;
  const w = backend_util.computePool3DInfo(shape, filterSize, strides, 1, pad, dimRoundingMode);
  return {
    shape,
    outShape: w.outShape,
    depths: spans({
      output: w.outDepth,
      stride: w.strideDepth,
      reach: w.filterDepth,
      before: w.padInfo.front,
      input: w.inDepth,
    }),
    ...planeOf(w),
  };
}

/** Calls `visit` for each pixel of each window, windows in the order of the outputs: `first` is the place of the pixel's
 *  first channel, `output` that of the window's, `count` how many pixels of the window lie in the image; `outside` for each
 *  window that has none. */
function eachPixel(
  { shape: [batch, depth, height, width, channels], depths, rows, columns }: Windows,
  visit: (first: number, output: number, count: number) => void,
  outside?: (output: number) => void,
): void {
  let output = 0;
  for (let n = 0; n < batch; n++)
    for (const [front, back] of depths)
      for (const [top, bottom] of rows)
        for (const [left, right] of columns) {
          const count =
            Math.max(0, back - front) * Math.max(0, bottom - top) * Math.max(0, right - left);
          if (count === 0) outside?.(output);
          for (let d = front; d < back; d++)
            for (let y = top; y < bottom; y++) {
              const row = ((n * depth + d) * height + y) * width;
              for (let x = left; x < right; x++) visit((row + x) * channels, output, count);
            }
          output += channels;
        }
}

/** The maxima; NaN is passed over. */
const maxima =
  (windows: typeof windowsOf): HostKernel =>
  ({ x }, attributes) => {
    const over = windows(x!.shape, attributes);
    const channels = over.shape[4];
    const y = new Float64Array(util.sizeFromShape([...over.outShape])).fill(-Infinity);
    const from = x!.values;
    eachPixel(over, (first, output) => {
      for (let c = 0; c < channels; c++) {
        const value = from[first + c]!;
        if (value > y[output + c]!) y[output + c] = value;
      }
    });
    return { shape: over.outShape, dtype: x!.dtype, values: y };
  };

/** dy at the first maximum of each window, summed; NaN is passed over. */
const maximaGradient =
  (windows: typeof windowsOf): HostKernel =>
  ({ dy, input }, attributes) => {
    const over = windows(input!.shape, attributes);
    const channels = over.shape[4];
    const size = util.sizeFromShape([...over.outShape]);
    const best = new Float64Array(size);
    const places = new Int32Array(size).fill(-1);
    const from = input!.values;
    eachPixel(over, (first, output) => {
      for (let c = 0; c < channels; c++) {
        const value = from[first + c]!;
        if (value > best[output + c]! || (places[output + c]! < 0 && value === value)) {
          best[output + c] = value;
          places[output + c] = first + c;
        }
      }
    });
    const sums = new Float64Array(from.length);
    for (let i = 0; i < size; i++) if (places[i]! >= 0) sums[places[i]!]! += dy!.values[i]!;
    return { shape: input!.shape, dtype: "float32", values: sums };
  };

/** The means over the part of each window that lies in the image. */
const means =
  (windows: typeof windowsOf): HostKernel =>
  ({ x }, attributes) => {
    const over = windows(x!.shape, attributes);
    const channels = over.shape[4];
    const y = new Float64Array(util.sizeFromShape([...over.outShape]));
    const from = x!.values;
    eachPixel(
      over,
      (first, output, count) => {
        for (let c = 0; c < channels; c++) y[output + c]! += from[first + c]! / count;
      },
      (output) => y.fill(NaN, output, output + channels),
    );
    return { shape: over.outShape, dtype: "float32", values: y };
  };

/** Their gradient: tfjs's divides by the whole window, also where a part of it lies beyond the image. */
const meansGradient =
  (windows: typeof windowsOf): HostKernel =>
  ({ dy, input }, attributes) => {
    const over = windows(input!.shape, attributes);
    const channels = over.shape[4];
    const sums = new Float64Array(util.sizeFromShape([...input!.shape]));
    const from = dy!.values;
    eachPixel(over, (first, output, count) => {
      for (let c = 0; c < channels; c++) sums[first + c]! += from[output + c]! / count;
    });
    return { shape: input!.shape, dtype: "float32", values: sums };
  };

interface Resizing {
  readonly alignCorners?: boolean;
  readonly halfPixelCenters?: boolean;
}

/** The pixels of an axis that make each output, and their weights. */
type Weights = readonly (readonly [pixel: number, weight: number])[][];

/** Pixels of the input for each of the output. */
const scaleOf = (input: number, output: number, alignCorners: boolean): number =>
  alignCorners && output > 1 ? (input - 1) / (output - 1) : input / output;

function linear(
  input: number,
  output: number,
  { alignCorners = false, halfPixelCenters = false }: Resizing,
): Weights {
  const scale = scaleOf(input, output, alignCorners);
  return Array.from({ length: output }, (_, i) => {
    const source = halfPixelCenters ? scale * (i + 0.5) - 0.5 : scale * i;
    const low = Math.max(0, Math.floor(source));
    const part = source - low;
    return [
      [low, 1 - part],
      [Math.min(input - 1, Math.ceil(source)), part],
    ];
  });
}

function nearest(
  input: number,
  output: number,
  { alignCorners = false, halfPixelCenters = false }: Resizing,
): Weights {
  const scale = scaleOf(input, output, alignCorners);
  return Array.from({ length: output }, (_, i) => {
    const source = halfPixelCenters ? scale * (i + 0.5) : scale * i;
    const pixel = alignCorners ? Math.round(source) : Math.floor(source);
    return [[Math.max(0, Math.min(input - 1, pixel)), 1]];
  });
}

/** The transpose of resizing: tfjs's cpu backend swaps the axes of images that are not square, mixes up a batch, and
 *  forgets halfPixelCenters. */
const resizeGrad =
  (weights: (input: number, output: number, how: Resizing) => Weights): HostKernel =>
  ({ images, dy }, attributes) => {
    const [batch, height, width, channels] = images!.shape as Four;
    const [, outHeight, outWidth] = dy!.shape as Four;
    const rows = weights(height, outHeight, attributes);
    const columns = weights(width, outWidth, attributes);
    const sums = new Float64Array(util.sizeFromShape([...images!.shape]));
    let at = 0;
    for (let n = 0; n < batch; n++)
      for (const row of rows)
        for (const column of columns) {
          for (const [y, up] of row)
            for (const [x, along] of column) {
              const pixel = ((n * height + y) * width + x) * channels;
              for (let c = 0; c < channels; c++)
                sums[pixel + c]! += up * along * dy!.values[at + c]!;
            }
          at += channels;
        }
    return { shape: images!.shape, dtype: "float32", values: sums };
  };

/** Row s of the result is the sum of the rows of x whose segment is s; of others there is no row. */
const unsortedSegmentSum: HostKernel = ({ x, segmentIds }, attributes) => {
  const { numSegments } = attributes as { numSegments: number };
  const shape = [numSegments, ...x!.shape.slice(segmentIds!.shape.length)];
  const row = util.sizeFromShape(shape.slice(1));
  const sums = new Float64Array(numSegments * row);
  segmentIds!.values.forEach((segment, i) => {
    if (segment < 0 || segment >= numSegments) return;
    for (let k = 0; k < row; k++) sums[segment * row + k]! += x!.values[i * row + k]!;
  });
  return { shape, dtype: x!.dtype, values: sums };
};

/** The backend for wasm makes 0 of a NaN with a sign. */
const relu: HostKernel = ({ x }) => {
  const { shape, dtype, values } = x!;
  const y = new Float32Array(values.length);
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!;
    y[i] = value <= 0 ? 0 : value;
  }
  return { shape, dtype, values: y };
};

/** Sums over neighbouring axes: [.., reduced, ..]. */
const sum =
  (share: (terms: number) => number): HostKernel =>
  ({ x }, attributes) => {
    const { shape, dtype, values } = x!;
    const axes = reducedAxes(shape, attributes);
    const first = Math.min(...axes, shape.length);
    const size = (from: number, to: number) => util.sizeFromShape(shape.slice(from, to));
    const [outer, terms] = [size(0, first), size(first, first + axes.length)];
    const inner = size(first + axes.length, shape.length);
    const sums = new Float64Array(outer * inner);
    let at = 0;
    for (let o = 0; o < outer; o++)
      for (let t = 0; t < terms; t++)
        for (let i = 0; i < inner; i++) sums[o * inner + i]! += values[at++]!;
    const part = share(terms);
    if (part !== 1) for (let i = 0; i < sums.length; i++) sums[i]! *= part;
    const kept = shape.filter((_, axis) => !axes.includes(axis));
    const all = shape.map((length, axis) => (axes.includes(axis) ? 1 : length));
    return {
      shape: attributes.keepDims === true ? all : kept,
      dtype: dtype === "bool" ? "int32" : dtype,
      values: sums,
    };
  };

function reducedAxes(
  shape: readonly number[],
  { axis }: Readonly<Record<string, unknown>>,
): readonly number[] {
  const axes = [(axis as number | number[] | undefined | null) ?? shape.map((_, i) => i)].flat();
  return axes.map((i) => (i < 0 ? i + shape.length : i));
}

/** Whether the axes that are reduced are neighbours. */
const reducesNeighbours: IsRight = ([x], attributes) => {
  const axes = reducedAxes(x!.shape, attributes);
  return axes.length === 0 || Math.max(...axes) - Math.min(...axes) === axes.length - 1;
};

/** Running results along an axis, also one that is counted from the end, which tfjs's own fail. */
const scan =
  (start: number, combine: (a: number, b: number) => number): HostKernel =>
  ({ x }, attributes) => {
    const { shape, dtype, values } = x!;
    const { axis, exclusive, reverse } = attributes as Record<string, unknown>;
    const along = (axis as number) < 0 ? (axis as number) + shape.length : (axis as number);
    const length = shape[along] ?? 1;
    const inner = util.sizeFromShape(shape.slice(along + 1));
    const y = new Float64Array(values.length);
    for (let first = 0; first < values.length; first += length * inner)
      for (let i = 0; i < inner; i++) {
        let running = start;
        for (let k = 0; k < length; k++) {
          const at = first + (reverse === true ? length - 1 - k : k) * inner + i;
          const next = combine(running, values[at]!);
          y[at] = exclusive === true ? running : next;
          running = next;
        }
      }
    return { shape, dtype: dtype === "bool" ? "int32" : dtype, values: y };
  };

const isFloat: IsRight = ([x]) => x!.dtype === "float32";

interface Choice {
  readonly kernel: HostKernel;
  readonly isRight: IsRight;
}

/** By kernel name, for both backends, and for which operands. */
export const hostKernels: Readonly<Record<string, Choice>> = {
  AvgPool: { kernel: means(windowsOf), isRight: always },
  AvgPoolGrad: { kernel: meansGradient(windowsOf), isRight: always },
  AvgPool3D: { kernel: means(windowsOf3D), isRight: always },
  AvgPool3DGrad: { kernel: meansGradient(windowsOf3D), isRight: always },
  Cumprod: { kernel: scan(1, (a, b) => a * b), isRight: always },
  Cumsum: { kernel: scan(0, (a, b) => a + b), isRight: always },
  MaxPool: { kernel: maxima(windowsOf), isRight: always },
  MaxPoolGrad: { kernel: maximaGradient(windowsOf), isRight: always },
  MaxPool3D: { kernel: maxima(windowsOf3D), isRight: always },
  MaxPool3DGrad: { kernel: maximaGradient(windowsOf3D), isRight: always },
  Mean: {
    kernel: sum((terms) => 1 / terms),
    isRight: (operands, attributes) =>
      isFloat(operands, attributes) && reducesNeighbours(operands, attributes),
  },
  Relu: { kernel: relu, isRight: isFloat },
  ResizeBilinearGrad: { kernel: resizeGrad(linear), isRight: always },
  ResizeNearestNeighborGrad: { kernel: resizeGrad(nearest), isRight: always },
  Sum: { kernel: sum(() => 1), isRight: reducesNeighbours },
  UnsortedSegmentSum: { kernel: unsortedSegmentSum, isRight: always },
};
