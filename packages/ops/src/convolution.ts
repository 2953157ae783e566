/** A convolution of one group and its two gradients, none of them on the tape: what the differentiable operations that
 *  convolve are made of. Geometry and layout as for `conv2d`. */
import { said } from "./check-argument.js";
import * as tf from "@tensorflow/tfjs-core";
import { LejepaError } from "./lejepa-error.js";
import {
  isOutOfReach,
  type Padding,
  type ResolvedPadding,
  resolvePadding,
  withinReach,
} from "./padding.js";
import { badShape, requireShape } from "./shape.js";

/** How the kernel moves. */
export interface Geometry {
  readonly stride: number;
  readonly dilation: number;
  readonly sides: ResolvedPadding;
}

/** The geometry of a convolution by `op`, once x, weight and options are found to fit. */
export function geometryOf(
  op: string,
  x: tf.Tensor4D,
  weight: tf.Tensor4D,
  options: { stride: number; padding: Padding; dilation?: number; groups?: number },
): Geometry {
  const { stride, padding, dilation = 1, groups = 1 } = options;
  if (x.shape.length !== 4) {
    throw badShape({ op, argument: "x", expected: "[N, H, W, C]", got: x.shape });
  }
  for (const [name, value] of Object.entries({ stride, dilation })) {
    if (!Number.isInteger(value) || value < 1) {
      throw new LejepaError(
        "bad-stride",
        `${op}: ${name} should be a whole number of 1 or more, got ${said(value)}.`,
      );
    }
  }
  const channels = x.shape[3];
  const outputs = weight.shape[3] ?? 0;
  if (
    !Number.isInteger(groups) ||
    groups < 1 ||
    channels % groups !== 0 ||
    outputs % groups !== 0
  ) {
    throw new LejepaError(
      "bad-groups",
      `${op}: groups should divide the ${channels} channels of x and the ${outputs} of the output, got ${said(groups)}.`,
    );
  }
  requireShape(op, "weight", weight.shape, [-1, -1, channels / groups, -1]);
  const span: [number, number] = [
    dilation * (weight.shape[0] - 1) + 1,
    dilation * (weight.shape[1] - 1) + 1,
  ];
  return { stride, dilation, sides: resolvePadding(op, padding, x.shape, span) };
}

/** Shape [N, H', W', O] of the result. */
export function resultShape(
  [batch, height, width]: readonly [number, number, number, number],
  [kernelHeight, kernelWidth, , outputs]: readonly [number, number, number, number],
  { stride, dilation, sides }: Geometry,
): [number, number, number, number] {
  const positions = (size: number, kernel: number) =>
    Math.floor((size - dilation * (kernel - 1) - 1) / stride) + 1;
  return [
    batch,
    positions(height + sides.top + sides.bottom, kernelHeight),
    positions(width + sides.left + sides.right, kernelWidth),
    outputs,
  ];
}

/** y [N, H', W', O] of x [N, H, W, I] and weight [Kh, Kw, I, O]. */
export function convolve(
  image: tf.Tensor4D,
  weight: tf.Tensor4D,
  { stride, dilation, sides: margin }: Geometry,
): tf.Tensor4D {
  const { x, sides } = withinReach(image, margin);
  // tf.conv2d takes a stride or a dilation, not both.
  return stride === 1
    ? tf.conv2d(x, weight, stride, sides.explicit, "NHWC", dilation)
    : tf.conv2d(x, spreadTaps(weight, dilation), stride, sides.explicit);
}

/** dx of the given shape from dy [N, H', W', O]. */
export function inputGradient(
  dy: tf.Tensor4D,
  weight: tf.Tensor4D,
  shape: [number, number, number, number],
  { stride, dilation, sides }: Geometry,
): tf.Tensor4D {
  const taps = spreadTaps(weight, dilation);
  if (!isOutOfReach(sides)) return tf.conv2dTranspose(dy, taps, shape, stride, sides.explicit);
  const { top, bottom, left, right } = sides;
  const [batch, height, width, channels] = shape;
  const whole = [batch, top + height + bottom, left + width + right, channels] as typeof shape;
  const dx = tf.conv2dTranspose(dy, taps, whole, stride, "valid");
  return tf.slice(dx, [0, top, left, 0], shape);
}

/** dweight of the given shape from x and dy: by tfjs's kernel where the backend has it (wasm has not, and it knows no
 *  dilation), else tap by tap. */
export function filterGradient(
  image: tf.Tensor4D,
  dy: tf.Tensor4D,
  shape: [number, number, number, number],
  geometry: Geometry,
): tf.Tensor4D {
  const { stride, dilation } = geometry;
  if (dilation !== 1 || tf.getKernel("Conv2DBackpropFilter", tf.getBackend()) == null) {
    return filterGradientByTap(image, dy, shape, geometry);
  }
  const { x, sides } = withinReach(image, geometry.sides);
  const attributes = {
    strides: stride,
    pad: sides.explicit,
    dataFormat: "NHWC",
    filterShape: shape,
  };
  return tf.engine().runKernel("Conv2DBackpropFilter", { x, dy }, attributes);
}

/** The kernel with dilation - 1 zeros between its taps, which convolves without dilation to the same result. */
function spreadTaps(weight: tf.Tensor4D, dilation: number): tf.Tensor4D {
  if (dilation === 1) {
    return weight;
  }
  const [height, width, inputs, outputs] = weight.shape;
  const gap: [number, number] = [0, dilation - 1];
  const rows = tf.pad(tf.reshape(weight, [height, 1, width, inputs * outputs]), [
    [0, 0],
    gap,
    [0, 0],
    [0, 0],
  ]);
  const grid = tf.pad(tf.reshape(rows, [height * dilation, width, 1, inputs * outputs]), [
    [0, 0],
    [0, 0],
    gap,
    [0, 0],
  ]);
  return tf.slice<tf.Rank.R4, tf.Tensor4D>(
    tf.reshape<tf.Rank.R4>(grid, [height * dilation, width * dilation, inputs, outputs]),
    [0, 0, 0, 0],
    [(height - 1) * dilation + 1, (width - 1) * dilation + 1, inputs, outputs],
  );
}

/** dweight[a, b] = X' dy, where X are the pixels that tap (a, b) met: one matrix product for each tap. */
function filterGradientByTap(
  x: tf.Tensor4D,
  dy: tf.Tensor4D,
  shape: [number, number, number, number],
  { stride, dilation, sides }: Geometry,
): tf.Tensor4D {
  const [kernelHeight, kernelWidth, inputs, outputs] = shape;
  const [batch, height, width] = dy.shape;
  const padded = tf.pad(x, sides.explicit);
  const dyRows = tf.reshape<tf.Rank.R2>(dy, [-1, outputs]);
  const taps: tf.Tensor2D[] = [];
  for (let a = 0; a < kernelHeight; a++) {
    for (let b = 0; b < kernelWidth; b++) {
      const top = a * dilation;
      const left = b * dilation;
      const met = tf.stridedSlice(
        padded,
        [0, top, left, 0],
        [batch, top + (height - 1) * stride + 1, left + (width - 1) * stride + 1, inputs],
        [1, stride, stride, 1],
      );
      taps.push(tf.matMul(tf.reshape<tf.Rank.R2>(met, [-1, inputs]), dyRows, true));
    }
  }
  return tf.reshape<tf.Rank.R4>(tf.concat(taps, 0), shape);
}
