import * as tf from "@tensorflow/tfjs-core";
import { LejepaError } from "./lejepa-error.js";
import { linear } from "./linear.js";
import { badShape, requireShape } from "./shape.js";
import { withGradient } from "./with-gradient.js";

/** Softmax attention (arXiv 1706.03762):
 *    y = softmax(scale q k') v,   the softmax over keys.
 *  Shapes: q [.., Lq, E], k [.., Lk, E], v [.., Lk, F] -> [.., Lq, F], the leading axes (batch, heads) equal.
 *  Gradient in closed form, with P the attention weights:
 *    dv = P' dy,   dS = P (dy v' - r),   r = sum over F of dy y,   dq = scale dS k,   dk = scale dS' q.
 *  Throws LejepaError "bad-shape". */
export function attention(q: tf.Tensor, k: tf.Tensor, v: tf.Tensor, scale = 1): tf.Tensor {
  if (q.shape.length < 2) {
    throw badShape({ op: "attention", argument: "q", expected: "[.., L, E]", got: q.shape });
  }
  const leading = q.shape.slice(0, -2);
  const keys = k.shape[leading.length] ?? -1;
  requireShape("attention", "k", k.shape, [...leading, -1, q.shape[q.shape.length - 1] as number]);
  requireShape("attention", "v", v.shape, [...leading, keys, -1]);
  const scaled = (t: tf.Tensor) => (scale === 1 ? t : tf.mul(t, scale));
  return withGradient([q, k, v], (save) => {
    const weights = tf.softmax(tf.matMul(scaled(q), k, false, true)); // [.., Lq, Lk]
    const y = tf.matMul(weights, v);
    save([q, k, v, weights, y]);
    return {
      value: y,
      gradient: (dy, saved) => {
        const [q, k, v, weights, y] = saved as [
          tf.Tensor,
          tf.Tensor,
          tf.Tensor,
          tf.Tensor,
          tf.Tensor,
        ];
        const rowSum = tf.sum(tf.mul(dy, y), -1, true); // [.., Lq, 1]
        const dLogits = tf.mul(weights, tf.sub(tf.matMul(dy, v, false, true), rowSum));
        return [
          scaled(tf.matMul(dLogits, k)),
          scaled(tf.matMul(dLogits, q, true, false)),
          tf.matMul(weights, dy, true, false),
        ];
      },
    };
  });
}

/** Parameters of `selfAttention`'s input projection. */
export interface QkvProjection {
  /** Shape [D, 3 D]; its columns are queries, keys and values, each split into heads. */
  readonly weight: tf.Tensor;
  /** Shape [3 D]; left out, the projection has no bias. */
  readonly bias?: tf.Tensor;
}

/** Multi-head self-attention up to, not including, the output projection:
 *    [q | k | v] = x weight + bias;   y = concat over heads of softmax(q_h k_h' / sqrt(D / heads)) v_h.
 *  Shapes: x [N, L, D] -> [N, L, D]. The projection is three matrix products, so that no pass over the activations
 *  splits them, and the scale is folded into the query's columns: weights are smaller than activations.
 *  Throws LejepaError "bad-shape", and "bad-heads" when `heads` does not divide D. */
export function selfAttention(x: tf.Tensor, qkv: QkvProjection, heads: number): tf.Tensor {
  requireShape("selfAttention", "x", x.shape, [-1, -1, -1]);
  const [batch, tokens, dim] = x.shape as [number, number, number];
  requireShape("selfAttention", "qkv.weight", qkv.weight.shape, [dim, 3 * dim]);
  if (!Number.isInteger(heads) || heads < 1 || dim % heads !== 0) {
    throw new LejepaError(
      "bad-heads",
      `selfAttention: heads should divide the width ${dim}, got ${heads}; choose one of its divisors.`,
    );
  }
  const headDim = dim / heads;
  const scale = 1 / Math.sqrt(headDim);
  const weights = tf.split(qkv.weight, 3, 1);
  let biases: tf.Tensor[] = [];
  if (qkv.bias !== undefined) {
    requireShape("selfAttention", "qkv.bias", qkv.bias.shape, [3 * dim]);
    biases = tf.split(qkv.bias, 3, 0);
  }
  const [q, k, v] = weights.map((weight, part) => {
    const bias = biases[part];
    const scaled = (t: tf.Tensor) => (part === 0 ? tf.mul(t, scale) : t);
    const y = linear(x, scaled(weight), bias && scaled(bias));
    return tf.transpose(tf.reshape(y, [batch, tokens, heads, headDim]), [0, 2, 1, 3]);
  }) as [tf.Tensor, tf.Tensor, tf.Tensor];
  const y = attention(q, k, v); // [N, heads, L, D / heads]
  return tf.reshape(tf.transpose(y, [0, 2, 1, 3]), [batch, tokens, dim]);
}
