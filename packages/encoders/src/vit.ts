import {
  type Activation,
  LejepaError,
  normalizeRows,
  oneOf,
  optional,
  positiveNumber,
  requireTensors,
  someText,
  wholeNumber,
} from "@lejepa/ops";
import * as tf from "@tensorflow/tfjs-core";
import type { Encoder } from "./encoder.js";
import {
  type ImageOptions,
  requireEncoderOptions,
  requireImages,
  requireWholeNumbers,
} from "./image-options.js";
import {
  constant,
  drawInitialValues,
  normal,
  type ParameterPlan,
  specsOf,
  torchDefault,
} from "./initial-value.js";
import { ForwardPass, shapesOf, layerNormPlan, linearPlan } from "./layers.js";

/** timm's epsilon for vision transformers; PyTorch's default of 1e-5 moves features by 3e-4. */
const layerNormEpsilon = 1e-6;

/** A vision transformer. */
export interface VitOptions extends ImageOptions {
  /** Name to give it. Default "vit". */
  readonly name?: string;
  /** Side of a patch in pixels. */
  readonly patch: number;
  /** D, the width of a token. */
  readonly dim: number;
  /** Number of blocks. */
  readonly depth: number;
  /** Heads of attention; divides `dim`. */
  readonly heads: number;
  /** Hidden width of a block's perceptron over `dim`. Default 4. */
  readonly mlpRatio?: number;
  /** Whether a learned class token precedes the patches. Default true. */
  readonly classToken?: boolean;
  /** Activation of the perceptrons. Default "gelu". */
  readonly activation?: Activation;
  /** The embedding: the class token, or the mean of the patch tokens. Default "token" with a class token. */
  readonly pool?: "token" | "mean";
}

/** Vision transformer (arXiv 2010.11929) as timm builds it: patches of the image, embedded linearly, behind the class
 *  token; + learned positions; then `depth` pre-norm blocks
 *    x <- x + attn(norm1(x)),   x <- x + fc2(activation(fc1(norm2(x))))
 *  and a last norm. With L = floor(H / patch) floor(W / patch) patches the position table is [1, L (+1), D].
 *  Initial values: linear layers and positions N(0, 0.02^2), class token N(0, 1e-12), biases 0, norms 1 and 0; the
 *  patch embedding keeps PyTorch's default for convolutions, weight and bias uniform within 1 / sqrt(fan in).
 *  Source: timm's vision_transformer.py as described by its golden values; checked in test/timm.test.ts.
 *  Throws LejepaError "bad-encoder-option". */
export function vit(options: VitOptions): Encoder {
  requireEncoderOptions("vit", options, {
    name: optional(someText),
    patch: wholeNumber(1),
    dim: wholeNumber(1),
    depth: wholeNumber(1),
    heads: wholeNumber(1),
    mlpRatio: optional(positiveNumber),
    classToken: optional({
      text: "true or false",
      accepts: (value) => typeof value === "boolean",
    }),
    activation: optional(oneOf(["relu", "gelu", "gelu_tanh", "quick_gelu", "silu"])),
    pool: optional(oneOf(["token", "mean"])),
  });
  const {
    name = "vit",
    imageSize = 224,
    channels = 3,
    patch,
    dim,
    depth,
    heads,
    mlpRatio = 4,
    classToken = true,
    activation = "gelu",
  } = options;
  requireWholeNumbers(name, { imageSize, channels });
  const pool = options.pool ?? (classToken ? "token" : "mean");
  const hidden = Math.floor(dim * mlpRatio);
  const side = Math.floor(imageSize / patch);

  requireWholeNumbers(name, { "imageSize / patch": side, "dim * mlpRatio": hidden });
  if (dim % heads !== 0) {
    throw new LejepaError(
      "bad-encoder-option",
      `${name}: heads should divide dim = ${dim}, got ${heads}.`,
    );
  }
  if (pool === "token" && !classToken) {
    throw new LejepaError(
      "bad-encoder-option",
      `${name}: pool "token" needs a class token; set classToken to true or pool to "mean".`,
    );
  }
  const prefix = classToken ? 1 : 0;
  const tokenCount = prefix + side * side;
  const patchPixels = patch * patch * channels;
  const weights = { weight: normal(0.02), bias: constant(0) };
  const plans: ParameterPlan[] = [
    ...(classToken
      ? [
          {
            name: "cls_token",
            shape: [1, 1, dim],
            role: "position",
            initial: normal(1e-6),
          } as const,
        ]
      : []),
    { name: "pos_embed", shape: [1, tokenCount, dim], role: "position", initial: normal(0.02) },
    {
      name: "patch_embed.proj.weight",
      shape: [patch, patch, channels, dim],
      role: "matrix",
      initial: torchDefault(patchPixels),
    },
    {
      name: "patch_embed.proj.bias",
      shape: [dim],
      role: "bias",
      initial: torchDefault(patchPixels),
    },
    ...Array.from({ length: depth }, (_, i) => `blocks.${i}`).flatMap((block) => [
      ...layerNormPlan(`${block}.norm1`, dim),
      ...linearPlan(`${block}.attn.qkv`, dim, 3 * dim, weights),
      ...linearPlan(`${block}.attn.proj`, dim, dim, weights),
      ...layerNormPlan(`${block}.norm2`, dim),
      ...linearPlan(`${block}.mlp.fc1`, dim, hidden, weights),
      ...linearPlan(`${block}.mlp.fc2`, hidden, dim, weights),
    ]),
    ...layerNormPlan("norm", dim),
  ];

  const shapes = shapesOf(plans);
  return {
    name,
    imageSize,
    channels,
    dim,
    parameters: specsOf(plans),
    init: (seed) => drawInitialValues(plans, seed),
    apply: (parameters, images, options) => {
      requireTensors(name, { images });
      requireImages(name, images.shape, imageSize, channels);
      const pass = new ForwardPass(name, shapes, parameters, options);
      const parts = inParts(images, tokenCount * hidden).map((part) => encode(pass, part));
      const joined = <T extends tf.Tensor>(of: (part: Encoded) => T): T =>
        parts.length === 1 ? of(parts[0]!) : tf.concat(parts.map(of), 0);
      return {
        embedding: joined(({ embedding }) => embedding),
        tokens: joined(({ tokens }) => tokens),
        updates: pass.updates,
      };
    },
  };

  function encode(pass: ForwardPass, images: tf.Tensor4D): Encoded {
    const batch = images.shape[0];
    // Token by token, [L, N, D]: an engine then reads the heads where they lie.
    let x: tf.Tensor = pass.patchEmbed("patch_embed.proj", images);
    if (classToken) {
      const token = tf.tile(pass.parameter("cls_token"), [1, batch, 1]);
      x = tf.concat([token, x], 0);
    }
    x = tf.add(x, tf.reshape(pass.parameter("pos_embed"), [tokenCount, 1, dim]));
    for (let i = 0; i < depth; i++) {
      const block = `blocks.${i}`;
      const norms = [`${block}.norm1`, `${block}.norm2`] as const;
      x = tf.add(x, pass.selfAttention(`${block}.attn`, norms[0], x, heads, layerNormEpsilon));
      x = tf.add(x, pass.mlp(`${block}.mlp`, norms[1], x, activation, layerNormEpsilon));
    }
    const rows = tf.reshape(x, [tokenCount * batch, dim]);
    const normal = tf.reshape(normalizeRows(rows, { epsilon: layerNormEpsilon, readers: "any" }), [
      tokenCount,
      batch,
      dim,
    ]);
    // Scale and shift of the last norm come after pooling, where there is less to scale.
    const affine = (t: tf.Tensor) =>
      tf.add(tf.mul(t, pass.parameter("norm.weight")), pass.parameter("norm.bias"));
    const pooled =
      pool === "token"
        ? tf.slice(normal, [0, 0, 0], [1, batch, dim])
        : tf.mean(tf.slice(normal, [prefix, 0, 0], [tokenCount - prefix, batch, dim]), 0);
    const embedding = affine(tf.reshape(pooled, [batch, dim])) as tf.Tensor2D;
    const tokens = tf.transpose(affine(normal), [1, 0, 2]) as tf.Tensor3D;
    return { embedding, tokens };
  }
}

interface Encoded {
  readonly embedding: tf.Tensor2D;
  readonly tokens: tf.Tensor3D;
}

/** Numbers in the hidden layer of one part of a batch: 8 MB of float32. */
const partSize = 2 ** 21;
/** More parts would cost more operations than they save. */
const mostParts = 8;

/** The images in equal parts, which go through the transformer one after the other: each is an image's own affair, and
 *  between operations on a part its activations stay in the processor's caches. On one thread a step of the reference
 *  model takes 327 µs for each of 4,096 images at once, 290 in parts of 512. */
function inParts(images: tf.Tensor4D, hiddenSize: number): tf.Tensor4D[] {
  const batch = images.shape[0];
  const wanted = Math.min(mostParts, Math.ceil((batch * hiddenSize) / partSize));
  let parts = wanted;
  while (parts < batch && batch % parts !== 0) parts++;
  return parts <= 1 || parts > 2 * wanted ? [images] : tf.split<tf.Tensor4D>(images, parts, 0);
}
