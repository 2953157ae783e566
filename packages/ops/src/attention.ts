import {
  type Expected,
  optional,
  requireArgument,
  requireOptions,
  said,
  someObject,
} from "./check-argument.js";
import { requireTensors, tokenLayout } from "./tensor-argument.js";
import * as tf from "@tensorflow/tfjs-core";
import { compositeKernel } from "./composite-kernel.js";
import {
  type LayerNormParameters,
  type LinearParameters,
  requireLinear,
  requireNorm,
  withNorm,
} from "./layer-norm.js";
import { LejepaError } from "./lejepa-error.js";
import { linear } from "./linear.js";
import { normalizeRows } from "./normalize-rows.js";
import { badShape, requireShape } from "./shape.js";

/** Kernel of `attention`. */
export const Attention = "LejepaAttention";
/** Operands of {@link Attention}. */
export interface AttentionInputs {
  /** [.., Lq, E] */
  readonly q: tf.Tensor;
  /** [.., Lk, E] */
  readonly k: tf.Tensor;
  /** [.., Lk, F] */
  readonly v: tf.Tensor;
}
/** Attributes of {@link Attention}. */
export interface AttentionAttrs {
  /** Factor of the products of queries and keys. */
  readonly scale: number;
}

/** dS of S = the logits of attention weights P = softmax(S), from dP and r, the sum over keys of dP P. */
const softmaxGradient = (weights: tf.Tensor, dWeights: tf.Tensor, r: tf.Tensor): tf.Tensor =>
  tf.mul(weights, tf.sub(dWeights, r));

const runAttention = compositeKernel({
  kernelName: Attention,
  outputs: ["y", "weights"],
  forward: ({ q, k, v }: AttentionInputs, { scale }: AttentionAttrs) => {
    const weights = tf.softmax(tf.matMul(times(q, scale), k, false, true)); // [.., Lq, Lk]
    return { y: tf.matMul(weights, v), weights };
  },
  gradient: {
    saves: ["q", "k", "v", "y", "weights"],
    rule: ({ y: dy }, { q, k, v, y, weights }, { scale }) => {
      const r = tf.sum(tf.mul(dy, y), -1, true); // [.., Lq, 1]
      const dLogits = softmaxGradient(weights, tf.matMul(dy, v, false, true), r);
      return {
        q: () => times(tf.matMul(dLogits, k), scale),
        k: () => times(tf.matMul(dLogits, q, true, false), scale),
        v: () => tf.matMul(weights, dy, true, false),
      };
    },
  },
});

const times = (t: tf.Tensor, factor: number): tf.Tensor => (factor === 1 ? t : tf.mul(t, factor));

/** Softmax attention (arXiv 1706.03762):
 *    y = softmax(scale q k') v,   the softmax over keys.
 *  Shapes: q [.., Lq, E], k [.., Lk, E], v [.., Lk, F] -> [.., Lq, F], the leading axes (batch, heads) equal.
 *  Gradient in closed form, with P the attention weights:
 *    dv = P' dy,   dS = P (dy v' - r),   r = sum over F of dy y,   dq = scale dS k,   dk = scale dS' q.
 *  Throws LejepaError "bad-shape". */
export function attention(q: tf.Tensor, k: tf.Tensor, v: tf.Tensor, scale = 1): tf.Tensor {
  requireTensors("attention", { q, k, v });
  requireArgument("attention", "scale", scale, finite);
  if (q.shape.length < 2) {
    throw badShape({ op: "attention", argument: "q", expected: "[.., L, E]", got: q.shape });
  }
  const leading = q.shape.slice(0, -2);
  const keys = k.shape[leading.length] ?? -1;
  requireShape("attention", "k", k.shape, [...leading, -1, q.shape[q.shape.length - 1] as number]);
  requireShape("attention", "v", v.shape, [...leading, keys, -1]);
  return runAttention({ q, k, v }, { scale })[0]!;
}

const finite: Expected = { text: "a finite number", accepts: (value) => Number.isFinite(value) };

/** Order of the axes of tokens: "NLD" is image by image, "LND" token by token. In "LND" an engine that can multiply
 *  batches of matrices with the batch in the middle reads the heads where they lie. */
export type TokenLayout = "NLD" | "LND";

/** Kernel of `multiHeadAttention`. */
export const MultiHeadAttention = "LejepaMultiHeadAttention";
/** Operands of {@link MultiHeadAttention}; N and L swapped in layout "LND". */
export interface MultiHeadAttentionInputs {
  /** [N, Lq, D] */
  readonly q: tf.Tensor;
  /** [N, Lk, D] */
  readonly k: tf.Tensor;
  /** [N, Lk, D] */
  readonly v: tf.Tensor;
}
/** Attributes of {@link MultiHeadAttention}. */
export interface MultiHeadAttentionAttrs {
  /** Number of heads; divides D. */
  readonly heads: number;
  /** Order of the axes. */
  readonly layout: TokenLayout;
}

/** Tokens as heads: [N, heads, L, E]. */
function split(x: tf.Tensor, { heads, layout }: MultiHeadAttentionAttrs): tf.Tensor {
  const [first, second, dim] = x.shape as [number, number, number];
  const apart = tf.reshape(x, [first, second, heads, dim / heads]);
  return tf.transpose(apart, layout === "NLD" ? [0, 2, 1, 3] : [1, 2, 0, 3]);
}

/** Heads [N, heads, L, E] as tokens. */
function join(x: tf.Tensor, { layout }: MultiHeadAttentionAttrs): tf.Tensor {
  const y = tf.transpose(x, layout === "NLD" ? [0, 2, 1, 3] : [2, 0, 1, 3]);
  const [first, second, heads, size] = y.shape as [number, number, number, number];
  return tf.reshape(y, [first, second, heads * size]);
}

const runMultiHeadAttention = compositeKernel({
  kernelName: MultiHeadAttention,
  outputs: ["y", "weights"],
  forward: ({ q, k, v }: MultiHeadAttentionInputs, attributes: MultiHeadAttentionAttrs) => {
    const logits = tf.matMul(split(q, attributes), split(k, attributes), false, true);
    const weights = tf.softmax(logits); // [N, heads, Lq, Lk]
    return { y: join(tf.matMul(weights, split(v, attributes)), attributes), weights };
  },
  gradient: {
    saves: ["q", "k", "v", "y", "weights"],
    rule: ({ y: dy }, { q, k, v, y, weights }, attributes) => {
      const { heads, layout } = attributes;
      const [first, second, dim] = dy.shape as [number, number, number];
      // Summed where the tokens lie, so that neither y nor dy is rearranged for it.
      const products = tf.reshape(tf.mul(dy, y), [first, second, heads, dim / heads]);
      const sums = tf.sum(products, -1, true);
      const r = tf.transpose(sums, layout === "NLD" ? [0, 2, 1, 3] : [1, 2, 0, 3]);
      const dyHeads = split(dy, attributes);
      const dWeights = tf.matMul(dyHeads, split(v, attributes), false, true);
      const dLogits = softmaxGradient(weights, dWeights, r);
      return {
        q: () => join(tf.matMul(dLogits, split(k, attributes)), attributes),
        k: () => join(tf.matMul(dLogits, split(q, attributes), true, false), attributes),
        v: () => join(tf.matMul(weights, dyHeads, true, false), attributes),
      };
    },
  },
});

/** Softmax attention of each head by itself:
 *    y = concat over heads of softmax(q_h k_h') v_h,   q = [q_1 | .. | q_heads], k and v likewise.
 *  Shapes: q [N, Lq, D], k and v [N, Lk, D] -> [N, Lq, D], N and L swapped in layout "LND". The logits are not scaled:
 *  scale the queries, or what makes them. Gradient as that of `attention`, head by head.
 *  Throws LejepaError "bad-shape", and "bad-heads" when `heads` does not divide D. */
export function multiHeadAttention(
  q: tf.Tensor,
  k: tf.Tensor,
  v: tf.Tensor,
  heads: number,
  layout: TokenLayout = "NLD",
): tf.Tensor {
  requireTensors("multiHeadAttention", { q, k, v });
  requireArgument("multiHeadAttention", "layout", layout, tokenLayout);
  requireShape("multiHeadAttention", "q", q.shape, [-1, -1, -1]);
  const dim = q.shape[2] as number;
  requireHeads("multiHeadAttention", heads, dim);
  const [batch, tokens] = layout === "NLD" ? [q.shape[0], -1] : [-1, q.shape[1]!];
  requireShape("multiHeadAttention", "k", k.shape, [batch, tokens, dim]);
  requireShape("multiHeadAttention", "v", v.shape, k.shape);
  return runMultiHeadAttention({ q, k, v }, { heads, layout })[0]!;
}

function requireHeads(op: string, heads: number, dim: number): void {
  if (!Number.isInteger(heads) || heads < 1 || dim % heads !== 0) {
    throw new LejepaError(
      "bad-heads",
      `${op}: heads should divide the width ${dim}, got ${said(heads)}; choose one of its divisors.`,
    );
  }
}

/** Parameters of `selfAttention`'s input projection. */
export interface QkvProjection {
  /** Shape [D, 3 D]; its columns are queries, keys and values, each split into heads. */
  readonly weight: tf.Tensor;
  /** Shape [3 D]; left out, the projection has no bias. */
  readonly bias?: tf.Tensor | undefined;
}

/** What `selfAttention` does besides. */
export interface SelfAttentionOptions {
  /** Normalisation ahead of the projection. */
  readonly norm?: LayerNormParameters;
  /** Output projection, weight [D, O] and bias [O]. */
  readonly output?: LinearParameters;
  /** Order of the axes of x and y. Default "NLD". */
  readonly layout?: TokenLayout;
}

/** Multi-head self-attention, with the normalisation and the output projection of a transformer block where given:
 *    [q | k | v] = norm(x) weight + bias;   y = concat over heads of softmax(q_h k_h' / sqrt(D / heads)) v_h;
 *    then y output.weight + output.bias.
 *  Shapes: x [N, L, D] -> [N, L, D], or [N, L, O] with `output`; N and L swapped in layout "LND".
 *  Work that needs no pass over the activations is done on the weights: the scale goes into the query's columns, the
 *  norm into all of them. The keys' bias is the same for all keys of a query, so that the softmax does not see it and
 *  its gradient is 0; attention weights sum to 1, so that the values' bias passes through to the output.
 *  Throws LejepaError "bad-shape", and "bad-heads" when `heads` does not divide D. */
export function selfAttention(
  x: tf.Tensor,
  qkv: QkvProjection,
  heads: number,
  options: SelfAttentionOptions = {},
): tf.Tensor {
  requireTensors("selfAttention", { x });
  requireLinear("selfAttention", "qkv", qkv);
  requireOptions("selfAttention", options, {
    norm: optional(someObject),
    output: optional(someObject),
    layout: tokenLayout,
  });
  const { norm, output, layout = "NLD" } = options;
  if (norm !== undefined) requireNorm("selfAttention", "norm", norm);
  if (output !== undefined) requireLinear("selfAttention", "output", output);
  requireShape("selfAttention", "x", x.shape, [-1, -1, -1]);
  const [first, second, dim] = x.shape as [number, number, number];
  requireShape("selfAttention", "qkv.weight", qkv.weight.shape, [dim, 3 * dim]);
  if (qkv.bias !== undefined) {
    requireShape("selfAttention", "qkv.bias", qkv.bias.shape, [3 * dim]);
  }
  requireHeads("selfAttention", heads, dim);
  if (norm !== undefined) {
    requireShape("selfAttention", "norm.weight", norm.weight.shape, [dim]);
    requireShape("selfAttention", "norm.bias", norm.bias.shape, [dim]);
  }
  const weights = tf.split(qkv.weight, 3, 1);
  const biases = qkv.bias === undefined ? [] : tf.split(qkv.bias, 3, 0);
  const layers = weights.map((weight, part): LinearParameters => {
    const layer = { weight, bias: biases[part] };
    return norm === undefined ? layer : withNorm(norm, layer);
  }) as [LinearParameters, LinearParameters, LinearParameters];
  const scale = 1 / Math.sqrt(dim / heads);
  const rows = tf.reshape(x, [first * second, dim]);
  const normal =
    norm === undefined ? rows : normalizeRows(rows, { epsilon: norm.epsilon, readers: "centred" });
  const project = (weight: tf.Tensor, bias?: tf.Tensor): tf.Tensor =>
    tf.reshape(linear(normal, weight, bias), x.shape);
  const [query, key, value] = layers;
  const y = multiHeadAttention(
    project(times(query.weight, scale), query.bias && times(query.bias, scale)),
    project(key.weight),
    project(value.weight),
    heads,
    layout,
  );
  // The values' bias, left out above.
  if (output === undefined) {
    return value.bias === undefined ? y : tf.add(y, value.bias);
  }
  requireShape("selfAttention", "output.weight", output.weight.shape, [dim, -1]);
  return linear(y, output.weight, passedOn(value.bias, output));
}

/** The bias of an affine map whose input has one of its own: bias weight + own bias. */
function passedOn(
  inputBias: tf.Tensor | undefined,
  { weight, bias }: LinearParameters,
): tf.Tensor | undefined {
  if (inputBias === undefined) {
    return bias;
  }
  const passed = tf.reshape(linear(tf.reshape(inputBias, [1, -1]), weight), [-1]);
  return bias === undefined ? passed : tf.add(passed, bias);
}
