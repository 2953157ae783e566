import { activate, type Activation, globalAveragePool, LejepaError } from "@lejepa/ops";
import * as tf from "@tensorflow/tfjs-core";
import type { Encoder } from "./encoder.js";
import { type ImageOptions, requireImages, requireWholeNumbers } from "./image-options.js";
import {
  constant,
  drawInitialValues,
  normal,
  type ParameterPlan,
  specsOf,
  torchDefault,
} from "./initial-value.js";
import { ForwardPass, layerNormPlan, linearPlan } from "./layers.js";

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
  const pool = options.pool ?? (classToken ? "token" : "mean");
  const hidden = Math.floor(dim * mlpRatio);
  const side = Math.floor(imageSize / patch);
  requireWholeNumbers(name, { imageSize, channels, patch, dim, depth, heads });
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

  return {
    name,
    imageSize,
    channels,
    dim,
    parameters: specsOf(plans),
    init: (seed) => drawInitialValues(plans, seed),
    apply: (parameters, images, { mode }) => {
      requireImages(name, images.shape, imageSize, channels);
      const pass = new ForwardPass(name, parameters, mode);
      const batch = images.shape[0];
      let x: tf.Tensor = pass.patchEmbed("patch_embed.proj", images); // [N, L, D]
      if (classToken) {
        const token = tf.tile(pass.parameter("cls_token"), [batch, 1, 1]);
        x = tf.concat([token, x], 1);
      }
      x = tf.add(x, pass.parameter("pos_embed"));
      for (let i = 0; i < depth; i++) {
        const block = `blocks.${i}`;
        const attended = pass.layerNorm(`${block}.norm1`, x, layerNormEpsilon);
        x = tf.add(x, pass.selfAttention(`${block}.attn`, attended, heads));
        const normalised = pass.layerNorm(`${block}.norm2`, x, layerNormEpsilon);
        const h = activate(pass.linear(`${block}.mlp.fc1`, normalised, "bias"), activation);
        x = tf.add(x, pass.linear(`${block}.mlp.fc2`, h, "bias"));
      }
      const tokens = pass.layerNorm("norm", x, layerNormEpsilon) as tf.Tensor3D;
      const embedding =
        pool === "token"
          ? tf.reshape<tf.Rank.R2>(tf.slice(tokens, [0, 0, 0], [batch, 1, dim]), [batch, dim])
          : globalAveragePool(
              classToken ? tf.slice(tokens, [0, 1, 0], [batch, tokenCount - 1, dim]) : tokens,
            );
      return { embedding, tokens, updates: pass.updates };
    },
  };
}
