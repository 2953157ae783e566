import { oneOf, requireOptions } from "./check-argument.js";
import { epsilonArgument, requireTensors } from "./tensor-argument.js";
import * as tf from "@tensorflow/tfjs-core";
import { compositeKernel } from "./composite-kernel.js";
import { requireShape } from "./shape.js";

/** Kernel of the normalisation inside `layerNorm` and `layerNormLinear`: outputs x^ [M, D] and inv [M, 1],
 *    x^ = (x - mean) inv,   inv = 1 / sqrt(variance + epsilon)
 *  with mean and (biased) variance of each row. */
export const NormalizeRows = "LejepaNormalizeRows";
/** Operands of {@link NormalizeRows}. */
export interface NormalizeRowsInputs {
  /** [M, D] */
  readonly x: tf.Tensor;
}
/** Attributes of {@link NormalizeRows}. */
export interface NormalizeRowsAttrs {
  /** Added to the variance. */
  readonly epsilon: number;
  /** What the gradient may count on: with "centred", that each row of dy sums to 0, since all that reads x^ are
   *  products with matrices whose columns sum to 0. The value is the same. */
  readonly readers: "any" | "centred";
}

/** Runs the kernel and hands out x^ and inv, for use inside other kernels. */
export const runNormalizeRows = compositeKernel({
  kernelName: NormalizeRows,
  outputs: ["normal", "inverse"],
  results: 2,
  forward: ({ x }: NormalizeRowsInputs, { epsilon }: NormalizeRowsAttrs) => {
    const centred = tf.sub(x, tf.mean(x, 1, true));
    const variance = tf.mean(tf.square(centred), 1, true);
    const inverse = tf.rsqrt(tf.add(variance, epsilon));
    return { normal: tf.mul(centred, inverse), inverse };
  },
  gradient: {
    saves: ["normal", "inverse"],
    rule: ({ normal: dy }, { normal, inverse }, { readers }) => ({
      x: () => {
        const along = tf.mul(normal, tf.mul(tf.mean(tf.mul(dy, normal), 1, true), inverse));
        const free = readers === "centred" ? dy : tf.sub(dy, tf.mean(dy, 1, true));
        return tf.sub(tf.mul(free, inverse), along);
      },
    }),
  },
});

/** x^ of x [M, D], differentiable: dx = inv (dy - mean(dy) - x^ mean(dy x^)), where `readers` says whether mean(dy) is
 *  0 anyway. Throws LejepaError "bad-shape". */
export function normalizeRows(x: tf.Tensor, attributes: NormalizeRowsAttrs): tf.Tensor {
  requireTensors("normalizeRows", { x });
  const readers = oneOf(["any", "centred"]);
  requireOptions("normalizeRows", attributes, { epsilon: epsilonArgument, readers });
  requireShape("normalizeRows", "x", x.shape, [-1, -1]);
  const [normal, inverse] = runNormalizeRows({ x }, attributes) as [tf.Tensor, tf.Tensor];
  inverse.dispose();
  return normal;
}
