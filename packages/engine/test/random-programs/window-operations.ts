/** Rows of convolutions, pooling, resizing and what else works on images. */
import { call, recordCall, NothingToDraw, type Draw, type DrawnValue } from "./draw.js";
import type { OperationRow } from "./elementwise-operations.js";
import { sizeOf } from "./program.js";

type Padding = "same" | "valid" | number | number[][];

/** Steps of a window: mostly equal, now and then not. */
const strides = (d: Draw): number | [number, number] =>
  d.chance(0.5) ? d.whole(1, 3) : [d.whole(1, 3), d.whole(1, 3)];

/** Zeros around images, below the window's size, of every kind that tfjs takes. A number with unequal strides or sides is
 *  rare, as tfjs sizes both axes by the first and the engines refuse what comes of it. */
function padding(
  d: Draw,
  window: readonly [number, number],
  step: number | readonly [number, number] = 1,
): Padding {
  const even = window[0] === window[1] && (typeof step === "number" || step[0] === step[1]);
  const kind = d.one(["same", "valid", even || d.chance(0.1) ? "number" : "same", "explicit"]);
  if (kind === "same" || kind === "valid") return kind;
  if (kind === "number") return d.whole(0, Math.min(...window) - 1);
  const side = (length: number) => d.whole(0, length - 1);
  return [
    [0, 0],
    [side(window[0]), side(window[0])],
    [side(window[1]), side(window[1])],
    [0, 0],
  ];
}

/** A window that fits into the image, at these gaps between its taps. */
function windowFor(
  d: Draw,
  x: DrawnValue,
  dilations: readonly [number, number] = [1, 1],
): [number, number] {
  const side = (length: number, dilation: number) =>
    d.whole(1, Math.max(1, Math.min(4, Math.floor((length - 1) / dilation) + 1)));
  return [side(x.shape[1]!, dilations[0]), side(x.shape[2]!, dilations[1])];
}

const dilationsOf = (d: Draw): [number, number] =>
  d.chance(0.75) ? [1, 1] : d.chance(0.5) ? [2, 2] : [d.whole(1, 3), d.whole(1, 3)];

/** Numbers that keep sums of products near 1. */
const filter = (d: Draw, shape: readonly number[]): DrawnValue =>
  d.value(
    (value) => String(value.shape) === String(shape),
    () => shape,
    "float32",
    { low: -1, high: 1 },
  );

const rounding = (d: Draw, pad: Padding) =>
  typeof pad === "string" || d.chance(0.7) ? undefined : d.one(["floor", "ceil", "round"]);

function convolution(d: Draw) {
  const x = d.images();
  const dilations = dilationsOf(d);
  const window = windowFor(d, x, dilations);
  // As many channels as there are, for a residual, or any number.
  const channels = d.chance(0.3) ? x.shape[3]! : d.channels();
  const step = dilations[0] > 1 || dilations[1] > 1 ? 1 : strides(d);
  return { x, dilations, window, channels, step, pad: padding(d, window, step) };
}

const pool =
  (name: "maxPool" | "avgPool"): OperationRow =>
  (d) => {
    const x = d.chance(0.05)
      ? d.value(
          ({ shape }) => shape.length === 4,
          () => [1, 4, 4, 3],
          "int32",
        )
      : d.images();
    const window = windowFor(d, x);
    const step = strides(d);
    const pad = padding(d, window, step);
    const size = window[0] === window[1] ? window[0] : window;
    return name === "maxPool"
      ? call`tf.maxPool(${x}, ${size}, ${step}, ${pad}, ${rounding(d, pad)})`
      : call`tf.avgPool(${x}, ${size}, ${step}, ${pad}, ${rounding(d, pad)})`;
  };

const perChannel = (d: Draw, x: DrawnValue, range?: { low: number; high: number }): DrawnValue =>
  d.value(
    ({ shape, least }) =>
      shape.length === 1 && shape[0] === x.shape.at(-1) && (!range || least >= range.low),
    () => [x.shape.at(-1)!],
    "float32",
    range,
  );

const resize =
  (name: "resizeBilinear" | "resizeNearestNeighbor"): OperationRow =>
  (d) => {
    const x = d.images();
    const size = [d.whole(1, 9), d.whole(1, 9)];
    // Products with fixed matrices: 0 times infinity is NaN.
    if (x.hasSpecials) throw new NothingToDraw();
    const [corners, centres] = d.one([
      [false, false],
      [true, false],
      [false, true],
    ] as const);
    return name === "resizeBilinear"
      ? call`tf.image.resizeBilinear(${x}, ${size}, ${corners}, ${centres})`
      : call`tf.image.resizeNearestNeighbor(${x}, ${size}, ${corners}, ${centres})`;
  };

export const windowOperations: Readonly<Record<string, OperationRow>> = {
  "tf.conv2d": (d) => {
    const { x, dilations, window, channels, step, pad } = convolution(d);
    return call`tf.conv2d(${x}, ${filter(d, [...window, x.shape[3]!, channels])}, ${step}, ${pad}, "NHWC", ${dilations})`;
  },
  // A convolution that keeps the shape, and what went in added: the blocked layout meets the plain one.
  "tf.conv2d, with a residual": (d) => {
    const x = d.images();
    const side = d.one([1, 3]);
    const channels = x.shape[3]!;
    return call`tf.add(tf.conv2d(${x}, ${filter(d, [side, side, channels, channels])}, 1, "same"), ${x})`;
  },
  "tf.conv1d": (d) => {
    const x = d.value(
      ({ shape }) => shape.length === 3 && sizeOf(shape) > 0,
      () => [d.whole(1, 2), d.whole(1, 8), d.whole(1, 6)],
    );
    const width = d.whole(1, Math.min(3, x.shape[1]!));
    return call`tf.conv1d(${x}, ${filter(d, [width, x.shape[2]!, d.whole(1, 6)])}, ${d.whole(1, 2)}, ${d.one(["same", "valid"])})`;
  },
  "tf.conv2dTranspose": (d) => {
    const x = d.images();
    const [side, step] = [d.whole(1, 3), d.whole(1, 2)];
    const channels = d.channels();
    const pad = d.one(["same", "valid"]);
    const length = (from: number) => (pad === "same" ? from * step : (from - 1) * step + side);
    const shape = [x.shape[0]!, length(x.shape[1]!), length(x.shape[2]!), channels];
    if (sizeOf(shape) > 4096) throw new NothingToDraw();
    return call`tf.conv2dTranspose(${x}, ${filter(d, [side, side, channels, x.shape[3]!])}, ${shape}, ${step}, ${pad})`;
  },
  "tf.depthwiseConv2d": (d) => {
    const { x, dilations, window, step, pad } = convolution(d);
    const multiplier = d.chance(0.6) ? 1 : d.whole(2, 3);
    return call`tf.depthwiseConv2d(${x}, ${filter(d, [...window, x.shape[3]!, multiplier])}, ${step}, ${pad}, "NHWC", ${dilations})`;
  },
  "tf.separableConv2d": (d) => {
    const x = d.images();
    const window = windowFor(d, x);
    const channels = x.shape[3]!;
    const multiplier = d.whole(1, 2);
    const depthwise = filter(d, [...window, channels, multiplier]);
    const pointwise = filter(d, [1, 1, channels * multiplier, d.channels()]);
    return call`tf.separableConv2d(${x}, ${depthwise}, ${pointwise}, ${d.whole(1, 2)}, ${d.one(["same", "valid"])})`;
  },
  "tf.fused.conv2d": (d) => {
    const { x, dilations, window, channels, step, pad } = convolution(d);
    const weights = filter(d, [...window, x.shape[3]!, channels]);
    const activation = d.one(["linear", "relu", "relu6", "elu", "sigmoid"]);
    return call`tf.fused.conv2d({ x: ${x}, filter: ${weights}, strides: ${step}, pad: ${pad}, dilations: ${dilations}, bias: ${d.input([channels])}, activation: ${activation} })`;
  },
  "tf.fused.depthwiseConv2d": (d) => {
    const { x, dilations, window, step, pad } = convolution(d);
    const multiplier = d.whole(1, 2);
    const weights = filter(d, [...window, x.shape[3]!, multiplier]);
    const activation = d.one(["linear", "relu", "relu6"]);
    const bias = d.input([x.shape[3]! * multiplier]);
    return call`tf.fused.depthwiseConv2d({ x: ${x}, filter: ${weights}, strides: ${step}, pad: ${pad}, dilations: ${dilations}, bias: ${bias}, activation: ${activation} })`;
  },
  "tf.maxPool": pool("maxPool"),
  "tf.avgPool": pool("avgPool"),
  "tf.maxPoolWithArgmax": (d) => {
    const x = d.images();
    const window = windowFor(d, x);
    // Whether the place of a NaN counts differs from one library to the next.
    if (x.hasSpecials) throw new NothingToDraw();
    return recordCall`tf.maxPoolWithArgmax(${x}, ${window}, ${strides(d)}, ${d.one(["same", "valid"])}, ${d.chance(0.5)})`;
  },
  "tf.batchNorm": (d) => {
    const x = d.value(
      ({ shape }) => shape.length >= 2 && shape.length <= 4 && sizeOf(shape) > 0,
      () => d.shape(d.whole(2, 4)),
    );
    const mean = perChannel(d, x);
    const variance = perChannel(d, x, { low: 0.3, high: 2 });
    // Without scale and offset tfjs keeps no tape, of this and of all else in the step.
    return call`tf.batchNorm(${x}, ${mean}, ${variance}, ${perChannel(d, x)}, ${perChannel(d, x)}, 0.001)`;
  },
  "tf.localResponseNormalization": (d) =>
    call`tf.localResponseNormalization(${d.images()}, ${d.whole(1, 4)}, ${d.number(0.5, 2)}, ${d.number(0.2, 1)}, ${d.number(0.4, 1)})`,
  "tf.image.resizeBilinear": resize("resizeBilinear"),
  "tf.image.resizeNearestNeighbor": resize("resizeNearestNeighbor"),
};
