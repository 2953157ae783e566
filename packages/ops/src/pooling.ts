import { anything, optional, requireOptions, wholeNumber } from "./check-argument.js";
import { requireTensors } from "./tensor-argument.js";
import * as tf from "@tensorflow/tfjs-core";
import { compositeKernel } from "./composite-kernel.js";
import { type Padding, resolvePadding, withinReach } from "./padding.js";
import { badShape, sizeOf } from "./shape.js";
import { givenBack, metBy, surrounded, tapsOf, type Window } from "./window-taps.js";

/** Kernel of `globalAveragePool`. */
export const GlobalAveragePool = "LejepaGlobalAveragePool";
/** Operands of {@link GlobalAveragePool}. */
export interface GlobalAveragePoolInputs {
  /** [N, P, C] */
  readonly x: tf.Tensor;
}

/** Attributes of {@link GlobalAveragePool}. */
export interface GlobalAveragePoolAttrs {
  /** P, which the gradient cannot tell from dy. */
  readonly positions: number;
}

const runGlobalAveragePool = compositeKernel<GlobalAveragePoolInputs, "y", GlobalAveragePoolAttrs>({
  kernelName: GlobalAveragePool,
  outputs: ["y"],
  forward: ({ x }) => ({ y: tf.mean(x, 1) }),
  gradient: {
    saves: [],
    rule: ({ y: dy }, _saved, { positions }) => ({
      x: () => {
        const [batch, channels] = dy.shape as [number, number];
        const shares = tf.fill([1, positions, 1], 1 / positions);
        return tf.mul(tf.reshape(dy, [batch, 1, channels]), shares);
      },
    }),
  },
});

/** Mean over all axes between the first and the last: image maps [N, H, W, C] or tokens [N, L, C] -> [N, C].
 *  Gradient: dy / (H W) at every position, in one pass. Throws LejepaError "bad-shape" below rank 3. */
export function globalAveragePool(x: tf.Tensor): tf.Tensor2D {
  requireTensors("globalAveragePool", { x });
  if (x.shape.length < 3) {
    throw badShape({
      op: "globalAveragePool",
      argument: "x",
      expected: "[N, .., C]",
      got: x.shape,
    });
  }
  const batch = x.shape[0];
  const channels = x.shape[x.shape.length - 1] as number;
  const positions = sizeOf(x.shape.slice(1, -1));
  const rows = tf.reshape(x, [batch, positions, channels]);
  return runGlobalAveragePool({ x: rows }, { positions })[0] as tf.Tensor2D;
}

/** How `maxPool2d` moves its window. */
export interface MaxPoolOptions {
  /** Side of the square window, in pixels. */
  readonly window: number;
  /** Step between windows, in pixels. Default: the window. */
  readonly stride?: number;
  /** Margin around the image; it never wins. Default 0. */
  readonly padding?: Padding;
}

/** Maximum over a moving window: y[n, i, j, c] = max over a, b of x[n, i stride + a - top, j stride + b - left, c].
 *  Shapes: x [N, H, W, C] -> [N, H', W', C], H' = floor((H + top + bottom - window) / stride) + 1.
 *  As torch.nn.MaxPool2d (no ceil mode). Throws LejepaError "bad-shape", and "bad-padding" on a padding that
 *  reaches the window's size. */
export function maxPool2d(x: tf.Tensor4D, options: MaxPoolOptions): tf.Tensor4D {
  requireTensors("maxPool2d", { x });
  requireOptions("maxPool2d", options, {
    window: wholeNumber(1),
    stride: optional(wholeNumber(1)),
    padding: anything,
  });
  const { window, stride = window, padding = 0 } = options;
  if (x.shape.length !== 4) {
    throw badShape({ op: "maxPool2d", argument: "x", expected: "[N, H, W, C]", got: x.shape });
  }
  const sides = resolvePadding("maxPool2d", padding, x.shape, [window, window]);
  if (tf.getBackend() === "wasm" && !hasNegativeMaxima())
    return runMaxPool({ x }, { window, stride, pad: sides.explicit })[0] as tf.Tensor4D;
  const within = withinReach(x, sides, -Infinity);
  return tf.maxPool(within.x, window, stride, within.sides.explicit);
}

/** Whether tf.maxPool has maxima below zero: that of tfjs-backend-wasm 4.22 starts at the smallest positive number, so
 *  that its gradient misses them. The eager engine of `@lejepa/engine` replaces it. */
const hasNegativeMaxima = (): boolean =>
  tf.tidy(() => {
    const image = tf.tensor4d([-2, -1], [1, 1, 2, 1]);
    const window = { filterSize: [1, 2], strides: [1, 2], pad: "valid" };
    const output = tf.engine().runKernel<tf.Tensor>("MaxPool", { x: image }, window);
    const inputs = { dy: tf.ones([1, 1, 1, 1]), input: image, output };
    const gradient = tf.engine().runKernel<tf.Tensor>("MaxPoolGrad", inputs, window);
    return output.dataSync()[0] === -1 && gradient.dataSync()[1] === 1;
  });

interface MaxPoolAttributes {
  readonly window: number;
  readonly stride: number;
  readonly pad: tf.backend_util.ExplicitPadding;
}

const windowOf = (shape: readonly number[], { window, stride, pad }: MaxPoolAttributes): Window =>
  tf.backend_util.computePool2DInfo(shape as tf.Tensor4D["shape"], window, stride, 1, pad);

/** The maxima tap by tap; dy goes to the first of equals, and NaN is passed over. */
const runMaxPool = compositeKernel({
  kernelName: "LejepaMaxPool",
  outputs: ["y"],
  forward: ({ x }: { readonly x: tf.Tensor4D }, attributes: MaxPoolAttributes) => {
    const over = windowOf(x.shape, attributes);
    const padded = surrounded(x, over, -Infinity);
    let y: tf.Tensor = tf.fill(over.outShape, -Infinity);
    for (const tap of tapsOf(over)) {
      const met = metBy(padded, over, tap);
      y = tf.where(tf.greater(met, y), met, y);
    }
    return { y };
  },
  gradient: {
    saves: ["x", "y"],
    rule: ({ y: dy }, saved, attributes) => ({
      x: () => {
        const over = windowOf(saved.x.shape, attributes);
        const padded = surrounded(saved.x as tf.Tensor4D, over, -Infinity);
        let left = dy as tf.Tensor4D;
        const none = tf.zerosLike(left);
        // What is left of dy after the taps before: the first of equals takes all.
        const shares = tapsOf(over).map((tap) => {
          const isMaximum = tf.equal(metBy(padded, over, tap), saved.y);
          const share = tf.where(isMaximum, left, none);
          left = tf.where(isMaximum, none, left);
          return share;
        });
        return givenBack(over, (_tap, index) => shares[index] as tf.Tensor4D);
      },
    }),
  },
});
