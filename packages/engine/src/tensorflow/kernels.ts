/** Lowerings to TensorFlow's own operators, where those do what a tfjs kernel asks for in one piece. All other kernels
 *  are lowered as for onnxruntime, and operators.ts turns what that writes into TensorFlow's nodes. */
import type {
  AdamwConstants,
  AdamwInputs,
  NormalizeColumnsAttrs,
  NormalizeColumnsGradInputs,
  NormalizeColumnsInputs,
} from "@lejepa/ops";
import type { StepAttrs, StepInputs } from "@tensorflow/tfjs-core";
import { sizeOf, type DType, type Shape, type Value } from "../graph/graph.js";
import {
  columnsOf,
  convolutionRows,
  gatheredConvolution,
  gatheredInputGradient,
} from "../kernels/convolution.js";
import { kernel, unary, type Row } from "../kernels/kernel.js";
import { largestDivisor } from "../kernels/largest-divisor.js";
import { adamwScalars } from "../kernels/optimizer.js";
import { poolingRows } from "../kernels/pooling.js";
import { axesOf, sharesInside, type Window } from "../kernels/window.js";
import { loweringTable } from "../kernels/table.js";
import type { LoweringTarget } from "../lower.js";
import type { GraphBuilder } from "../graph/builder.js";
import { indexCheckRows } from "../passes/index-checks.js";
import { adamwInPlace } from "../passes/in-place-updates.js";
import { attribute, type Attribute } from "./attribute.js";
import { characteristicMeansRows } from "./characteristic-means.js";
import { resourceUpdate } from "./graph-fragment.js";
import { tensorflow } from "./operators.js";
import {
  reachesWholeImages,
  wholeConvolution,
  wholeFilterGradient,
  wholeInputGradient,
} from "./whole-windows.js";

const { float, ints, string, type } = attribute;

type Attributes = Readonly<Record<string, Attribute>>;
type Four = [number, number, number, number];

/** One operator of TensorFlow's with one result. */
const native = (
  g: GraphBuilder,
  op: string,
  inputs: readonly Value[],
  shape: Shape,
  dtype: DType,
  attributes: Attributes = {},
): Value => g.op(op, inputs, shape, dtype, attributes, tensorflow);

const channelsLast = { data_format: string("NHWC") };

const same = (op: string) => unary((x, g) => native(g, op, [x], x.shape, x.dtype));

/** As TensorFlow names it: its own word for the padding where there is one. */
function paddingName(window: Window): "VALID" | "SAME" | "EXPLICIT" {
  const axes = axesOf(window);
  if (axes.every(({ before, after }) => before === 0 && after === 0)) return "VALID";
  const isSame = axes.every(({ input, output, stride, reach, before, after }) => {
    const total = Math.max((Math.ceil(input / stride) - 1) * stride + reach - input, 0);
    const first = Math.floor(total / 2);
    return output === Math.ceil(input / stride) && before === first && after === total - first;
  });
  return isSame ? "SAME" : "EXPLICIT";
}

/** x with the window's padding around it. */
function surrounded(g: GraphBuilder, x: Value, { padInfo }: Window, value: number): Value {
  const { top, bottom, left, right } = padInfo;
  const none = [0, 0] as const;
  return g.pad(x, [none, [top, bottom], [left, right], none], g.uniform(value));
}

function windowAttributes(window: Window): Attributes {
  const padding = paddingName(window);
  const { top, bottom, left, right } = window.padInfo;
  return {
    strides: ints([1, window.strideHeight, window.strideWidth, 1]),
    padding: string(padding),
    explicit_paddings: ints(padding === "EXPLICIT" ? [0, 0, top, bottom, left, right, 0, 0] : []),
    ...channelsLast,
  };
}

const shapeOf = (g: GraphBuilder, shape: Shape): Value => g.dense(shape, [shape.length], "int32");

const isDilated = ({ dilationHeight, dilationWidth }: Window): boolean =>
  dilationHeight > 1 || dilationWidth > 1;

/** x [B, H, W, C] with y - 1 rows and z - 1 columns of zeros behind each of its own, of which `height` and `width`
 *  are kept. */
function apart(
  g: GraphBuilder,
  x: Value,
  [y, z]: readonly [number, number],
  height: number,
  width: number,
): Value {
  const [b, h, w, c] = x.shape as Four;
  const none = [0, 0] as const;
  const spaced = g.pad(
    g.reshape(x, [b, h, 1, w, 1, c]),
    [none, none, [0, y - 1], none, [0, z - 1], none],
    g.uniform(0),
  );
  return g.slice(g.reshape(spaced, [b, h * y, w * z, c]), [0, 0, 0, 0], [b, height, width, c]);
}

/** The filter with zeros between its taps, which is the filter of a window without dilation: TensorFlow's gradients on
 *  the CPU, and all of its depthwise convolutions, know none. */
function spread(g: GraphBuilder, filter: Value, window: Window): Value {
  if (!isDilated(window)) return filter;
  const [h, w, c, o] = filter.shape as Four;
  const taps = g.reshape(filter, [1, h, w, c * o]);
  const { dilationHeight, dilationWidth, effectiveFilterHeight, effectiveFilterWidth } = window;
  const steps = [dilationHeight, dilationWidth] as const;
  return g.reshape(
    apart(g, taps, steps, effectiveFilterHeight, effectiveFilterWidth),
    spreadShape(window),
  );
}

/** The shape of a spread filter. */
const spreadShape = ({
  effectiveFilterHeight,
  effectiveFilterWidth,
  filterShape,
}: Window): Four => [effectiveFilterHeight, effectiveFilterWidth, filterShape[2], filterShape[3]];

/** Back from the gradient of a spread filter to that of its taps. */
function gathered(g: GraphBuilder, gradient: Value, window: Window): Value {
  if (!isDilated(window)) return gradient;
  return g.slice(
    gradient,
    [0, 0, 0, 0],
    [...gradient.shape],
    [window.dilationHeight, window.dilationWidth, 1, 1],
  );
}

function gradients(input: string, filter: string) {
  return {
    inputGradient: (g: GraphBuilder, dy: Value, weights: Value, window: Window): Value => {
      const operands = [shapeOf(g, window.inShape), spread(g, weights, window), dy];
      const attributes = { T: type("float32"), ...windowAttributes(window) };
      return native(g, input, operands, window.inShape, "float32", attributes);
    },
    filterGradient: (g: GraphBuilder, x: Value, dy: Value, window: Window): Value => {
      const shape = spreadShape(window);
      const operands = [x, shapeOf(g, shape), dy];
      const gradient = native(g, filter, operands, shape, "float32", windowAttributes(window));
      return gathered(g, gradient, window);
    },
  };
}

const full = gradients("Conv2DBackpropInput", "Conv2DBackpropFilter");

/** Whether rows and columns go by strides of their own, which TensorFlow's convolutions on the CPU do not bear. oneDNN's
 *  gave wrong numbers for several images of one channel by 1 and 2, and wrote where it should not for the gradient of a
 *  filter of one tap. The depthwise ones refuse, but of one channel they take the first stride for both. */
const hasUnequalStrides = ({ strideHeight, strideWidth }: Window): boolean =>
  strideHeight !== strideWidth;

const greatestCommonDivisor = (a: number, b: number): number =>
  b === 0 ? a : greatestCommonDivisor(b, a % b);

/** The window that moves by the largest stride that divides both strides, and how many of its outputs there are for one
 *  of the window's own. */
function withEqualStrides(window: Window): {
  readonly window: Window;
  readonly steps: readonly [number, number];
} {
  const { strideHeight, strideWidth } = window;
  const stride = greatestCommonDivisor(strideHeight, strideWidth);
  const [outHeight, outWidth] = axesOf(window).map(
    ({ input, reach, before, after }) => Math.floor((before + input + after - reach) / stride) + 1,
  ) as [number, number];
  return {
    steps: [strideHeight / stride, strideWidth / stride],
    window: {
      ...window,
      strideHeight: stride,
      strideWidth: stride,
      outHeight,
      outWidth,
      outShape: [window.batchSize, outHeight, outWidth, window.outChannels],
    },
  };
}

const depthwiseGradients = gradients(
  "DepthwiseConv2dNativeBackpropInput",
  "DepthwiseConv2dNativeBackpropFilter",
);

/** By equal strides: of more results than are asked for the others are left out, and have no gradient. Padding that
 *  TensorFlow has no word for goes around the image, as its optimiser, which fuses the convolution with a bias behind it,
 *  forgets explicit paddings and then aborts. */
const depthwise = {
  convolve: (g: GraphBuilder, image: Value, filter: Value, asked: Window): Value => {
    const { window: even, steps } = withEqualStrides(asked);
    const { x, window } = withoutPadding(g, image, even);
    const y = native(
      g,
      "DepthwiseConv2dNative",
      [x, spread(g, filter, window)],
      window.outShape,
      "float32",
      windowAttributes(window),
    );
    if (!hasUnequalStrides(asked)) return y;
    const met = [(asked.outHeight - 1) * steps[0] + 1, (asked.outWidth - 1) * steps[1] + 1];
    return g.slice(y, [0, 0, 0, 0], [asked.batchSize, ...met, asked.outChannels], [1, ...steps, 1]);
  },
  inputGradient: (g: GraphBuilder, dy: Value, filter: Value, asked: Window): Value => {
    const { window } = withEqualStrides(asked);
    return depthwiseGradients.inputGradient(g, amongAll(g, dy, asked), filter, window);
  },
  filterGradient: (g: GraphBuilder, x: Value, dy: Value, asked: Window): Value => {
    const { window } = withEqualStrides(asked);
    return depthwiseGradients.filterGradient(g, x, amongAll(g, dy, asked), window);
  },
};

/** dy where those results are that are asked for, and zeros where the others are. */
function amongAll(g: GraphBuilder, dy: Value, asked: Window): Value {
  if (!hasUnequalStrides(asked)) return dy;
  const { window, steps } = withEqualStrides(asked);
  return apart(g, dy, steps, window.outHeight, window.outWidth);
}

/** x with its padding around it and the window that then needs none, where TensorFlow has no word for the padding: its
 *  fast convolutions take no other. On [512, 14, 14, 32] by 3x3 to 64 channels, stride 2, padding and convolution took
 *  2.8 ms instead of 4.8, and the filter's gradient 3.7 instead of 5.0. */
function withoutPadding(
  g: GraphBuilder,
  x: Value,
  window: Window,
  value = 0,
): { readonly x: Value; readonly window: Window } {
  if (paddingName(window) !== "EXPLICIT") return { x, window };
  return { x: surrounded(g, x, window, value), window: widened(window) };
}

/** The window over the image with its padding around it, where TensorFlow has no word for the padding. */
function widened(window: Window): Window {
  if (paddingName(window) !== "EXPLICIT") return window;
  const { top, bottom, left, right } = window.padInfo;
  const inHeight = top + window.inHeight + bottom;
  const inWidth = left + window.inWidth + right;
  const [batch, , , channels] = window.inShape;
  return {
    ...window,
    inHeight,
    inWidth,
    inShape: [batch, inHeight, inWidth, channels],
    padInfo: { ...window.padInfo, top: 0, bottom: 0, left: 0, right: 0 },
  };
}

/** Elements of the largest filter whose input gradient is left to TensorFlow's slow convolution, which goes through the
 *  filter once for each image. 3x3 by 2: from 64 to 32 channels it took 3.6 ms, the fast one and cutting its margin off
 *  4.2; from 128 to 64, 256 to 128 and 512 to 256 channels 3, 29 and 175, the fast one 15 for all three. */
const mostByImage = 2 ** 15;

/** Whether a convolution has columns that are little larger than x: one of more than one tap, and by a stride. */
const hasSmallColumns = ({ filterHeight, filterWidth, strideHeight, strideWidth }: Window) => {
  const taps = filterHeight * filterWidth;
  return strideHeight > 1 && strideWidth > 1 && taps > 1 && taps <= 3 * strideHeight * strideWidth;
};

/** Whether the filter's gradient is better a product of gathered columns: by a stride, TensorFlow's takes each tap's
 *  pixels in rows too short for it. Of 512 images from 7x7x64 to 4x4x128 by 3x3 it took 9.5 ms on one thread, gathered
 *  7.7; of 128 from 8x8x128 to 4x4x256 10.3 and 6.4, of 16 from 28x28x256 to 14x14x512 45 and 33. With fewer channels
 *  that is even or lost: 1.2 and 2.1 from 64 to 16. */
const hasGatheredFilterGradient = (window: Window): boolean =>
  hasSmallColumns(window) && window.inChannels >= 64 && window.outChannels >= 128;

/** Positions of one result that count as few, and weights that count as many. */
const fewPositions = 16;
const manyWeights = 2 ** 18;

/** Whether the convolution itself and its input's gradient are better gathered products as well: where strides differ,
 *  and where TensorFlow goes through all weights for every image. Of 128 images from 4x4x256 to 2x2x512 by 3x3 they took 12.5 and 14.9 ms on one thread,
 *  gathered 5.9 and 6.8; from 8x8x128 to 4x4x256 8.0 and 7.9, gathered 6.3 and 6.9; from 16x16x64 to 8x8x128 6.7 and
 *  7.8, gathered 7.9 and 10.2. */
const isGathered = (window: Window): boolean =>
  hasUnequalStrides(window) ||
  (hasGatheredFilterGradient(window) &&
    window.outHeight * window.outWidth <= fewPositions &&
    sizeOf(window.filterShape) >= manyWeights);

/** columns^T . dy */
function gatheredFilterGradient(g: GraphBuilder, x: Value, dy: Value, window: Window): Value {
  const columns = columnsOf(g, x, window);
  const rows = g.reshape(dy, [columns.shape[0]!, window.outChannels]);
  return g.reshape(g.gemm(columns, rows, 1), window.filterShape);
}

const convolution = (device: Device) =>
  convolutionRows({
    convolve: (g, given, filter, asked) => {
      if (reachesWholeImages(asked)) return wholeConvolution(g, given, filter, asked);
      if (device === "cpu" && isGathered(asked))
        return gatheredConvolution(g, given, filter, asked);
      const { x, window } = withoutPadding(g, given, asked);
      return native(g, "Conv2D", [x, filter], window.outShape, "float32", {
        ...windowAttributes(window),
        dilations: ints([1, window.dilationHeight, window.dilationWidth, 1]),
      });
    },
    inputGradient: (g, dy, filter, window) => {
      if (reachesWholeImages(window)) return wholeInputGradient(g, dy, filter, window);
      if (device === "cpu" && isGathered(window))
        return gatheredInputGradient(g, dy, filter, window);
      return sizeOf(filter.shape) <= mostByImage
        ? full.inputGradient(g, dy, filter, window)
        : unpadded(g, full.inputGradient(g, dy, filter, widened(window)), window);
    },
    filterGradient: (g, given, dy, asked) => {
      if (reachesWholeImages(asked)) return wholeFilterGradient(g, given, dy, asked);
      // With the columns of the convolution.
      if (device === "cpu" && isGathered(asked)) return gatheredFilterGradient(g, given, dy, asked);
      const { x, window } = withoutPadding(g, given, asked);
      return device === "cpu" && hasGatheredFilterGradient(window)
        ? gatheredFilterGradient(g, x, dy, window)
        : full.filterGradient(g, x, dy, window);
    },
    depthwise: depthwise.convolve,
    depthwiseInputGradient: depthwise.inputGradient,
    depthwiseFilterGradient: depthwise.filterGradient,
  });

const poolAttributes = (window: Window): Attributes => ({
  ksize: ints([1, window.filterHeight, window.filterWidth, 1]),
  strides: ints([1, window.strideHeight, window.strideWidth, 1]),
  padding: string(paddingName(window)),
});

/** What pooling takes: the image, as `withoutPadding` has it, and the attributes of the window over that. */
function padded(
  g: GraphBuilder,
  given: Value,
  asked: Window,
  value: number,
): { readonly x: Value; readonly attributes: Attributes } {
  const { x, window } = withoutPadding(g, given, asked, value);
  return { x, attributes: poolAttributes(window) };
}

/** The gradient of an image from that of the image with its padding. */
function unpadded(g: GraphBuilder, x: Value, window: Window): Value {
  if (paddingName(window) !== "EXPLICIT") return x;
  const { top, left } = window.padInfo;
  const { batchSize, inHeight, inWidth, inChannels } = window;
  return g.slice(x, [0, top, left, 0], [batchSize, top + inHeight, left + inWidth, inChannels]);
}

const maxPool = (g: GraphBuilder, x: Value, attributes: Attributes, window: Window): Value =>
  native(g, "MaxPool", [x], window.outShape, "float32", { ...attributes, ...channelsLast });

const pooling = poolingRows({
  max: (g, given, window) => {
    const { x, attributes } = padded(g, given, window, -Infinity);
    return maxPool(g, x, attributes, window);
  },
  // The maxima are computed again; as a common subexpression that costs nothing.
  maxGradient: (g, dy, given, window) => {
    const { x, attributes } = padded(g, given, window, -Infinity);
    const y = maxPool(g, x, attributes, window);
    const dx = native(g, "MaxPoolGrad", [x, y, dy], x.shape, "float32", {
      ...attributes,
      ...channelsLast,
    });
    return unpadded(g, dx, window);
  },
  average: (g, given, window) => {
    const { x, attributes } = padded(g, given, window, 0);
    const mean = native(g, "AvgPool", [x], window.outShape, "float32", {
      ...attributes,
      ...channelsLast,
    });
    if (paddingName(window) !== "EXPLICIT") return mean;
    return g.mul(
      mean,
      g.dense(sharesInside(window), [1, window.outHeight, window.outWidth, 1], "float32"),
    );
  },
  averageGradient: (g, dy, window) => {
    const { filterHeight, filterWidth, inChannels } = window;
    const weights = g.uniform(1 / (filterHeight * filterWidth), [
      filterHeight,
      filterWidth,
      inChannels,
      1,
    ]);
    // By unequal strides TensorFlow's takes no padding but its own.
    return unpadded(g, depthwise.inputGradient(g, dy, weights, widened(window)), window);
  },
  maxWithPlaces: (g, given, window, within) => {
    const { x, attributes } = padded(g, given, window, -Infinity);
    const [maxima, places] = g.opMany(
      "MaxPoolWithArgmax",
      [x],
      [
        [window.outShape, "float32"],
        [window.outShape, "int32"],
      ],
      { ...attributes, Targmax: type("int32"), include_batch_in_index: attribute.bool(false) },
      tensorflow,
    ) as [Value, Value];
    return [maxima, placesInside(g, places, x, window, within)];
  },
});

/** Places in a padded image as places in the image itself, or in the whole batch. */
function placesInside(
  g: GraphBuilder,
  places: Value,
  padded: Value,
  window: Window,
  within: "image" | "batch",
): Value {
  const { batchSize, inChannels, inHeight, inWidth } = window;
  const number = (value: number): Value => g.uniform(value, [], "int32");
  let inImage = places;
  if (padded.shape[1] !== inHeight || padded.shape[2] !== inWidth) {
    const rowLength = padded.shape[2]! * inChannels;
    const column = g.binary("Mod", places, number(rowLength));
    const row = g.div(g.sub(places, column), number(rowLength));
    inImage = g.add(
      g.mul(g.sub(row, number(window.padInfo.top)), number(inWidth * inChannels)),
      g.sub(column, number(window.padInfo.left * inChannels)),
    );
  }
  if (within === "image") return inImage;
  const starts = Array.from({ length: batchSize }, (_, i) => i * inHeight * inWidth * inChannels);
  return g.add(inImage, g.dense(starts, [batchSize, 1, 1, 1], "int32"));
}

/** Pixels of an image, at most, where columns are the channels of images. */
const mostPixels: Readonly<Record<Device, number>> = { cpu: 16, gpu: 1 };

/** Columns as the channels of images, which is how TensorFlow normalises them: [rows, C] as [images, pixels, 1, C]. On
 *  the CPU it loops over images and, faster, over their pixels; with very many of those it divides the work among its
 *  threads in another, slower way. [100352, 32] took 1.3 ms on one thread with 1 pixel and 0.7 with 16, [8192, 128] 0.29
 *  and 0.26, and 0.46 with 512. */
function asImages(g: GraphBuilder, x: Value, device: Device): Value {
  const [rows, columns] = x.shape as [number, number];
  const pixels = largestDivisor(rows, mostPixels[device]);
  return g.reshape(x, [rows / pixels, pixels, 1, columns]);
}

/** Normalisation of columns by their own statistics, and its gradient, one pass each.
 *  The gradient's operands depend on the device: what it calls the saved variance is that on the CPU, and 1 over the
 *  deviation on a GPU (cuDNN's). From inv both follow, with an epsilon of 0. */
const normalisation = (device: Device) => ({
  LejepaNormalizeColumns: kernel<
    Record<keyof NormalizeColumnsInputs, never>,
    NormalizeColumnsAttrs
  >(({ x, weight, bias }, { epsilon }, g) => {
    const [rows, columns] = x.shape as [number, number];
    const images = asImages(g, x, device);
    const none = g.dense([], [0], "float32");
    const statistic = [[columns], "float32"] as const;
    const [y, mean, unbiased] = g.opMany(
      "FusedBatchNormV3",
      [images, weight, bias, none, none],
      [[images.shape, "float32"], statistic, statistic],
      { ...batchStatistics, epsilon: float(epsilon) },
      tensorflow,
    ) as [Value, Value, Value];
    const row = (value: Value): Value => g.reshape(value, [1, columns]);
    const variance = g.mul(row(unbiased), g.uniform((rows - 1) / rows));
    const inverse = native(
      g,
      "Rsqrt",
      [g.add(variance, g.uniform(epsilon))],
      variance.shape,
      "float32",
    );
    return [g.reshape(y, x.shape), row(mean), variance, inverse];
  }),
  LejepaNormalizeColumnsGrad: kernel<Record<keyof NormalizeColumnsGradInputs, never>>(
    ({ dy, x, weight, mean, inverse }, _none, g) => {
      const columns = x.shape[1]!;
      const images = asImages(g, x, device);
      const flat = (value: Value): Value => g.reshape(value, [columns]);
      const inv = flat(inverse);
      const saved = device === "gpu" ? inv : g.unary("Reciprocal", g.mul(inv, inv));
      const none = g.dense([], [0], "float32");
      const statistic = [[columns], "float32"] as const;
      const [dx, dweight, dbias] = g.opMany(
        "FusedBatchNormGradV3",
        [asImages(g, dy, device), images, weight, flat(mean), saved, none],
        [[images.shape, "float32"], statistic, statistic],
        { ...batchStatistics, epsilon: float(0) },
        tensorflow,
      ) as [Value, Value, Value];
      const row = (value: Value): Value => g.reshape(value, [1, columns]);
      return [g.reshape(dx, x.shape), row(dweight), row(dbias)];
    },
  ),
});

const batchStatistics: Attributes = {
  ...channelsLast,
  U: type("float32"),
  is_training: attribute.bool(true),
};

/** Where TensorFlow computes. */
export type Device = "cpu" | "gpu";

const ownRows = {
  ...pooling,
  Rsqrt: same("Rsqrt"),
  Square: same("Square"),
  Expm1: same("Expm1"),
  Log1p: same("Log1p"),
  Tan: same("Tan"),
  // Most often it is the mask of a gradient, which a pass then takes for what it is.
  Step: kernel<StepInputs, StepAttrs>(({ x }, { alpha }, g) => {
    if (alpha === 0 && x.dtype === "float32") return g.unary("Step", x);
    const y = g.where(g.compare("Greater", x, g.number(0, x)), g.number(1, x), g.number(alpha, x));
    return x.dtype === "float32" ? g.where(g.op("IsNaN", [x], x.shape, "bool"), x, y) : y;
  }),
  // TensorFlow takes 1 - b1 and 1 - b2 of float32 numbers: for 0.999 the square grows by 1.3e-5 of its growth less.
  [adamwInPlace]: kernel<Record<keyof AdamwInputs, never>, AdamwConstants>(
    (
      { parameter, mean, square, gradient, ...operands },
      { beta1, beta2, epsilon: smallest, weightDecay },
      g,
    ) => {
      const { stepSize, epsilon, decay } = adamwScalars(g, operands, {
        epsilon: smallest,
        weightDecay,
      });
      const { shape } = mean;
      // TensorFlow's corrections are left out: beta powers of 0.
      const [none, rate1, rate2] = [g.uniform(0), g.uniform(beta1), g.uniform(beta2)];
      return g.opMany(
        "ResourceApplyAdam",
        [
          g.mul(parameter, decay),
          mean,
          square,
          none,
          none,
          stepSize,
          rate1,
          rate2,
          epsilon,
          gradient,
        ],
        [
          [shape, "float32"],
          [shape, "float32"],
          [shape, "float32"],
        ],
        {},
        resourceUpdate,
      );
    },
  ),
} satisfies Record<string, Row>;

/** Composite kernels that TensorFlow has no operator for, so that they are recorded as what they are composed of. */
const { LejepaNormalizeRows: _composed, ...shared } = loweringTable;
void _composed;

/** Lowering for TensorFlow. */
export const tensorflowTarget = (device: Device): LoweringTarget => ({
  engine: "tensorflow",
  table: {
    ...shared,
    ...indexCheckRows,
    ...ownRows,
    ...convolution(device),
    ...normalisation(device),
    // What is compiled there, and how fast it is, has not been tried on a GPU.
    ...(device === "cpu" ? characteristicMeansRows : {}),
  },
});
