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
import { sizeOf, type Shape, type Value } from "../graph/graph.js";
import type { GraphBuilder } from "../graph/builder.js";
import { blockedPool, fromBlocked, toBlocked } from "../onnx/nchwc.js";
import { blockedDepthwiseInputGradient, worthBlocks } from "./blocked-depthwise.js";
import { transposedAttributes } from "./convolution.js";
import { checkedWindow } from "./checked-window.js";
import { kernel, refuse } from "./kernel.js";
import {
  exactWindow,
  insideWindow,
  reached,
  sharesInside,
  unreached,
  type Window,
} from "./window.js";

type Four = [number, number, number, number];

function windowOf(
  shape: Shape,
  { filterSize, strides, pad, dimRoundingMode }: MaxPoolAttrs,
): Window {
  const sizes = [...shape] as Four;
  return checkedWindow(
    backend_util.computePool2DInfo(sizes, filterSize, strides, 1, pad, dimRoundingMode),
    { pad, dimRoundingMode },
  );
}

const attributes = ({ padInfo, ...window }: Window) => ({
  kernel_shape: [window.filterHeight, window.filterWidth],
  strides: [window.strideHeight, window.strideWidth],
  pads: [padInfo.top, padInfo.left, padInfo.bottom, padInfo.right],
});

/** Whether a pixel lies in several windows. */
const overlap = (window: Window): boolean =>
  window.filterHeight > window.strideHeight || window.filterWidth > window.strideWidth;

const toFirst = (g: GraphBuilder, x: Value): Value => g.transpose(x, [0, 3, 1, 2]);
const toLast = (g: GraphBuilder, x: Value): Value => g.transpose(x, [0, 2, 3, 1]);
const firstShape = ([n, h, w, c]: Four): Four => [n, c, h, w];

/** The maxima alone, or the means over what lies in the image. In blocks a NaN may be the maximum of its window, where
 *  tfjs passes over it. */
function pool(g: GraphBuilder, op: "MaxPool" | "AveragePool", x: Value, window: Window): Value {
  const [n, channels, h, w] = firstShape(window.outShape);
  if (worthBlocks(g, channels)) {
    const source = toBlocked(g, x);
    const y = blockedPool(g, op, source, [n, source.shape[1]!, h, w], attributes(window));
    return fromBlocked(g, y, channels);
  }
  return toLast(g, g.op(op, [toFirst(g, x)], [n, channels, h, w], "float32", attributes(window)));
}

/** The maxima, and where in the whole channels-first input each was found: the first of equals. */
function maxPool(g: GraphBuilder, x: Value, window: Window): [Value, Value] {
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
  readonly max: (g: GraphBuilder, x: Value, window: Window) => Value;
  /** dy at the first maximum of each window of x, summed. */
  readonly maxGradient: (g: GraphBuilder, dy: Value, x: Value, window: Window) => Value;
  /** The means over the part of each window that lies in the image. */
  readonly average: (g: GraphBuilder, x: Value, window: Window) => Value;
  /** dy over the whole window's size, spread over the window. */
  readonly averageGradient: (g: GraphBuilder, dy: Value, window: Window) => Value;
  /** The maxima, and where in the image each is: int32, counted with the channels last; with the images before it where
   *  the places count within the whole batch. */
  readonly maxWithPlaces: (
    g: GraphBuilder,
    x: Value,
    window: Window,
    within: "image" | "batch",
  ) => [Value, Value];
}

/** A row that pools by one of the methods; of windows that lie wholly beyond the image the result is `nothing`. */
const pooled = (method: PoolingMethods["max" | "average"], nothing: number) =>
  kernel<MaxPoolInputs | AvgPoolInputs, MaxPoolAttrs | AvgPoolAttrs>(({ x }, attributes, g) => {
    const asked = windowOf(x.shape, attributes);
    const { window, beyond } = insideWindow(asked);
    if (sizeOf(window.outShape) === 0) return g.uniform(nothing, asked.outShape);
    const y = method(g, reached(g, x, window), exactWindow(window));
    return beyond.flat().some((count) => count > 0)
      ? g.pad(y, [[0, 0], ...beyond, [0, 0]], g.uniform(nothing))
      : y;
  });

/** A row for a gradient: `method` has dy of the windows that reach the image, and such a window. */
function gradientOf(
  g: GraphBuilder,
  dy: Value,
  asked: Window,
  method: (dy: Value, window: Window) => Value,
): Value {
  const { window, beyond } = insideWindow(asked);
  if (sizeOf(window.outShape) === 0) return g.uniform(0, asked.inShape);
  const [[row], [column]] = beyond;
  const { outHeight, outWidth } = window;
  const [batch, , , channels] = window.outShape;
  const inside = beyond.flat().some((count) => count > 0)
    ? g.slice(dy, [0, row, column, 0], [batch, row + outHeight, column + outWidth, channels])
    : dy;
  return unreached(g, method(inside, exactWindow(window)), window);
}

/** The rows of all pooling, by the given methods. */
export const poolingRows = (methods: PoolingMethods) => ({
  MaxPool: pooled(methods.max, -Infinity),
  AvgPool: pooled(methods.average, NaN),
  // `output` is not needed.
  MaxPoolGrad: kernel<MaxPoolGradInputs, MaxPoolGradAttrs>(({ dy, input }, attributes, g) => {
    const window = windowOf(input.shape, attributes);
    const x = reached(g, input, insideWindow(window).window);
    return gradientOf(g, dy, window, (inside, exact) => methods.maxGradient(g, inside, x, exact));
  }),
  // The mean is over the part of a window that lies in the image, and so is its gradient.
  AvgPoolGrad: kernel<AvgPoolGradInputs, AvgPoolGradAttrs & Pick<AvgPoolAttrs, "dimRoundingMode">>(
    ({ dy, input }, attributes, g) =>
      gradientOf(g, dy, windowOf(input.shape, attributes), (inside, exact) => {
        const shares = sharesInside(exact);
        const shape = [1, exact.outHeight, exact.outWidth, 1];
        const whole = shares.every((share) => share === 1);
        const spread = whole ? inside : g.mul(inside, g.dense(shares, shape, "float32"));
        return methods.averageGradient(g, spread, exact);
      }),
  ),
  Pool: refuse("call tf.maxPool or tf.avgPool"),
  // NaN is passed over.
  MaxPoolWithArgmax: kernel<MaxPoolWithArgmaxInputs, MaxPoolWithArgmaxAttrs>(
    ({ x }, { filterSize, strides, pad, includeBatchInIndex }, g) => {
      if (x.shape.length !== 4) throw new Error("The images should have rank 4.");
      const window = windowOf(x.shape, { filterSize, strides, pad });
      if (
        insideWindow(window)
          .beyond.flat()
          .some((count) => count > 0)
      )
        throw new Error("Windows wholly beyond the image have no maximum; pad by less than those.");
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
