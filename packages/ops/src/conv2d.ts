import { anything, optional, requireOptions } from "./check-argument.js";
import { requireTensors, someTensor } from "./tensor-argument.js";
import * as tf from "@tensorflow/tfjs-core";
import { compositeKernel } from "./composite-kernel.js";
import {
  convolve,
  filterGradient,
  type Geometry,
  geometryOf,
  inputGradient,
} from "./convolution.js";
import type { Padding } from "./padding.js";
import { requireShape } from "./shape.js";

/** Geometry of a convolution. */
export interface Conv2dOptions {
  /** Step between outputs, in pixels, both ways. Default 1. */
  readonly stride?: number;
  /** Zeros around the image. Default 0. */
  readonly padding?: Padding;
  /** Distance between the taps of the kernel, in pixels. Default 1. */
  readonly dilation?: number;
  /** Number of groups of channels that do not mix; divides both channel counts. Default 1. */
  readonly groups?: number;
  /** [O], added to every output position. */
  readonly bias?: tf.Tensor;
}

/** Two-dimensional convolution (cross-correlation, as everywhere in deep learning):
 *    y[n, i, j, o] = sum over a, b, c of x[n, i stride + a dilation - top, j stride + b dilation - left, c] weight[a, b, c, o]
 *  Shapes: x [N, H, W, I], weight [Kh, Kw, I / groups, O] -> [N, H', W', O] with
 *    H' = floor((H + top + bottom - dilation (Kh - 1) - 1) / stride) + 1, W' likewise.
 *  As torch.nn.functional.conv2d in another layout. Gradients for every geometry on every backend: through tfjs's own
 *  kernels where the backend has them, else by matrix products over shifted slices.
 *  Throws LejepaError "bad-shape", "bad-padding", "bad-groups" and "bad-stride". */
export function conv2d(
  x: tf.Tensor4D,
  weight: tf.Tensor4D,
  options: Conv2dOptions = {},
): tf.Tensor4D {
  requireTensors("conv2d", { x, weight });
  requireOptions("conv2d", options, {
    stride: anything,
    padding: anything,
    dilation: anything,
    groups: anything,
    bias: optional(someTensor),
  });
  const { stride = 1, padding = 0, dilation = 1, groups = 1, bias } = options;
  const geometry = geometryOf("conv2d", x, weight, { stride, padding, dilation, groups });
  const outputs = weight.shape[3];

  let y: tf.Tensor4D;
  if (groups === 1) {
    y = differentiable(x, weight, geometry);
  } else {
    const inputs = tf.split<tf.Tensor4D>(x, groups, 3);
    const kernels = tf.split<tf.Tensor4D>(weight, groups, 3);
    y = tf.concat<tf.Tensor4D>(
      inputs.map((input, g) => differentiable(input, kernels[g] as tf.Tensor4D, geometry)),
      3,
    );
  }
  if (bias === undefined) {
    return y;
  }
  requireShape("conv2d", "bias", bias.shape, [outputs]);
  return tf.add(y, bias);
}

/** `convolve` with its gradients. */
function differentiable(x: tf.Tensor4D, weight: tf.Tensor4D, geometry: Geometry): tf.Tensor4D {
  // tfjs's own gradients compute only what is asked for; they lack dilation, and wasm the filter gradient's kernel.
  if (geometry.dilation === 1 && tf.getKernel("Conv2DBackpropFilter", tf.getBackend()) != null) {
    return convolve(x, weight, geometry);
  }
  return runConvolution({ x, weight }, geometry)[0] as tf.Tensor4D;
}

const runConvolution = compositeKernel({
  kernelName: "LejepaConvolution",
  outputs: ["y"],
  forward: (
    { x, weight }: { readonly x: tf.Tensor4D; readonly weight: tf.Tensor4D },
    geometry: Geometry,
  ) => ({ y: convolve(x, weight, geometry) }),
  gradient: {
    saves: ["x", "weight"],
    rule: ({ y: dy }, saved, geometry) => {
      const [x, weight] = [saved.x, saved.weight] as [tf.Tensor4D, tf.Tensor4D];
      return {
        x: () => inputGradient(dy as tf.Tensor4D, weight, x.shape, geometry),
        weight: () => filterGradient(x, dy as tf.Tensor4D, weight.shape, geometry),
      };
    },
  },
});
