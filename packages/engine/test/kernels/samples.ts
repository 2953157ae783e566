/** For every lowered kernel, calls that reach it, to be compared with tfjs's cpu backend: values and gradients. Kept as
 *  data, which several tests run in ways of their own. */
import { adamw } from "@lejepa/ops";
import * as tf from "@tensorflow/tfjs-core";
import { compositeSamples } from "./composite-samples.js";
import type { Sample, SampleInput } from "./sample.js";

const f = (...shape: number[]): SampleInput => ({ shape });
const within = (low: number, high: number, ...shape: number[]): SampleInput => ({
  shape,
  low,
  high,
});
const ints = (shape: number[], ...values: number[]): SampleInput => ({
  shape,
  dtype: "int32",
  values,
});
const floats = (shape: number[], ...values: number[]): SampleInput => ({ shape, values });

const kernel = (name: string, inputs: object, attributes: object = {}): tf.Tensor =>
  tf
    .engine()
    .runKernel<tf.Tensor>(name, inputs as tf.NamedTensorMap, attributes as tf.NamedAttrMap);

const nan = "NaN has no gradient";
const withNaN = (...shape: number[]): SampleInput =>
  floats(
    shape,
    ...Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) =>
      i % 4 === 2 ? NaN : i % 3,
    ),
  );

type Unary = (x: tf.Tensor) => tf.Tensor;
type Binary = (a: tf.Tensor, b: tf.Tensor) => tf.Tensor;

const unary = (run: Unary, low = -2, high = 2): Sample[] => [
  { title: "of a matrix", inputs: [within(low, high, 3, 5)], run: (x) => run(x) },
  { title: "of a scalar", inputs: [within(low, high)], run: (x) => run(x) },
];

const binary = (run: Binary, low = -2, high = 2): Sample[] => [
  {
    title: "of equal shapes",
    inputs: [within(low, high, 2, 3), within(low + 0.1, high, 2, 3)],
    run: (a, b) => run(a, b),
  },
  {
    title: "a row broadcast",
    inputs: [within(low, high, 4, 3), within(low + 0.1, high, 3)],
    run: (a, b) => run(a, b),
  },
  {
    title: "both broadcast",
    inputs: [within(low, high, 4, 1), within(low + 0.1, high, 2, 1, 3)],
    run: (a, b) => run(a, b),
  },
  {
    title: "a scalar",
    inputs: [within(low, high), within(low + 0.1, high, 5)],
    run: (a, b) => run(a, b),
  },
];

/** Equal elements among the unequal. */
const comparison = (run: Binary): Sample[] => [
  {
    title: "of float32",
    inputs: [floats([2, 3], 1, 2, 3, -1, 0, 5), floats([3], 1, 3, 0)],
    run: (a, b) => run(a, b),
  },
  {
    title: "of int32",
    inputs: [ints([2, 3], 1, 2, 3, -1, 0, 5), ints([2, 1], 2, 0)],
    run: (a, b) => run(a, b),
  },
];

const logical = (run: Binary): Sample[] => [
  {
    title: "of comparisons",
    inputs: [floats([4], 1, -1, 1, -1), floats([4], 1, 1, -1, -1)],
    run: (a, b) => run(tf.greater(a, 0), tf.greater(b, 0)),
  },
];

type Axes = (x: tf.Tensor, axis?: number | number[], keepDims?: boolean) => tf.Tensor;
const reduction = (run: Axes): Sample[] => [
  { title: "over everything", inputs: [f(3, 4)], run: (x) => run(x) },
  { title: "over the last axis, kept", inputs: [f(3, 4)], run: (x) => run(x, -1, true) },
  { title: "over two of three axes", inputs: [f(3, 4, 2)], run: (x) => run(x, [0, 2]) },
  { title: "over an axis of length 1", inputs: [f(3, 1, 2)], run: (x) => run(x, 1) },
];

const images = (n: number, h: number, w: number, c: number): SampleInput => f(n, h, w, c);
type Pad = "same" | "valid" | number | tf.backend_util.ExplicitPadding;
/** So many zeros before and after rows and columns of images with their channels last. */
const around = (
  rows: [number, number],
  columns: [number, number],
): tf.backend_util.ExplicitPadding => [[0, 0], rows, columns, [0, 0]];
type Geometry = readonly [
  title: string,
  x: [number, number, number, number],
  filter: [number, number, number, number],
  strides: [number, number],
  pad: Pad,
  dilations?: [number, number],
];
const geometries: readonly Geometry[] = [
  ["3x3, same", [2, 5, 6, 3], [3, 3, 3, 4], [1, 1], "same"],
  ["3x3 by 2, same", [2, 7, 6, 3], [3, 3, 3, 4], [2, 2], "same"],
  ["4x4 by 2, padding 1", [2, 8, 8, 1], [4, 4, 1, 5], [2, 2], 1],
  ["2x3 by 3 and 2, valid, rows left over", [1, 9, 8, 2], [2, 3, 2, 3], [3, 2], "valid"],
  ["1x1", [2, 3, 4, 5], [1, 1, 5, 2], [1, 1], "same"],
  ["1x1 by 2", [2, 5, 5, 3], [1, 1, 3, 4], [2, 2], "valid"],
  ["explicit uneven padding", [1, 5, 5, 2], [3, 3, 2, 2], [2, 1], around([0, 2], [1, 0])],
  ["7x7 by 2 with padding 3", [1, 11, 9, 3], [7, 7, 3, 2], [2, 2], 3],
  // Channels that fill whole blocks of 8 and of 16, or all of one block but a part.
  ["blocks of channels, 3x3, same", [2, 5, 4, 16], [3, 3, 16, 32], [1, 1], "same"],
  ["blocks of channels, 3x3 by 2", [2, 5, 4, 32], [3, 3, 32, 16], [2, 2], 1],
  ["blocks of channels, 1x1 by 2", [2, 5, 4, 16], [1, 1, 16, 16], [2, 2], "valid"],
  ["blocks of channels, 2x4 by 3 and 1", [1, 7, 6, 16], [2, 4, 16, 16], [3, 1], "valid"],
  [
    "blocks of channels, uneven padding beyond the filter",
    [1, 4, 4, 16],
    [2, 2, 16, 16],
    [1, 2],
    around([3, 1], [0, 2]),
  ],
  ["from few channels to a block", [2, 6, 6, 3], [4, 4, 3, 16], [2, 2], 1],
  ["from one block and a half", [1, 4, 4, 24], [3, 3, 24, 16], [1, 1], 1],
  ["parts of blocks, 3x3 by 2", [2, 5, 6, 12], [3, 3, 12, 28], [2, 2], 1],
  ["parts of blocks, no multiples of four", [1, 5, 4, 18], [2, 3, 18, 13], [1, 1], "same"],
  ["a large batch", [64, 3, 4, 16], [2, 2, 16, 16], [2, 2], 1],
  ["a large batch of images within each window", [64, 2, 2, 5], [3, 3, 5, 4], [1, 1], 1],
  ["a large batch of pixels", [64, 1, 1, 5], [3, 3, 5, 4], [1, 1], 1],
  [
    "a large batch within each window, by 2 and 1",
    [64, 3, 2, 4],
    [5, 4, 4, 3],
    [2, 1],
    around([2, 2], [1, 2]),
  ],
  ["many channels, 3x3 by 2", [2, 5, 4, 64], [3, 3, 64, 64], [2, 2], 1],
  ["more channels, 3x3 by 2", [2, 5, 4, 64], [3, 3, 64, 128], [2, 2], 1],
  ["more channels, 3x3 by 2, same", [2, 5, 3, 64], [3, 3, 64, 128], [2, 2], "same"],
  ["many weights, 3x3 by 2", [2, 4, 5, 128], [3, 3, 128, 256], [2, 2], 1],
  ["more channels, 2x2 by 2", [2, 4, 5, 64], [2, 2, 64, 128], [2, 2], "valid"],
  // The filter's gradient runs over blocks of images: whole ones and parts, one band of positions and several.
  ["a block and a part of images", [20, 5, 4, 32], [3, 3, 32, 16], [2, 2], "same"],
  ["blocks of images, few channels", [16, 6, 7, 3], [4, 3, 3, 32], [2, 2], around([1, 1], [1, 1])],
  ["columns that no output reaches", [2, 7, 9, 4], [6, 1, 4, 8], [1, 5], "valid"],
  ["images in part of a block, channels between blocks", [4, 4, 5, 20], [3, 3, 20, 24], [1, 1], 1],
  ["many positions", [4, 20, 18, 3], [3, 3, 3, 16], [1, 1], "same"],
  ["many positions, by two, rows left over", [4, 42, 38, 2], [3, 2, 2, 16], [2, 2], "valid"],
  [
    "blocks of images, uneven padding beyond the filter",
    [4, 4, 4, 16],
    [2, 2, 16, 16],
    [1, 2],
    around([3, 1], [0, 2]),
  ],
];
const dilated: readonly Geometry[] = [
  ["dilated by 2 and 3", [1, 9, 10, 2], [3, 3, 2, 3], [1, 1], "same", [2, 3]],
  ["blocks of channels, dilated", [1, 9, 10, 16], [3, 3, 16, 16], [1, 1], "same", [2, 3]],
];

/** With blocks of channels, and over many positions, hundreds of products are added up, in another order; with hundreds
 *  of channels more than a thousand. */
const roundingOf = (filter: readonly number[], positions = 0): Pick<Sample, "tolerance"> => {
  const channels = filter[2]! * filter[3]!;
  if (channels >= 2 ** 15) return { tolerance: 3e-4 };
  return channels >= 48 || positions >= 1000 ? { tolerance: 1e-4 } : {};
};

const convolution = (): Sample[] => [
  ...geometries.map(([title, x, filter, strides, pad]): Sample => ({
    title,
    ...roundingOf(filter),
    inputs: [f(...x), f(...filter)],
    run: (a, b) => tf.conv2d(a as tf.Tensor4D, b as tf.Tensor4D, strides, pad),
  })),
  ...dilated.map(([title, x, filter, strides, pad, dilations]): Sample => ({
    title,
    ...roundingOf(filter),
    inputs: [f(...x), f(...filter)],
    run: (a, b) => tf.conv2d(a as tf.Tensor4D, b as tf.Tensor4D, strides, pad, "NHWC", dilations),
    valuesOnly: "tfjs has no gradient of dilated convolutions",
  })),
  {
    title: "blocks of channels, padding of a filter that is not square",
    ...roundingOf([2, 3, 16, 16]),
    inputs: [f(2, 3, 4, 16), f(2, 3, 16, 16)],
    run: (a, b) => tf.conv2d(a as tf.Tensor4D, b as tf.Tensor4D, [1, 2], around([1, 1], [1, 1])),
  },
];

const backprops = (
  run: (x: tf.Tensor, filter: tf.Tensor, dy: tf.Tensor, geometry: Geometry) => tf.Tensor,
): Sample[] =>
  geometries.map((geometry) => {
    const [title, x, filter, strides, pad] = geometry;
    const { outShape } = tf.backend_util.computeConv2DInfo(x, filter, strides, 1, pad);
    return {
      title,
      ...roundingOf(filter, outShape[0] * outShape[1] * outShape[2]),
      inputs: [f(...x), f(...filter), f(...outShape)],
      run: (a, b, c) => run(a, b, c, geometry),
      valuesOnly: "the gradient of a gradient is not part of a step",
    };
  });

type Depthwise = readonly [
  title: string,
  x: [number, number, number, number],
  filter: [number, number, number, number],
  strides: [number, number],
  pad: Pad,
  dilations: [number, number],
];
const depthwise: readonly Depthwise[] = [
  ["3x3, same", [2, 5, 6, 3], [3, 3, 3, 1], [1, 1], "same", [1, 1]],
  ["two filters for each channel, by 2", [2, 7, 6, 3], [3, 3, 3, 2], [2, 2], "same", [1, 1]],
  ["dilated", [1, 8, 7, 2], [3, 3, 2, 1], [1, 1], "valid", [2, 2]],
  ["2x2 by 3, rows left over", [1, 9, 8, 2], [2, 2, 2, 2], [3, 3], "valid", [1, 1]],
  ["blocks of channels, 3x3", [2, 5, 6, 16], [3, 3, 16, 1], [1, 1], "same", [1, 1]],
  ["blocks of channels and images, by 2", [16, 5, 6, 32], [3, 3, 32, 1], [2, 2], 1, [1, 1]],
  ["parts of blocks, 2x3 by 3 and 2", [4, 7, 6, 10], [2, 3, 10, 1], [3, 2], "valid", [1, 1]],
  ["parts of blocks, many positions", [20, 18, 18, 12], [2, 2, 12, 1], [1, 1], "same", [1, 1]],
  ["blocks of channels, dilated", [4, 8, 7, 16], [3, 3, 16, 1], [1, 1], "valid", [2, 2]],
  ["dilated unequally, same", [2, 7, 8, 3], [3, 2, 3, 2], [1, 1], "same", [1, 3]],
  ["two taps by 2, same", [1, 2, 2, 1], [1, 2, 1, 1], [2, 2], "same", [1, 1]],
];
/** tfjs's cpu backend leaves dilations out of the two gradients; ours are checked in dilated-gradients.test.ts. */
const depthwiseBackprops = (
  run: (x: tf.Tensor, filter: tf.Tensor, dy: tf.Tensor, geometry: Depthwise) => tf.Tensor,
): Sample[] =>
  depthwise
    .filter(([, , , , , dilations]) => dilations[0] === 1)
    .map((geometry) => {
      const [title, x, filter, strides, pad, dilations] = geometry;
      const { outShape } = tf.backend_util.computeConv2DInfo(
        x,
        filter,
        strides,
        dilations,
        pad,
        undefined,
        true,
      );
      return {
        title,
        // Thousands of products are added up, in another order.
        ...(x[0] * x[1] * x[2] > 1000 ? { tolerance: 1e-4 } : {}),
        inputs: [f(...x), f(...filter), f(...outShape)],
        run: (a, b, c) => run(a, b, c, geometry),
        valuesOnly: "the gradient of a gradient is not part of a step",
      };
    });

type Rounding = "floor" | "round" | "ceil";
type Pool = (
  x: tf.Tensor4D,
  size: [number, number],
  strides: [number, number],
  pad: Pad,
  rounding?: Rounding,
) => tf.Tensor;
type Pooled = readonly [
  title: string,
  x: [number, number, number, number],
  size: [number, number],
  strides: [number, number],
  pad: Pad,
  rounding?: Rounding,
];
const pools: readonly Pooled[] = [
  ["2x2 by 2", [2, 6, 6, 3], [2, 2], [2, 2], "valid"],
  ["3x3 by 2, overlapping", [2, 7, 7, 2], [3, 3], [2, 2], "valid"],
  ["2x3 by 2 and 1, rows left over", [1, 5, 6, 2], [2, 3], [2, 1], "valid"],
];
const paddedPools: readonly Pooled[] = [
  ["3x3 by 2 with padding 1", [2, 8, 6, 3], [3, 3], [2, 2], 1],
  ["blocks of channels, 3x3 by 2 with padding 1", [2, 7, 6, 16], [3, 3], [2, 2], 1],
  ["parts of blocks, 2x3 by 1 and 2, same", [1, 5, 6, 21], [2, 3], [1, 2], "same"],
  ["one row and a window beyond it", [1, 1, 2, 1], [2, 2], [1, 1], "same"],
  ["explicit paddings, unequal strides", [1, 8, 6, 3], [3, 3], [2, 1], around([1, 1], [1, 1])],
  ["uneven paddings, rows left over", [1, 7, 6, 2], [2, 3], [3, 2], around([0, 1], [2, 0])],
  ["rounded down", [1, 7, 7, 3], [2, 2], [2, 2], 1, "floor"],
  ["rounded up", [1, 8, 7, 3], [3, 3], [2, 2], 1, "ceil"],
  ["a window beyond the image by rounding up", [1, 7, 7, 3], [2, 2], [2, 2], 1, "ceil"],
  ["windows beyond the image on all sides", [1, 3, 2, 2], [2, 2], [1, 2], around([3, 2], [2, 4])],
  ["windows of one pixel with padding", [1, 5, 5, 1], [1, 1], [2, 2], 2],
  ["no window over the image", [1, 1, 1, 2], [1, 1], [2, 2], 1],
  ["rounded up without padding", [1, 6, 7, 2], [2, 2], [3, 3], 0, "ceil"],
  ["rounded to the nearest", [1, 8, 7, 3], [3, 3], [3, 3], 1, "round"],
];
const pooling = (run: Pool): Sample[] =>
  [...pools, ...paddedPools].map(([title, shape, size, strides, pad, rounding]) => ({
    title,
    inputs: [images(...shape)],
    run: (x) => run(x as tf.Tensor4D, size, strides, pad, rounding),
  }));

const resizing = (method: "resizeBilinear" | "resizeNearestNeighbor"): Sample[] =>
  (
    [
      [7, 9],
      [3, 2],
      [5, 4],
    ] as [number, number][]
  ).flatMap((size) =>
    (
      [
        [false, false],
        [true, false],
        [false, true],
      ] as const
    ).map(([corners, centers]) => ({
      title: `to ${size.join(" by ")}, alignCorners ${corners}, halfPixelCenters ${centers}`,
      inputs: [images(2, 5, 4, 2)],
      run: (x) => tf.image[method](x as tf.Tensor4D, size, corners, centers),
    })),
  );
/** One square image: tfjs's cpu backend swaps the axes of others, and mixes up a batch. */
const resizingBack = (name: string): Sample[] =>
  [false, true].map((alignCorners) => ({
    title: `alignCorners ${alignCorners}`,
    inputs: [images(1, 4, 4, 2), images(1, 7, 9, 2)],
    run: (x, dy) =>
      kernel(name, { images: x, dy }, { alignCorners, halfPixelCenters: false, size: [7, 9] }),
    valuesOnly: "the gradient of a gradient is not part of a step",
  }));

const id = (x: tf.Tensor, axis = 1): tf.Tensor => tf.expandDims(x, axis);

export const samples: Readonly<Record<string, readonly Sample[]>> = {
  // arithmetic
  Add: [
    ...binary(tf.add),
    {
      title: "of int32",
      inputs: [ints([3], 1, -2, 7), ints([3], 5, 4, 3)],
      run: (a, b) => tf.add(a, b),
    },
  ],
  Sub: binary(tf.sub),
  Multiply: binary(tf.mul),
  RealDiv: binary(tf.div, 0.5, 3),
  FloorDiv: [
    ...binary(tf.floorDiv, 0.5, 3),
    {
      title: "into int32, which drops what no whole number is",
      inputs: [floats([4], -1, 1, 0, 7), floats([4], 2, 0, 0, 2)],
      run: (a, b) => tf.step(tf.floorDiv(a, b), 0.25),
      valuesOnly: "whole numbers have no gradient",
    },
    {
      title: "of negative int32",
      inputs: [ints([4], 7, -7, 7, -7), ints([4], 2, 2, -2, -2)],
      run: (a, b) => tf.floorDiv(a, b),
    },
    {
      title: "of int32 beyond float32",
      inputs: [ints([1], 2147483647), ints([1], 3)],
      run: (a, b) => tf.floorDiv(tf.sub(a, b), 1000003),
    },
  ],
  Mod: [
    {
      title: "of both signs",
      inputs: [floats([4], 5.5, -5.5, 5.5, -5.5), floats([4], 2, 2, -2, -2)],
      run: (a, b) => tf.mod(a, b),
    },
    {
      title: "of int32",
      inputs: [ints([4], 7, -7, 7, -7), ints([4], 3, 3, -3, -3)],
      run: (a, b) => tf.mod(a, b),
    },
  ],
  Maximum: binary(tf.maximum),
  Minimum: binary(tf.minimum),
  Pow: [
    ...binary(tf.pow, 0.5, 3),
    { title: "negative to whole powers", inputs: [f(5)], run: (x) => tf.pow(x, 3) },
  ],
  SquaredDifference: binary(tf.squaredDifference),
  Atan2: [
    ...binary(tf.atan2),
    {
      title: "on the axes",
      inputs: [floats([5], 1, -1, 0, 0, 0), floats([5], 0, 0, 1, -1, 0)],
      run: (a, b) => tf.atan2(a, b),
    },
    {
      title: "of zeros and infinities of both signs",
      inputs: [
        floats([10], 0, -0, 0, -0, 1, -1, Infinity, -Infinity, Infinity, 3),
        floats([10], -2, -2, -0, -0, -0, 0, Infinity, -Infinity, 1, -Infinity),
      ],
      run: (y, x) => tf.atan2(y, x),
      valuesOnly: "the slope at the origin and at infinity is NaN",
    },
  ],
  AddN: [{ title: "of three", inputs: [f(2, 3), f(2, 3), f(2, 3)], run: (...xs) => tf.addN(xs) }],
  // comparisons
  Equal: comparison(tf.equal),
  NotEqual: comparison(tf.notEqual),
  Greater: comparison(tf.greater),
  GreaterEqual: comparison(tf.greaterEqual),
  Less: comparison(tf.less),
  LessEqual: comparison(tf.lessEqual),
  LogicalAnd: logical(tf.logicalAnd),
  LogicalOr: logical(tf.logicalOr),
  LogicalXor: logical(tf.logicalXor),
  LogicalNot: [
    { title: "of a comparison", inputs: [f(5)], run: (x) => tf.logicalNot(tf.greater(x, 0)) },
  ],
  // elementwise
  Abs: [
    ...unary(tf.abs),
    { title: "of int32", inputs: [ints([3], -2, 0, 3)], run: (x) => tf.abs(x) },
  ],
  Acos: unary(tf.acos, -0.9, 0.9),
  Acosh: unary(tf.acosh, 1.1, 4),
  Asin: unary(tf.asin, -0.9, 0.9),
  Asinh: unary(tf.asinh),
  Atan: unary(tf.atan),
  Atanh: unary(tf.atanh, -0.9, 0.9),
  Ceil: unary(tf.ceil),
  Cos: unary(tf.cos),
  Cosh: unary(tf.cosh),
  Erf: unary(tf.erf),
  Exp: [
    ...unary(tf.exp),
    { title: "of int32", inputs: [ints([3], -1, 0, 3)], run: (x) => tf.exp(x) },
  ],
  Expm1: [
    ...unary(tf.expm1),
    {
      title: "near 0 and far away",
      inputs: [floats([4], 1e-6, -1e-6, 30, -30)],
      run: (x) => tf.mul(tf.expm1(x), [1e6, 1e6, 1e-13, 1]),
      valuesOnly: "compared at every scale by its values",
    },
  ],
  Floor: unary(tf.floor),
  Log: unary(tf.log, 0.1, 4),
  Log1p: [
    ...unary(tf.log1p, -0.9, 4),
    {
      title: "near 0 and far away",
      inputs: [floats([3], 1e-6, -1e-6, 1e20)],
      run: (x) => tf.mul(tf.log1p(x), [1e6, 1e6, 1]),
    },
  ],
  Neg: unary(tf.neg),
  Reciprocal: unary(tf.reciprocal, 0.3, 4),
  Round: [
    {
      title: "halves to even",
      inputs: [floats([6], 0.5, 1.5, 2.5, -0.5, -1.5, 2.3)],
      run: (x) => tf.round(x),
    },
    { title: "of int32", inputs: [ints([3], -2, 0, 3)], run: (x) => tf.round(x) },
  ],
  Rsqrt: unary(tf.rsqrt, 0.3, 4),
  Sign: [
    { title: "with zero", inputs: [floats([3], -3, 0, 2)], run: (x) => tf.sign(x) },
    { title: "of NaN", inputs: [withNaN(6)], run: (x) => tf.sign(x), valuesOnly: nan },
  ],
  Sin: unary(tf.sin),
  Sinh: unary(tf.sinh),
  Sqrt: unary(tf.sqrt, 0.3, 4),
  Square: unary(tf.square),
  Tan: [
    ...unary(tf.tan, -1, 1),
    {
      title: "of large numbers",
      inputs: [within(1e8, 2e9, 20)],
      run: (x) => tf.tan(x),
      valuesOnly: "the slopes reach 1e5",
    },
  ],
  Tanh: unary(tf.tanh),
  IsFinite: [
    {
      title: "of every kind",
      inputs: [floats([4], 1, NaN, Infinity, -Infinity)],
      run: (x) => tf.isFinite(x),
    },
  ],
  IsInf: [
    {
      title: "of every kind",
      inputs: [floats([4], 1, NaN, Infinity, -Infinity)],
      run: (x) => tf.isInf(x),
    },
  ],
  IsNan: [
    {
      title: "of every kind",
      inputs: [floats([4], 1, NaN, Infinity, -Infinity)],
      run: (x) => tf.isNaN(x),
    },
  ],
  Identity: unary((x) => tf.mul(tf.clone(x), 2)),
  Cast: [
    {
      title: "float32 to int32 drops the fraction",
      inputs: [floats([4], 1.7, -1.7, 0.2, -0.2)],
      run: (x) => tf.cast(x, "int32"),
      valuesOnly: "whole numbers have no gradient",
    },
    {
      title: "float32 to bool and back",
      inputs: [floats([3], 0, 0.5, -2)],
      run: (x) => tf.cast(tf.cast(x, "bool"), "float32"),
    },
    {
      title: "int32 to float32",
      inputs: [ints([3], 1, -2, 3)],
      run: (x) => tf.div(tf.cast(x, "float32"), 2),
    },
  ],
  ClipByValue: [{ title: "both ends", inputs: [f(3, 5)], run: (x) => tf.clipByValue(x, -0.5, 1) }],
  Select: [
    {
      title: "of equal shapes",
      inputs: [ints([2, 3], 1, 0, 0, 1, 1, 0), f(2, 3), f(2, 3)],
      run: (c, a, b) => tf.where(tf.greater(c, 0), a, b),
    },
    {
      title: "between bools",
      inputs: [ints([4], 1, 0, 0, 1), ints([4], 1, 1, 0, 0), ints([4], 0, 1, 0, 1)],
      run: (c, a, b) => tf.where(tf.greater(c, 0), tf.cast(a, "bool"), tf.cast(b, "bool")),
    },
    {
      title: "of a broadcast condition",
      inputs: [ints([2, 1], 1, 0), f(2, 3), f(2, 3)],
      run: (c, a, b) => tf.where(tf.greater(c, 0), a, b),
    },
  ],
  // activations
  Elu: unary(tf.elu),
  EluGrad: [
    { title: "both signs", inputs: [f(6), f(6)], run: (dy, y) => kernel("EluGrad", { dy, y }) },
  ],
  LeakyRelu: [
    ...unary((x) => tf.leakyRelu(x, 0.3)),
    { title: "of int32", inputs: [ints([3], -2, 0, 3)], run: (x) => tf.leakyRelu(x, 0.3) },
  ],
  Prelu: [
    {
      title: "a slope for each column",
      inputs: [f(4, 3), within(0.1, 0.5, 3)],
      run: (x, a) => tf.prelu(x, a),
    },
    {
      title: "of int32",
      inputs: [ints([3], -2, 0, 3), floats([3], 0.5, 0.25, 0.5)],
      run: (x, a) => tf.prelu(x, a),
      valuesOnly: "whole numbers have no gradient",
    },
  ],
  Relu: unary(tf.relu),
  Relu6: unary(tf.relu6, -3, 9),
  Selu: unary(tf.selu),
  Sigmoid: unary(tf.sigmoid),
  Softplus: unary(tf.softplus),
  Step: [
    { title: "at 0 and around", inputs: [floats([3], -1, 0, 2)], run: (x) => tf.step(x) },
    { title: "with a slope", inputs: [floats([3], -1, 0, 2)], run: (x) => tf.step(x, 0.3) },
    {
      title: "of NaN",
      inputs: [withNaN(6)],
      run: (x) => [tf.step(x), tf.step(x, 0.3)],
      valuesOnly: nan,
    },
  ],
  BitwiseAnd: [
    {
      title: "of int32",
      inputs: [ints([4], 5, 12, -1, 7), ints([4], 3, 10, 6, 0)],
      run: (a, b) => tf.bitwiseAnd(a, b),
    },
  ],
  // creation
  Fill: [
    { title: "added to a matrix", inputs: [f(2, 3)], run: (x) => tf.add(x, tf.fill([2, 3], 1.5)) },
  ],
  OnesLike: [{ title: "of a matrix", inputs: [f(2, 3)], run: (x) => tf.onesLike(x) }],
  ZerosLike: [{ title: "of a matrix", inputs: [f(2, 3)], run: (x) => tf.zerosLike(x) }],
  Range: [
    { title: "up", inputs: [f(4)], run: (x) => tf.mul(x, tf.range(1, 9, 2)) },
    { title: "down, no step given", inputs: [f(4)], run: (x) => tf.mul(x, tf.range(2, -2)) },
    {
      title: "down, int32",
      inputs: [ints([3], 1, 2, 3)],
      run: (x) => tf.mul(x, tf.range(5, 2, -1, "int32")),
    },
  ],
  LinSpace: [
    { title: "five points", inputs: [f(5)], run: (x) => tf.mul(x, tf.linspace(-1, 3, 5)) },
  ],
  OneHot: [
    {
      title: "with an index outside",
      inputs: [ints([2, 2], 0, 2, -1, 4)],
      run: (x) => tf.oneHot(x, 3),
    },
    {
      title: "with values",
      inputs: [ints([3], 0, 2, 1)],
      run: (x) => tf.oneHot(x, 3, 0.9, 0.05, "float32"),
    },
  ],
  // shape
  Reshape: [
    {
      title: "with an inferred axis",
      inputs: [f(4, 3)],
      run: (x) => tf.mul(tf.reshape(x, [2, -1]), 2),
    },
  ],
  ExpandDims: [
    {
      title: "in the middle and at the end",
      inputs: [f(2, 3)],
      run: (x) => tf.mul(tf.expandDims(id(x), -1), 2),
    },
  ],
  Transpose: [
    { title: "of three axes", inputs: [f(2, 3, 4)], run: (x) => tf.transpose(x, [2, 0, 1]) },
    {
      title: "of an axis of length 1",
      inputs: [f(2, 1, 4)],
      run: (x) => tf.transpose(x, [1, 0, 2]),
    },
  ],
  Concat: [
    {
      title: "along both axes",
      inputs: [f(2, 3), f(2, 1)],
      run: (a, b) => tf.concat([tf.concat([a, b], 1), tf.concat([a, b], -1)], 0),
    },
  ],
  Pack: [
    {
      title: "along the last axis",
      inputs: [f(2, 3), f(2, 3)],
      run: (a, b) => tf.stack([a, b], -1),
    },
  ],
  Unpack: [{ title: "along the middle", inputs: [f(2, 3, 2)], run: (x) => tf.unstack(x, 1) }],
  SplitV: [
    { title: "into equal parts", inputs: [f(4, 3)], run: (x) => tf.split(x, 2) },
    { title: "into given sizes", inputs: [f(2, 6)], run: (x) => tf.split(x, [1, 3, 2], 1) },
  ],
  Slice: [
    {
      title: "to the end of an axis",
      inputs: [f(4, 5)],
      run: (x) => tf.slice(x, [1, 2], [2, -1]),
    },
  ],
  StridedSlice: [
    { title: "by two", inputs: [f(7, 5)], run: (x) => tf.stridedSlice(x, [1, 0], [7, 5], [2, 3]) },
    {
      title: "backwards",
      inputs: [f(4, 5)],
      run: (x) => tf.stridedSlice(x, [2, 4], [0, 0], [-1, -2], 0, 2),
    },
    {
      title: "an axis dropped",
      inputs: [f(4, 5)],
      run: (x) => tf.stridedSlice(x, [2, 1], [3, 5], [1, 1], 0, 0, 0, 0, 1),
    },
  ],
  Tile: [
    { title: "a broadcast", inputs: [f(3, 1)], run: (x) => tf.tile(x, [1, 4]) },
    { title: "a repetition", inputs: [f(2, 3)], run: (x) => tf.tile(x, [2, 3]) },
  ],
  PadV2: [
    {
      title: "uneven, with a value",
      inputs: [f(2, 3)],
      run: (x) =>
        tf.pad(
          x as tf.Tensor2D,
          [
            [1, 0],
            [0, 2],
          ],
          0.5,
        ),
    },
  ],
  MirrorPad: [
    {
      title: "reflect",
      inputs: [f(3, 4)],
      run: (x) =>
        tf.mirrorPad(
          x,
          [
            [1, 2],
            [0, 3],
          ],
          "reflect",
        ),
    },
    {
      title: "symmetric",
      inputs: [f(3, 4)],
      run: (x) =>
        tf.mirrorPad(
          x,
          [
            [1, 3],
            [2, 0],
          ],
          "symmetric",
        ),
    },
  ],
  Reverse: [
    {
      title: "one axis, and all",
      inputs: [f(2, 3)],
      run: (x) => [tf.reverse(x, 1), tf.reverse(x)],
    },
  ],
  FlipLeftRight: [
    {
      title: "of images",
      inputs: [images(2, 3, 4, 1)],
      run: (x) => tf.image.flipLeftRight(x as tf.Tensor4D),
    },
  ],
  Diag: [
    { title: "of a vector", inputs: [f(3)], run: (x) => tf.diag(x) },
    { title: "of bool", inputs: [f(3)], run: (x) => tf.diag(tf.greater(x, 0)) },
  ],
  DepthToSpace: [
    {
      title: "channels last",
      inputs: [images(2, 3, 2, 8)],
      run: (x) => tf.depthToSpace(x as tf.Tensor4D, 2),
    },
  ],
  BatchToSpaceND: [
    {
      title: "with crops",
      inputs: [images(4, 2, 3, 1)],
      run: (x) =>
        tf.batchToSpaceND(
          x,
          [2, 2],
          [
            [0, 1],
            [1, 0],
          ],
        ),
    },
  ],
  SpaceToBatchND: [
    {
      title: "with padding",
      inputs: [images(1, 3, 4, 2)],
      run: (x) =>
        tf.spaceToBatchND(
          x,
          [2, 2],
          [
            [1, 0],
            [0, 2],
          ],
        ),
    },
  ],
  // indexing
  SearchSorted: (["left", "right"] as const).map((side) => ({
    title: side,
    inputs: [floats([2, 4], 0, 1, 1, 5, -2, -1, 0, 3), floats([2, 3], 1, 9, -1, 0, -2, -3)],
    run: (sorted, values) => tf.searchSorted(sorted, values, side),
  })),
  GatherV2: [
    {
      title: "rows",
      inputs: [f(4, 3), ints([3], 2, 0, 2)],
      run: (x, i) => tf.gather(x, i),
    },
    {
      title: "batch axes counted from the end",
      inputs: [f(2, 3, 2), ints([2, 2], 2, 0, 1, 1)],
      run: (x, i) => tf.gather(x, i, 1, -1),
    },
    {
      title: "of a later axis, by a matrix",
      inputs: [f(2, 4), ints([2, 2], 3, 0, 1, 1)],
      run: (x, i) => tf.gather(x, i, 1),
    },
    {
      title: "for each row its own",
      inputs: [f(2, 4), ints([2, 2], 3, 0, 1, 1)],
      run: (x, i) => tf.gather(x, i, 1, 1),
      valuesOnly: "no rule for batchDims",
    },
  ],
  GatherNd: [
    {
      title: "rows and elements",
      inputs: [f(3, 4), ints([2, 2], 0, 1, 2, 3), ints([2, 1], 2, 0)],
      run: (x, i, j) => [tf.gatherND(x, i), tf.gatherND(x, j)],
    },
  ],
  ScatterNd: [
    {
      title: "an index twice",
      inputs: [ints([3, 1], 1, 3, 1), f(3, 2)],
      run: (i, u) => tf.scatterND(i, u, [4, 2]),
    },
  ],
  TensorScatterUpdate: [
    {
      title: "rows",
      inputs: [f(4, 2), ints([2, 1], 3, 0), f(2, 2)],
      run: (x, i, u) => tf.tensorScatterUpdate(x, i, u),
    },
  ],
  UnsortedSegmentSum: [
    {
      title: "an empty segment",
      inputs: [f(4, 3), ints([4], 2, 0, 2, 0)],
      run: (x, i) => tf.unsortedSegmentSum(x, i as tf.Tensor1D, 4),
    },
    {
      title: "negative ids count nowhere",
      inputs: [f(4), ints([4], -1, 0, 1, 0)],
      run: (x, i) => tf.unsortedSegmentSum(x, i as tf.Tensor1D, 2),
    },
  ],
  // reductions
  Sum: [
    ...reduction(tf.sum),
    {
      title: "over many rows",
      inputs: [f(4, 16, 64, 5)],
      run: (x) => tf.sum(x, [0, 1, 2]),
      tolerance: 1e-4,
    },
    {
      title: "of int32 and bool",
      inputs: [ints([4], 1, -5, 3, 4)],
      run: (x) => [tf.sum(x), tf.sum(tf.greater(x, 0))],
    },
  ],
  Mean: [
    ...reduction(tf.mean),
    { title: "over many rows", inputs: [f(2048, 5)], run: (x) => tf.mean(x, 0, true) },
    { title: "of int32", inputs: [ints([2, 2], 1, 2, 3, 5)], run: (x) => tf.mean(x, 1) },
    {
      title: "of bool",
      inputs: [ints([2, 2], 1, 0, 1, 1)],
      run: (x) => tf.mean(tf.cast(x, "bool"), 1),
    },
  ],
  Prod: reduction(tf.prod),
  Max: [
    ...reduction(tf.max),
    {
      title: "with NaN",
      inputs: [withNaN(2, 6)],
      run: (x) => [tf.max(x, 1), tf.max(x, 0, true)],
      valuesOnly: nan,
    },
  ],
  Min: [
    ...reduction(tf.min),
    {
      title: "with NaN",
      inputs: [withNaN(2, 6)],
      run: (x) => [tf.min(x, 1), tf.min(x, 0, true)],
      valuesOnly: nan,
    },
  ],
  All: [{ title: "along an axis", inputs: [f(3, 2)], run: (x) => tf.all(tf.greater(x, -1), 1) }],
  Any: [
    {
      title: "along an axis, kept",
      inputs: [f(3, 2)],
      run: (x) => tf.any(tf.greater(x, 0.5), 0, true),
    },
  ],
  ArgMax: [
    {
      title: "first of equals",
      inputs: [floats([2, 3], 1, 3, 3, 5, 5, 1)],
      run: (x) => [tf.argMax(x, 1), tf.argMax(x)],
    },
    { title: "NaN passed over", inputs: [withNaN(6)], run: (x) => tf.argMax(x) },
    {
      title: "of bool",
      inputs: [ints([2, 3], 0, 1, 1, 0, 0, 1)],
      run: (x) => tf.argMax(tf.cast(x, "bool"), 1),
    },
  ],
  ArgMin: [
    {
      title: "first of equals",
      inputs: [floats([2, 3], 1, 3, 1, 5, 5, 1)],
      run: (x) => [tf.argMin(x, 1), tf.argMin(x)],
    },
    { title: "NaN passed over", inputs: [withNaN(6)], run: (x) => tf.argMin(x) },
    {
      title: "of bool",
      inputs: [ints([2, 3], 1, 0, 1, 1, 1, 0)],
      run: (x) => tf.argMin(tf.cast(x, "bool"), 1),
    },
  ],
  Cumsum: [
    { title: "along the last axis", inputs: [f(3, 4)], run: (x) => tf.cumsum(x, 1) },
    {
      title: "exclusive and reversed, another axis",
      inputs: [f(3, 4)],
      run: (x) => tf.cumsum(x, 0, true, true),
    },
  ],
  Cumprod: (["forwards", "backwards"] as const).flatMap((way): Sample[] => [
    {
      title: way,
      inputs: [within(0.5, 1.5, 2, 5, 3)],
      run: (x) => tf.cumprod(x, 1, false, way === "backwards"),
    },
    {
      title: `${way}, without the own element`,
      inputs: [within(0.5, 1.5, 7)],
      run: (x) => tf.cumprod(x, 0, true, way === "backwards"),
    },
  ]),
  Bincount: [
    {
      title: "counts and weights",
      inputs: [ints([5], 1, 4, 1, 0, 9), f(5)],
      run: (x, w) => [
        tf.bincount(x as tf.Tensor1D, tf.tensor1d([]), 5),
        tf.bincount(x as tf.Tensor1D, w as tf.Tensor1D, 5),
      ],
    },
  ],
  DenseBincount: [
    {
      title: "of rows",
      inputs: [ints([2, 3], 1, 2, 1, 0, 2, 9), f(2, 3)],
      run: (x, w) => [
        tf.denseBincount(x as tf.Tensor2D, w as tf.Tensor2D, 3),
        tf.denseBincount(x as tf.Tensor2D, w as tf.Tensor2D, 3, true),
      ],
    },
  ],
  TopK: [
    {
      title: "with equals",
      inputs: [floats([2, 4], 1, 3, 3, 2, 9, 8, 9, 7)],
      run: (x) => {
        const { values, indices } = tf.topk(x, 3);
        return [values, indices];
      },
    },
  ],
  Softmax: [
    { title: "of wide logits", inputs: [within(-20, 20, 3, 5)], run: (x) => tf.softmax(x) },
  ],
  // products of matrices
  BatchMatMul: [
    { title: "of two matrices", inputs: [f(3, 4), f(4, 5)], run: (a, b) => tf.matMul(a, b) },
    {
      title: "of transposed matrices",
      inputs: [f(4, 3), f(5, 4)],
      run: (a, b) => tf.matMul(a, b, true, true),
    },
    { title: "of batches", inputs: [f(2, 3, 4), f(2, 4, 5)], run: (a, b) => tf.matMul(a, b) },
    {
      title: "of batches, one transposed",
      inputs: [f(2, 2, 3, 4), f(2, 2, 5, 4)],
      run: (a, b) => tf.matMul(a, b, false, true),
    },
    {
      title: "of a batch and one matrix",
      inputs: [f(2, 3, 4), f(1, 4, 5)],
      run: (a, b) => tf.matMul(a, b),
      valuesOnly: "tfjs's own gradient does not sum over the batch",
    },
    {
      title: "of a transposed batch and one matrix",
      inputs: [f(2, 4, 3), f(1, 4, 5)],
      run: (a, b) => tf.matMul(a, b, true),
      valuesOnly: "tfjs's own gradient does not sum over the batch",
    },
  ],
  _FusedMatMul: (["relu", "elu", "sigmoid", "relu6", "linear", "leakyrelu"] as const).map(
    (activation) => ({
      title: activation,
      inputs: [f(3, 4), f(4, 5), f(5)],
      run: (a, b, bias) =>
        kernel(
          "_FusedMatMul",
          { a, b, bias },
          { transposeA: false, transposeB: false, activation, leakyreluAlpha: 0.3 },
        ),
    }),
  ),
  Einsum: [
    {
      title: "a contraction",
      inputs: [f(2, 3, 4), f(4, 5)],
      run: (a, b) => tf.einsum("bij,jk->bik", a, b),
    },
  ],
  // convolutions
  Conv2D: convolution(),
  Conv2DBackpropInput: [
    ...backprops((_x, filter, dy, [, x, , strides, pad]) =>
      kernel(
        "Conv2DBackpropInput",
        { dy, filter },
        { strides, pad, dataFormat: "NHWC", inputShape: x },
      ),
    ),
    {
      title: "a dy that is larger than the result was",
      inputs: [images(2, 5, 7, 4), f(2, 2, 3, 4)],
      run: (dy, filter) =>
        kernel(
          "Conv2DBackpropInput",
          { dy, filter },
          { strides: [1, 1], pad: "same", dataFormat: "NHWC", inputShape: [2, 4, 5, 3] },
        ),
      valuesOnly: "the gradient of a gradient is not part of a step",
    },
  ],
  Conv2DBackpropFilter: backprops((x, _filter, dy, [, , filter, strides, pad]) =>
    kernel(
      "Conv2DBackpropFilter",
      { x, dy },
      { strides, pad, dataFormat: "NHWC", filterShape: filter },
    ),
  ),
  FusedConv2D: [
    {
      title: "bias and relu",
      inputs: [images(2, 5, 5, 2), f(3, 3, 2, 4), f(4)],
      run: (x, filter, bias) =>
        kernel(
          "FusedConv2D",
          { x, filter, bias },
          {
            strides: [1, 1],
            pad: "same",
            dataFormat: "NHWC",
            dilations: [1, 1],
            activation: "relu",
          },
        ),
    },
    {
      title: "channels first, bias and slopes for each channel, uneven padding",
      inputs: [images(2, 2, 5, 4), f(3, 3, 2, 4), f(4), f(4)],
      run: (x, filter, bias, preluActivationWeights) =>
        kernel(
          "FusedConv2D",
          { x, filter, bias, preluActivationWeights },
          {
            strides: [1, 1],
            pad: [
              [0, 0],
              [0, 0],
              [2, 0],
              [1, 0],
            ],
            dataFormat: "NCHW",
            dilations: [1, 1],
            activation: "prelu",
          },
        ),
    },
    {
      title: "channels first, one number as bias",
      inputs: [images(1, 3, 4, 4), f(2, 2, 3, 4), f(1), f(4, 1, 1)],
      run: (x, filter, bias, preluActivationWeights) =>
        kernel(
          "FusedConv2D",
          { x, filter, bias, preluActivationWeights },
          {
            strides: [2, 1],
            pad: "valid",
            dataFormat: "NCHW",
            dilations: [1, 1],
            activation: "prelu",
          },
        ),
    },
  ],
  DepthwiseConv2dNative: depthwise.map(([title, x, filter, strides, pad, dilations]) => ({
    title,
    inputs: [f(...x), f(...filter)],
    ...(dilations[0] > 1 && {
      valuesOnly: "tfjs's cpu backend leaves dilations out of the gradients",
    }),
    run: (a, b) =>
      tf.depthwiseConv2d(a as tf.Tensor4D, b as tf.Tensor4D, strides, pad, "NHWC", dilations),
  })),
  DepthwiseConv2dNativeBackpropInput: depthwiseBackprops(
    (_x, filter, dy, [, x, , strides, pad, dilations]) =>
      kernel(
        "DepthwiseConv2dNativeBackpropInput",
        { dy, filter },
        { strides, pad, dilations, inputShape: x },
      ),
  ),
  DepthwiseConv2dNativeBackpropFilter: depthwiseBackprops(
    (x, _filter, dy, [, , filter, strides, pad, dilations]) =>
      kernel(
        "DepthwiseConv2dNativeBackpropFilter",
        { x, dy },
        { strides, pad, dilations, filterShape: filter },
      ),
  ),
  FusedDepthwiseConv2D: [
    {
      title: "bias and relu6",
      inputs: [images(2, 5, 5, 2), f(3, 3, 2, 2), f(4)],
      run: (x, filter, bias) =>
        kernel(
          "FusedDepthwiseConv2D",
          { x, filter, bias },
          {
            strides: [1, 1],
            pad: "same",
            dataFormat: "NHWC",
            dilations: [1, 1],
            activation: "relu6",
          },
        ),
    },
  ],
  // pooling
  MaxPool: [
    ...pooling(tf.maxPool),
    {
      title: "equal maxima",
      inputs: [floats([1, 2, 4, 1], 1, 1, 0, 2, 1, 1, 2, 2)],
      run: (x) => tf.maxPool(x as tf.Tensor4D, 2, 2, "valid"),
    },
  ],
  MaxPoolWithArgmax: [false, true].map((includeBatch) => ({
    title: includeBatch ? "places in the batch" : "places in the image",
    inputs: [images(2, 5, 4, 3)],
    run: (x) => {
      const image = x as tf.Tensor4D;
      const { result, indexes } = tf.maxPoolWithArgmax(image, 3, 2, "same", includeBatch);
      return [result!, indexes!];
    },
  })),
  MaxPoolGrad: [
    {
      title: "equal maxima, overlapping",
      inputs: [floats([1, 3, 3, 1], 1, 1, 0, 1, 1, 2, 0, 2, 2), f(1, 2, 2, 1)],
      run: (x, dy) =>
        kernel(
          "MaxPoolGrad",
          { dy, input: x, output: tf.maxPool(x as tf.Tensor4D, 2, 1, "valid") },
          { filterSize: 2, strides: 1, pad: "valid" },
        ),
      valuesOnly: "the gradient of a gradient is not part of a step",
    },
  ],
  AvgPool: [...pooling(tf.avgPool)],
  AvgPoolGrad: [...pools, ...paddedPools].map(([title, shape, filterSize, strides, pad, mode]) => {
    const { outShape } = tf.backend_util.computePool2DInfo(
      shape,
      filterSize,
      strides,
      1,
      pad,
      mode,
    );
    return {
      title,
      inputs: [f(...shape), f(...outShape)],
      run: (x, dy) =>
        kernel(
          "AvgPoolGrad",
          { dy, input: x },
          { filterSize, strides, pad, dimRoundingMode: mode },
        ),
      valuesOnly: "the gradient of a gradient is not part of a step",
    };
  }),
  // normalisation, resizing
  FusedBatchNorm: [
    {
      title: "with scale and offset",
      inputs: [images(2, 3, 3, 4), f(4), within(0.5, 2, 4), f(4), f(4)],
      run: (x, m, v, o, s) => tf.batchNorm(x, m, v, o, s, 1e-3),
    },
    {
      title: "with neither",
      inputs: [images(2, 3, 3, 4), f(4), within(0.5, 2, 4)],
      run: (x, m, v) => tf.batchNorm(x, m, v),
    },
  ],
  LRN: [
    {
      title: "two neighbours",
      inputs: [images(1, 2, 2, 7)],
      run: (x) => tf.localResponseNormalization(x as tf.Tensor4D, 2, 1.2, 0.8, 0.6),
    },
  ],
  LRNGrad: [
    {
      title: "two neighbours",
      inputs: [images(1, 2, 2, 7), images(1, 2, 2, 7), images(1, 2, 2, 7)],
      run: (x, y, dy) =>
        kernel("LRNGrad", { x, y, dy }, { depthRadius: 2, bias: 1.2, alpha: 0.8, beta: 0.6 }),
    },
  ],
  ResizeBilinear: [
    ...resizing("resizeBilinear"),
    {
      title: "of int32",
      inputs: [ints([1, 2, 2, 1], 1, 2, 3, 5)],
      run: (x) => tf.image.resizeBilinear(x as tf.Tensor4D, [3, 4]),
    },
  ],
  ResizeNearestNeighbor: resizing("resizeNearestNeighbor"),
  ResizeBilinearGrad: resizingBack("ResizeBilinearGrad"),
  ResizeNearestNeighborGrad: resizingBack("ResizeNearestNeighborGrad"),
  LejepaAdamw: [0.1, 0].map((weightDecay) => ({
    title: weightDecay === 0 ? "without decay" : "with decay",
    inputs: [f(3, 2), f(3, 2), within(0, 1, 3, 2), f(3, 2), ...[0, 1, 2].map(() => within(0.1, 1))],
    run: (...inputs) => {
      const [parameter, mean, square, gradient, learningRate, correction1, correction2] =
        inputs as [tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor];
      const slot = { parameter, mean, square, gradient };
      const next = adamw(
        { ...slot, learningRate, correction1, correction2 },
        { beta1: 0.9, beta2: 0.99, epsilon: 1e-6, weightDecay },
      );
      return [next.parameter, next.mean, next.square];
    },
  })),
  LejepaNormalizeRows: compositeSamples.LejepaNormalizeRows!,
};
