/** Two-dimensional pooling and its gradients, channels last. */
import {
  backend_util,
  type AvgPoolAttrs,
  type AvgPoolGradAttrs,
  type AvgPoolGradInputs,
  type AvgPoolInputs,
  type MaxPoolAttrs,
  type MaxPoolGradAttrs,
  type MaxPoolGradInputs,
  type MaxPoolInputs,
  type MaxPoolWithArgmaxAttrs,
  type MaxPoolWithArgmaxInputs,
} from "@tensorflow/tfjs-core";
import { sameShape, sizeOf, type Shape, type Value } from "../graph/graph.js";
import type { OnnxBuilder } from "../onnx/builder.js";
import { blockedPool, fromBlocked, toBlocked } from "../onnx/nchwc.js";
import { blockedDepthwiseInputGradient, worthBlocks } from "./blocked-depthwise.js";
import { transposedAttributes } from "./convolution.js";
import { kernel, refuse } from "./kernel.js";
import { exactWindow, reached, unreached, type Window } from "./window.js";

type Four = [number, number, number, number];

const windowOf = (
  shape: Shape,
  { filterSize, strides, pad, dimRoundingMode }: MaxPoolAttrs,
): Window =>
  backend_util.computePool2DInfo([...shape] as Four, filterSize, strides, 1, pad, dimRoundingMode);

const attributes = ({ padInfo, ...window }: Window) => ({
  kernel_shape: [window.filterHeight, window.filterWidth],
  strides: [window.strideHeight, window.strideWidth],
  pads: [padInfo.top, padInfo.left, padInfo.bottom, padInfo.right],
});

/** Whether a pixel lies in several windows. */
const overlap = (window: Window): boolean =>
  window.filterHeight > window.strideHeight || window.filterWidth > window.strideWidth;

/** tfjs pools by copying where windows of one pixel give a result as large as the input: it forgets the padding. */
const copies = ({ filterHeight, filterWidth, inShape, outShape }: Window): boolean =>
  filterHeight === 1 && filterWidth === 1 && sameShape(inShape, outShape);

const toFirst = (g: OnnxBuilder, x: Value): Value => g.transpose(x, [0, 3, 1, 2]);
const toLast = (g: OnnxBuilder, x: Value): Value => g.transpose(x, [0, 2, 3, 1]);
const firstShape = ([n, h, w, c]: Four): Four => [n, c, h, w];

/** The maxima alone, or the means over what lies in the image. In blocks a NaN may be the maximum of its window, where
 *  tfjs passes over it. */
function pool(g: OnnxBuilder, op: "MaxPool" | "AveragePool", x: Value, window: Window): Value {
  const [n, channels, h, w] = firstShape(window.outShape);
  if (worthBlocks(g, channels)) {
    const source = toBlocked(g, x);
    const y = blockedPool(g, op, source, [n, source.shape[1]!, h, w], attributes(window));
    return fromBlocked(g, y, channels);
  }
  return toLast(g, g.op(op, [toFirst(g, x)], [n, channels, h, w], "float32", attributes(window)));
}

/** The maxima, and where in the whole channels-first input each was found: the first of equals. */
function maxPool(g: OnnxBuilder, x: Value, window: Window): [Value, Value] {
  const shape = firstShape(window.outShape);
  return g.opMany(
    "MaxPool",
    [toFirst(g, x)],
    [
      [shape, "float32"],
      [shape, "int64"],
    ],
    attributes(window),
  ) as [Value, Value];
}

/** How an engine pools, channels last. It meets exact windows only. */
export interface PoolingMethods {
  /** The maxima of x [N, H, W, C]. */
  readonly max: (g: OnnxBuilder, x: Value, window: Window) => Value;
  /** dy at the first maximum of each window of x, summed. */
  readonly maxGradient: (g: OnnxBuilder, dy: Value, x: Value, window: Window) => Value;
  /** The means over the part of each window that lies in the image. */
  readonly average: (g: OnnxBuilder, x: Value, window: Window) => Value;
  /** dy over the whole window's size, padding or not, as tfjs has it. */
  readonly averageGradient: (g: OnnxBuilder, dy: Value, window: Window) => Value;
  /** The maxima, and where in the image each is: int32, counted with the channels last; with the images before it where
   *  the places count within the whole batch. */
  readonly maxWithPlaces: (
    g: OnnxBuilder,
    x: Value,
    window: Window,
    within: "image" | "batch",
  ) => [Value, Value];
}

/** A row that pools by one of the methods. */
const pooled = (method: PoolingMethods["max" | "average"]) =>
  kernel<MaxPoolInputs | AvgPoolInputs, MaxPoolAttrs | AvgPoolAttrs>(({ x }, attributes, g) => {
    const window = windowOf(x.shape, attributes);
    return copies(window)
      ? g.unary("Identity", x)
      : method(g, reached(g, x, window), exactWindow(window));
  });

/** The rows of all pooling, by the given methods. */
export const poolingRows = (methods: PoolingMethods) => ({
  MaxPool: pooled(methods.max),
  AvgPool: pooled(methods.average),
  // `output` is not needed.
  MaxPoolGrad: kernel<MaxPoolGradInputs, MaxPoolGradAttrs>(({ dy, input }, attributes, g) => {
    const window = windowOf(input.shape, attributes);
    const x = reached(g, input, window);
    return unreached(g, methods.maxGradient(g, dy, x, exactWindow(window)), window);
  }),
  AvgPoolGrad: kernel<AvgPoolGradInputs, AvgPoolGradAttrs>(
    ({ dy, input }, { filterSize, strides, pad }, g) => {
      const window = windowOf(input.shape, { filterSize, strides, pad });
      return unreached(g, methods.averageGradient(g, dy, exactWindow(window)), window);
    },
  ),
  Pool: refuse("call tf.maxPool or tf.avgPool"),
  // NaN is passed over.
  MaxPoolWithArgmax: kernel<MaxPoolWithArgmaxInputs, MaxPoolWithArgmaxAttrs>(
    ({ x }, { filterSize, strides, pad, includeBatchInIndex }, g) => {
      if (x.shape.length !== 4) throw new Error("The images should have rank 4.");
      const window = windowOf(x.shape, { filterSize, strides, pad });
      const none = g.op("IsNaN", [x], x.shape, "bool");
      const numbers = g.where(none, g.uniform(-Infinity), x);
      return methods.maxWithPlaces(g, numbers, window, includeBatchInIndex ? "batch" : "image");
    },
  ),
  AvgPool3D: refuse("use two-dimensional pooling"),
  AvgPool3DGrad: refuse("use two-dimensional pooling"),
  MaxPool3D: refuse("use two-dimensional pooling"),
  MaxPool3DGrad: refuse("use two-dimensional pooling"),
});

/** By operators of onnxruntime. */
export const pooling = poolingRows({
  max: (g, x, window) =>
    worthBlocks(g, window.inChannels)
      ? pool(g, "MaxPool", x, window)
      : toLast(g, maxPool(g, x, window)[0]),
  // The places come from pooling again; as a common subexpression that costs nothing.
  maxGradient: (g, dy, input, window) => {
    const [, places] = maxPool(g, input, window);
    const count = sizeOf(places.shape);
    const sums = g.op(
      "ScatterElements",
      [
        g.uniform(0, [sizeOf(input.shape)]),
        g.reshape(places, [count]),
        g.reshape(toFirst(g, dy), [count]),
      ],
      [sizeOf(input.shape)],
      "float32",
      // Adding takes more than twice as long as putting in place.
      { axis: 0, ...(overlap(window) ? { reduction: "add" } : {}) },
    );
    return toLast(g, g.reshape(sums, firstShape(window.inShape)));
  },
  average: (g, x, window) => pool(g, "AveragePool", x, window),
  // Each channel by itself is one image of one channel for a transposed convolution with a filter of equal numbers.
  averageGradient: (g, dy, window) => {
    const { batchSize, inChannels, inHeight, inWidth, filterHeight, filterWidth } = window;
    const weight = 1 / (filterHeight * filterWidth);
    const blocked = blockedDepthwiseInputGradient(g, dy, weight, window);
    if (blocked) return blocked;
    const planes = batchSize * inChannels;
    const shape = [planes, 1, window.outHeight, window.outWidth];
    const dx = g.op(
      "ConvTranspose",
      [g.reshape(toFirst(g, dy), shape), g.uniform(weight, [1, 1, filterHeight, filterWidth])],
      [planes, 1, inHeight, inWidth],
      "float32",
      transposedAttributes(window),
    );
    return toLast(g, g.reshape(dx, firstShape(window.inShape)));
  },
  maxWithPlaces: (g, x, window, within) => {
    const { batchSize, inChannels, inHeight, inWidth } = window;
    const pixels = inHeight * inWidth;
    const counted = (length: number, step: number, shape: number[]): Value =>
      g.dense(
        Array.from({ length }, (_, i) => i * step),
        shape,
        "int64",
      );
    const [maxima, places] = maxPool(g, x, window);
    const pixel = g.binary("Mod", toLast(g, places), g.uniform(pixels, [], "int64"));
    const inImage = g.add(
      g.mul(pixel, g.uniform(inChannels, [], "int64")),
      counted(inChannels, 1, [inChannels]),
    );
    const place =
      within === "batch"
        ? g.add(inImage, counted(batchSize, pixels * inChannels, [batchSize, 1, 1, 1]))
        : inImage;
    return [toLast(g, maxima), g.cast(place, "int32")];
  },
});
