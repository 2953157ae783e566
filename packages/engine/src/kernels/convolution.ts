/** Two-dimensional convolutions and both their gradients, channels last.
 *
 *  A convolution is a product of matrices once the inputs of every output position lie in a row:
 *    columns [N y x, kh kw C] . filter [kh kw C, O] -> [N y x, O]
 *  One Gather with a fixed list of places makes those rows; a place outside of the image is an extra row of zeros.
 *  The filter's gradient is columns^T . dy with the same columns (common subexpressions are shared), and the input's
 *  gradient is again such a convolution of dy. Channels stay last throughout: ONNX Conv wants them first, and on
 *  3x3 -> 64 channels its transposes took 71 of 105 ms where the gathered product takes 14.
 *
 *  Where onnxruntime has its blocked layout, that is taken instead: blocked-convolution.ts, blocked-filter-gradient.ts
 *  and blocked-depthwise.ts. */
import {
  backend_util,
  type Conv2DAttrs,
  type Conv2DBackpropFilterAttrs,
  type Conv2DBackpropFilterInputs,
  type Conv2DBackpropInputAttrs,
  type Conv2DBackpropInputInputs,
  type Conv2DInputs,
  type DepthwiseConv2dNativeAttrs,
  type DepthwiseConv2dNativeBackpropFilterAttrs,
  type DepthwiseConv2dNativeBackpropFilterInputs,
  type DepthwiseConv2dNativeBackpropInputAttrs,
  type DepthwiseConv2dNativeBackpropInputInputs,
  type DepthwiseConv2dNativeInputs,
  type FusedConv2DAttrs,
  type FusedConv2DInputs,
  type FusedDepthwiseConv2DAttrs,
  type FusedDepthwiseConv2DInputs,
} from "@tensorflow/tfjs-core";
import type { GraphBuilder } from "../graph/builder.js";
import { sizeOf, type Shape, type Value } from "../graph/graph.js";
import { blockedConvolution, blockedInputGradient } from "./blocked-convolution.js";
import {
  blockedDepthwise,
  blockedDepthwiseFilterGradient,
  blockedDepthwiseInputGradient,
} from "./blocked-depthwise.js";
import { blockedFilterGradient } from "./blocked-filter-gradient.js";
import { checkedWindow } from "./checked-window.js";
import { activate } from "./fused-activation.js";
import { kernel, refuse } from "./kernel.js";
import { exactWindow, reached, unreached, type Window } from "./window.js";

type Four = [number, number, number, number];

interface Geometry {
  readonly strides: [number, number] | number;
  readonly pad: Conv2DAttrs["pad"];
  readonly dilations?: [number, number] | number | undefined;
  readonly dimRoundingMode?: "floor" | "round" | "ceil" | undefined;
}

/** Sizes, strides and paddings, from attributes that refer to channels-last shapes. Throws where tfjs-core counts the
 *  outputs wrongly. */
function windowOf(
  input: Shape,
  filter: Shape,
  { strides, pad, dilations, dimRoundingMode }: Geometry,
  kind: "full" | "depthwise" = "full",
): Window {
  const window = backend_util.computeConv2DInfo(
    [...input] as Four,
    [...filter] as Four,
    strides,
    dilations ?? 1,
    pad,
    dimRoundingMode,
    kind === "depthwise",
  );
  return checkedWindow(window, { pad, dimRoundingMode });
}

/** For channels-first callers the explicit padding and the data change places, the result changes back. */
const toLast = (g: GraphBuilder, x: Value): Value => g.transpose(x, [0, 2, 3, 1]);
const toFirst = (g: GraphBuilder, x: Value): Value => g.transpose(x, [0, 3, 1, 2]);
const padLast = (pad: Conv2DAttrs["pad"]): Conv2DAttrs["pad"] =>
  Array.isArray(pad) ? [pad[0], pad[2], pad[3], pad[1]] : pad;
const shapeLast = ([n, c, h, w]: Four): Four => [n, h, w, c];

/** Rows of x [N, H, W, C] at `places` (numbers within H W, or -1 for zeros): [N, places, C]. */
function rowsAt(g: GraphBuilder, x: Value, places: readonly number[]): Value {
  const [n, h, w, c] = x.shape as Four;
  const flat = g.reshape(x, [n, h * w, c]);
  const outside = places.includes(-1);
  const source = outside ? g.concat([flat, g.uniform(0, [n, 1, c])], 1) : flat;
  const at = outside ? places.map((place) => (place < 0 ? h * w : place)) : places;
  return g.gather(source, g.dense(at, [at.length], "int32"), 1);
}

/** The pixel that each tap meets at each output position [y x, kh kw]: a number within H W, or -1 outside. */
function placesOf(window: Window): number[] {
  const { strideHeight, strideWidth, dilationHeight, dilationWidth, padInfo } = window;
  const places: number[] = [];
  for (let y = 0; y < window.outHeight; y++)
    for (let z = 0; z < window.outWidth; z++)
      for (let i = 0; i < window.filterHeight; i++)
        for (let j = 0; j < window.filterWidth; j++) {
          const row = y * strideHeight + i * dilationHeight - padInfo.top;
          const column = z * strideWidth + j * dilationWidth - padInfo.left;
          const inside =
            row >= 0 && column >= 0 && row < window.inHeight && column < window.inWidth;
          places.push(inside ? row * window.inWidth + column : -1);
        }
  return places;
}

/** The columns of a convolution of x: [N y x, kh kw C]. */
export function columnsOf(g: GraphBuilder, x: Value, window: Window): Value {
  const { batchSize, inChannels, filterHeight, filterWidth, outHeight, outWidth } = window;
  const rows = batchSize * outHeight * outWidth;
  const places = placesOf(window);
  const shape = [rows, filterHeight * filterWidth * inChannels];
  const inOrder = places.length === window.inHeight * window.inWidth;
  if (inOrder && places.every((place, i) => place === i)) return g.reshape(x, shape);
  return g.reshape(rowsAt(g, x, places), shape);
}

/** columns . filter */
export function gatheredConvolution(
  g: GraphBuilder,
  x: Value,
  filter: Value,
  window: Window,
): Value {
  const columns = columnsOf(g, x, window);
  const matrix = g.reshape(filter, [columns.shape[1]!, window.outChannels]);
  return g.reshape(g.gemm(columns, matrix), window.outShape);
}

function filterGradient(g: GraphBuilder, x: Value, dy: Value, window: Window): Value {
  const blocked = blockedFilterGradient(g, x, dy, window);
  if (blocked) return blocked;
  // The blocked convolution made no columns that could be shared.
  const shared = g.blockSize === undefined || window.batchSize < leastBatch;
  return shared ? filterGradientByImage(g, x, dy, window) : filterGradientByPixel(g, x, dy, window);
}

/** Images that make up a row which is worth gathering. */
const leastBatch = 64;

/** columns^T . dy with the batch innermost: x as [H W C, N], whose rows are gathered to columns^T [kh kw C, y x N]. A
 *  Gemm whose left operand is not transposed took 7.4 ms where the one over columns took 10.1 (3x3, 64 -> 64 channels,
 *  512 images of 7x7), and with one channel the rows are much longer: 0.4 ms of gathering instead of 2.7. */
function filterGradientByPixel(g: GraphBuilder, x: Value, dy: Value, window: Window): Value {
  const { batchSize, inChannels, outChannels, filterHeight, filterWidth, outHeight } = window;
  const { outWidth } = window;
  const pixels = window.inHeight * window.inWidth;
  const positions = outHeight * outWidth;
  const taps = filterHeight * filterWidth;
  const met = placesOf(window); // [positions, taps]
  const rows = new Int32Array(taps * inChannels * positions);
  let at = 0;
  for (let tap = 0; tap < taps; tap++)
    for (let channel = 0; channel < inChannels; channel++)
      for (let position = 0; position < positions; position++) {
        const place = met[position * taps + tap]!;
        rows[at++] = (place < 0 ? pixels : place) * inChannels + (place < 0 ? 0 : channel);
      }
  const byPixel = g.transpose(g.reshape(x, [batchSize, pixels * inChannels]), [1, 0]);
  const source = met.includes(-1) ? g.concat([byPixel, g.uniform(0, [1, batchSize])], 0) : byPixel;
  const columns = g.gather(source, g.dense(rows, [rows.length], "int32"), 0);
  const dyByPixel = g.transpose(g.reshape(dy, [batchSize, positions, outChannels]), [1, 0, 2]);
  const product = g.gemm(
    g.reshape(columns, [taps * inChannels, positions * batchSize]),
    g.reshape(dyByPixel, [positions * batchSize, outChannels]),
  );
  return g.reshape(product, window.filterShape);
}

function filterGradientByImage(g: GraphBuilder, x: Value, dy: Value, window: Window): Value {
  const columns = columnsOf(g, x, window);
  const rows = g.reshape(dy, [columns.shape[0]!, window.outChannels]);
  return g.reshape(tallProduct(g, columns, rows), window.filterShape);
}

/** a^T . b of two tall matrices [R, A] and [R, B]: in eight parts side by side, because one Gemm of so few results
 *  cannot use every core. */
function tallProduct(g: GraphBuilder, a: Value, b: Value): Value {
  const rows = a.shape[0]!;
  const parts = rows >= 4096 && rows % 8 === 0 ? 8 : 1;
  if (parts === 1) return g.gemm(a, b, 1, 0);
  const part = (x: Value): Value => g.reshape(x, [parts, rows / parts, x.shape[1]!]);
  return g.reduce("ReduceSum", g.matMul(part(a), part(b), 1, 0), [0], "drop");
}

/** The taps i of a filter that reach input positions p = phase, phase + stride, ..: those with p + pad - i dilation
 *  a multiple of the stride. */
const tapsOf = (phase: number, taps: number, stride: number, dilation: number, pad: number) =>
  Array.from({ length: taps }, (_, i) => i).filter(
    (i) => (((phase + pad - i * dilation) % stride) + stride) % stride === 0,
  );

/** tf.conv2dTranspose takes a dy that is larger than the convolution's result would be; tfjs reads its first rows and
 *  columns. */
function withinWindow(g: GraphBuilder, dy: Value, window: Window): Value {
  const { batchSize, outHeight, outWidth, outChannels } = window;
  const [, height, width] = dy.shape as Four;
  if (height < outHeight || width < outWidth)
    throw new Error(
      `dy should have at least ${outHeight} x ${outWidth} positions, got ${height} x ${width}.`,
    );
  if (height === outHeight && width === outWidth) return dy;
  return g.slice(dy, [0, 0, 0, 0], [batchSize, outHeight, outWidth, outChannels]);
}

/** dx [N, H, W, C] of a convolution. Input positions of one phase (row and column modulo the strides) are reached by
 *  the same taps, so each phase is one gathered product over dy; a last Gather puts the phases into order. */
export function gatheredInputGradient(
  g: GraphBuilder,
  dy: Value,
  filter: Value,
  window: Window,
): Value {
  const { inHeight, inWidth, inChannels, outHeight, outWidth, outChannels, batchSize } = window;
  const { strideHeight, strideWidth, dilationHeight, dilationWidth, padInfo } = window;
  const order = new Int32Array(inHeight * inWidth);
  let made = 0;
  const phases: Value[] = [];
  const byTap = g.reshape(g.transpose(filter, [0, 1, 3, 2]), [
    window.filterHeight * window.filterWidth,
    outChannels * inChannels,
  ]);
  for (let phaseY = 0; phaseY < Math.min(strideHeight, inHeight); phaseY++)
    for (let phaseX = 0; phaseX < Math.min(strideWidth, inWidth); phaseX++) {
      const is = tapsOf(phaseY, window.filterHeight, strideHeight, dilationHeight, padInfo.top);
      const js = tapsOf(phaseX, window.filterWidth, strideWidth, dilationWidth, padInfo.left);
      const places: number[] = [];
      let positions = 0;
      for (let row = phaseY; row < inHeight; row += strideHeight)
        for (let column = phaseX; column < inWidth; column += strideWidth) {
          order[row * inWidth + column] = made + positions++;
          for (const i of is)
            for (const j of js) {
              const y = (row + padInfo.top - i * dilationHeight) / strideHeight;
              const z = (column + padInfo.left - j * dilationWidth) / strideWidth;
              const inside = y >= 0 && z >= 0 && y < outHeight && z < outWidth;
              places.push(inside ? y * outWidth + z : -1);
            }
        }
      made += positions;
      const taps = is.flatMap((i) => js.map((j) => i * window.filterWidth + j));
      const shape = [batchSize, positions, inChannels];
      if (taps.length === 0 || places.every((place) => place < 0)) {
        phases.push(g.uniform(0, shape));
        continue;
      }
      const allTaps = taps.length === byTap.shape[0] && taps.every((tap, i) => tap === i);
      const picked = allTaps ? byTap : g.gather(byTap, g.dense(taps, [taps.length], "int32"), 0);
      const matrix = g.reshape(picked, [taps.length * outChannels, inChannels]);
      const inOrder = places.every((place, i) => place === i);
      const rows = inOrder && places.length === outHeight * outWidth ? dy : rowsAt(g, dy, places);
      const columns = g.reshape(rows, [batchSize * positions, taps.length * outChannels]);
      phases.push(g.reshape(g.gemm(columns, matrix), shape));
    }
  const [only] = phases as [Value];
  const together =
    phases.length === 1
      ? only
      : g.gather(g.concat(phases, 1), g.dense(order, [order.length], "int32"), 1);
  return g.reshape(together, window.inShape);
}

/** Depthwise: each of C channels has Q filters of its own, so the product of matrices falls apart; ONNX's grouped
 *  Conv does it, channels first. Filter [kh, kw, C, Q] -> [C Q, 1, kh, kw]. */
function depthwiseWeights(g: GraphBuilder, filter: Value): Value {
  const [h, w, c, q] = filter.shape as Four;
  return g.reshape(g.transpose(filter, [2, 3, 0, 1]), [c * q, 1, h, w]);
}

const windowAttributes = (window: Window) => ({
  strides: [window.strideHeight, window.strideWidth],
  dilations: [window.dilationHeight, window.dilationWidth],
  kernel_shape: [window.filterHeight, window.filterWidth],
  pads: [window.padInfo.top, window.padInfo.left, window.padInfo.bottom, window.padInfo.right],
});

function depthwise(g: GraphBuilder, x: Value, filter: Value, window: Window): Value {
  const blocked = blockedDepthwise(g, x, filter, window);
  if (blocked) return blocked;
  const shape = [window.batchSize, window.outChannels, window.outHeight, window.outWidth];
  const weights = depthwiseWeights(g, filter);
  const y = g.op("Conv", [toFirst(g, x), weights], shape, "float32", {
    ...windowAttributes(window),
    group: window.inChannels,
  });
  return toLast(g, y);
}

/** How a transposed convolution gets back to the input's size: what its windows do not cover is output padding, and
 *  where they reach beyond the padding there is more to cut. */
export function transposedAttributes(window: Window) {
  const { padInfo: p } = window;
  const beyond = (size: number, out: number, stride: number, reach: number, pads: number) =>
    size - ((out - 1) * stride + reach - pads);
  const y = beyond(
    window.inHeight,
    window.outHeight,
    window.strideHeight,
    window.effectiveFilterHeight,
    p.top + p.bottom,
  );
  const x = beyond(
    window.inWidth,
    window.outWidth,
    window.strideWidth,
    window.effectiveFilterWidth,
    p.left + p.right,
  );
  return {
    ...windowAttributes(window),
    pads: [p.top, p.left, p.bottom + Math.max(0, -y), p.right + Math.max(0, -x)],
    output_padding: [Math.max(0, y), Math.max(0, x)],
  };
}

function depthwiseInputGradient(g: GraphBuilder, dy: Value, filter: Value, window: Window): Value {
  const blocked = blockedDepthwiseInputGradient(g, dy, filter, window);
  if (blocked) return blocked;
  const shape = [window.batchSize, window.inChannels, window.inHeight, window.inWidth];
  const weights = depthwiseWeights(g, filter);
  const dx = g.op("ConvTranspose", [toFirst(g, dy), weights], shape, "float32", {
    ...transposedAttributes(window),
    group: window.inChannels,
  });
  return toLast(g, dx);
}

/** One row of sums for each tap: the input that the tap meets times dy, over all positions. */
function depthwiseFilterGradient(g: GraphBuilder, x: Value, dy: Value, window: Window): Value {
  const blocked = blockedDepthwiseFilterGradient(g, x, dy, window);
  if (blocked) return blocked;
  const { batchSize, outHeight, outWidth, inChannels, outChannels } = window;
  const q = outChannels / inChannels;
  const positions = outHeight * outWidth;
  const taps = window.filterHeight * window.filterWidth;
  const columns = g.reshape(columnsOf(g, x, window), [batchSize * positions, taps, inChannels, 1]);
  const gradient = g.reshape(dy, [batchSize * positions, 1, inChannels, q]);
  const sums = g.reduce("ReduceSum", g.mul(columns, gradient), [0], "drop");
  return g.reshape(sums, window.filterShape);
}

/** How an engine computes convolutions, channels last. */
export interface ConvolutionMethods {
  /** x [N, H, W, C], filter [kh, kw, C, O] -> y */
  readonly convolve: (g: GraphBuilder, x: Value, filter: Value, window: Window) => Value;
  /** dy of the window's output shape -> dx */
  readonly inputGradient: (g: GraphBuilder, dy: Value, filter: Value, window: Window) => Value;
  /** -> gradient of the filter */
  readonly filterGradient: (g: GraphBuilder, x: Value, dy: Value, window: Window) => Value;
  /** x [N, H, W, C], filter [kh, kw, C, Q] -> y [N, H', W', C Q] */
  readonly depthwise: (g: GraphBuilder, x: Value, filter: Value, window: Window) => Value;
  readonly depthwiseInputGradient: (
    g: GraphBuilder,
    dy: Value,
    filter: Value,
    window: Window,
  ) => Value;
  readonly depthwiseFilterGradient: (g: GraphBuilder, x: Value, dy: Value, window: Window) => Value;
}

/** A sum of products of the operands, which is 0 where there are none: of no images, no channels or no pixels, which not
 *  every runtime bears. */
const sumOf = (
  g: GraphBuilder,
  operands: readonly Value[],
  shape: Shape,
  compute: () => Value,
): Value =>
  operands.some((operand) => sizeOf(operand.shape) === 0) || sizeOf(shape) === 0
    ? g.uniform(0, shape)
    : compute();

/** The rows of all convolutions, by the given methods, which meet exact windows only. */
export const convolutionRows = (methods: ConvolutionMethods) => {
  const forward =
    (method: ConvolutionMethods["convolve"]): ConvolutionMethods["convolve"] =>
    (g, x, filter, window) =>
      sumOf(g, [x, filter], window.outShape, () =>
        method(g, reached(g, x, window), filter, exactWindow(window)),
      );
  const towardsInput =
    (method: ConvolutionMethods["inputGradient"]): ConvolutionMethods["inputGradient"] =>
    (g, dy, filter, window) =>
      sumOf(g, [dy, filter], window.inShape, () =>
        unreached(g, method(g, withinWindow(g, dy, window), filter, exactWindow(window)), window),
      );
  const towardsFilter =
    (method: ConvolutionMethods["filterGradient"]): ConvolutionMethods["filterGradient"] =>
    (g, x, dy, window) =>
      sumOf(g, [x, dy], window.filterShape, () =>
        method(g, reached(g, x, window), dy, exactWindow(window)),
      );
  const convolve = forward(methods.convolve);
  const inputGradient = towardsInput(methods.inputGradient);
  const filterGradient = towardsFilter(methods.filterGradient);
  const depthwise = forward(methods.depthwise);
  const depthwiseInputGradient = towardsInput(methods.depthwiseInputGradient);
  const depthwiseFilterGradient = towardsFilter(methods.depthwiseFilterGradient);
  return {
    Conv2D: kernel<Conv2DInputs, Conv2DAttrs>(
      ({ x, filter }, { strides, pad, dataFormat, dilations, dimRoundingMode }, g) => {
        const geometry = { strides, dilations, dimRoundingMode };
        if (dataFormat !== "NCHW")
          return convolve(g, x, filter, windowOf(x.shape, filter.shape, { ...geometry, pad }));
        const last = toLast(g, x);
        const window = windowOf(last.shape, filter.shape, { ...geometry, pad: padLast(pad) });
        return toFirst(g, convolve(g, last, filter, window));
      },
    ),
    Conv2DBackpropInput: kernel<Conv2DBackpropInputInputs, Conv2DBackpropInputAttrs>(
      ({ dy, filter }, { strides, pad, dataFormat, dimRoundingMode, inputShape }, g) => {
        const geometry = { strides, dimRoundingMode };
        if (dataFormat !== "NCHW") {
          const window = windowOf(inputShape, filter.shape, { ...geometry, pad });
          return inputGradient(g, dy, filter, window);
        }
        const shape = shapeLast(inputShape);
        const window = windowOf(shape, filter.shape, { ...geometry, pad: padLast(pad) });
        return toFirst(g, inputGradient(g, toLast(g, dy), filter, window));
      },
    ),
    Conv2DBackpropFilter: kernel<Conv2DBackpropFilterInputs, Conv2DBackpropFilterAttrs>(
      ({ x, dy }, { strides, pad, dataFormat, dimRoundingMode, filterShape }, g) => {
        const geometry = { strides, dimRoundingMode };
        if (dataFormat !== "NCHW")
          return filterGradient(g, x, dy, windowOf(x.shape, filterShape, { ...geometry, pad }));
        const last = toLast(g, x);
        const window = windowOf(last.shape, filterShape, { ...geometry, pad: padLast(pad) });
        return filterGradient(g, last, toLast(g, dy), window);
      },
    ),
    FusedConv2D: kernel<FusedConv2DInputs, FusedConv2DAttrs>(
      (
        { x, filter, bias, preluActivationWeights },
        { strides, pad, dataFormat, dilations, dimRoundingMode, activation, leakyreluAlpha },
        g,
      ) => {
        const geometry = { strides, dilations, dimRoundingMode };
        const first = dataFormat === "NCHW";
        const last = first ? toLast(g, x) : x;
        const window = windowOf(last.shape, filter.shape, {
          ...geometry,
          pad: first ? padLast(pad) : pad,
        });
        const y = convolve(g, last, filter, window);
        // One number for each channel is meant for the channels, wherever they are; the rest broadcasts.
        const perChannel = (row: Value | undefined): Value | undefined =>
          first && row?.shape.length === 1 ? g.reshape(row, [row.shape[0]!, 1, 1]) : row;
        const result = first ? toFirst(g, y) : y;
        const shift = perChannel(bias);
        const sum = shift ? g.add(result, shift) : result;
        return activate(g, sum, activation, perChannel(preluActivationWeights), leakyreluAlpha);
      },
    ),
    DepthwiseConv2dNative: kernel<DepthwiseConv2dNativeInputs, DepthwiseConv2dNativeAttrs>(
      ({ x, filter }, { strides, pad, dataFormat, dilations, dimRoundingMode }, g) => {
        channelsLastOnly("DepthwiseConv2dNative", dataFormat);
        const geometry = { strides, pad, dilations, dimRoundingMode };
        return depthwise(g, x, filter, windowOf(x.shape, filter.shape, geometry, "depthwise"));
      },
    ),
    DepthwiseConv2dNativeBackpropInput: kernel<
      DepthwiseConv2dNativeBackpropInputInputs,
      DepthwiseConv2dNativeBackpropInputAttrs
    >(({ dy, filter }, { strides, dilations, pad, dimRoundingMode, inputShape }, g) => {
      const geometry = { strides, pad, dilations, dimRoundingMode };
      const window = windowOf(inputShape, filter.shape, geometry, "depthwise");
      return depthwiseInputGradient(g, dy, filter, window);
    }),
    DepthwiseConv2dNativeBackpropFilter: kernel<
      DepthwiseConv2dNativeBackpropFilterInputs,
      DepthwiseConv2dNativeBackpropFilterAttrs
    >(({ x, dy }, { strides, dilations, pad, dimRoundingMode, filterShape }, g) => {
      const geometry = { strides, pad, dilations, dimRoundingMode };
      return depthwiseFilterGradient(
        g,
        x,
        dy,
        windowOf(x.shape, filterShape, geometry, "depthwise"),
      );
    }),
    FusedDepthwiseConv2D: kernel<FusedDepthwiseConv2DInputs, FusedDepthwiseConv2DAttrs>(
      (
        { x, filter, bias, preluActivationWeights },
        { strides, pad, dataFormat, dilations, dimRoundingMode, activation, leakyreluAlpha },
        g,
      ) => {
        channelsLastOnly("FusedDepthwiseConv2D", dataFormat);
        const geometry = { strides, pad, dilations, dimRoundingMode };
        const window = windowOf(x.shape, filter.shape, geometry, "depthwise");
        const y = depthwise(g, x, filter, window);
        const sum = bias ? g.add(y, bias) : y;
        return activate(g, sum, activation, preluActivationWeights, leakyreluAlpha);
      },
    ),
    Conv3D: refuse("use two-dimensional convolutions"),
    Conv3DBackpropFilterV2: refuse("use two-dimensional convolutions"),
    Conv3DBackpropInputV2: refuse("use two-dimensional convolutions"),
    Dilation2D: refuse("use max pooling"),
    Dilation2DBackpropInput: refuse("use max pooling"),
    Dilation2DBackpropFilter: refuse("use max pooling"),
  };
};

/** By operators of onnxruntime. */
export const convolution = convolutionRows({
  convolve: (g, x, filter, window) =>
    blockedConvolution(g, x, filter, window) ?? gatheredConvolution(g, x, filter, window),
  inputGradient: (g, dy, filter, window) =>
    blockedInputGradient(g, dy, filter, window) ?? gatheredInputGradient(g, dy, filter, window),
  filterGradient,
  depthwise,
  depthwiseInputGradient,
  depthwiseFilterGradient,
});

function channelsLastOnly(kernelName: string, dataFormat: string | undefined): void {
  if (dataFormat === "NCHW")
    throw new Error(`${kernelName} takes dataFormat "NHWC" only, in tfjs too.`);
}
