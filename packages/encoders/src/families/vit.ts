import {
  type Activation,
  LejepaError,
  normalizeRows,
  oneOf,
  optional,
  patchEmbed,
  positiveNumber,
  someBoolean,
  someText,
  wholeNumber,
} from "@lejepa/ops";
import * as tf from "@tensorflow/tfjs-core";
import { wholePatches } from "../accepted-sizes.js";
import { defineEncoder, type Embedded } from "../define-encoder.js";
import type { Encoder } from "../encoder.js";
import {
  type ImageOptions,
  requireEncoderOptions,
  requireWholeNumbers,
  someDropPath,
} from "../image-options.js";
import { constant, normal, torchDefault } from "../initial-value.js";
import { layerNormPlans } from "../layers/layer-norm.js";
import { dropPath, dropPathRates } from "../layers/drop-path.js";
import { feature } from "../layers/feature.js";
import { type Layer, named } from "../layers/layer.js";
import { perceptron } from "../layers/perceptron.js";
import { resampledPositions } from "../layers/resampled-positions.js";
import { residual } from "../layers/residual.js";
import { selfAttention } from "../layers/self-attention.js";
import { followedBy, sequence } from "../layers/sequence.js";
import { undecayedPlan, weightPlan } from "../parameter-plan.js";
import { inParts } from "./in-parts.js";

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
  /** Share of the images for which the last block is dropped in training, from 0 to below 1; the blocks before have less,
   *  in equal steps down to 0 at the first. Default 0. */
  readonly dropPath?: number;
  /** The embedding: the class token, or the mean of the patch tokens. Default "token" with a class token. */
  readonly pool?: "token" | "mean";
}

/** Vision transformer (arXiv 2010.11929) as timm builds it: patches of the image, embedded linearly, behind the class
 *  token; + learned positions; then `depth` pre-norm blocks
 *    x <- x + attn(norm1(x)),   x <- x + fc2(activation(fc1(norm2(x))))
 *  and a last norm. With L = floor(S / patch)^2 patches of images of side S the position table is [1, L (+1), D].
 *  Images of other multiples of the patch, square or not, are accepted too: the table is resampled to their grid, see
 *  `resampledPositions`, within the step, so that its gradient arrives.
 *  Draws, where `dropPath` is above 0: "blocks.1.drop_path1", "blocks.1.drop_path2", "blocks.2.drop_path1", ...
 *  Features: "blocks.0", "blocks.1", ..., tokens ahead of the last norm.
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
    classToken: optional(someBoolean),
    activation: optional(oneOf(["relu", "gelu", "gelu_tanh", "quick_gelu", "silu"])),
    dropPath: optional(someDropPath),
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
    dropPath: dropped = 0,
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
  const rates = dropPathRates(dropped, depth);
  const network = followedBy(
    sequence(
      patchTokens({ patch, channels, dim, prefix, side }),
      ...Array.from({ length: depth }, (_, i) =>
        feature(
          `blocks.${i}`,
          named(`blocks.${i}`, block({ dim, heads, hidden, activation, rate: rates[i] as number })),
          (x) => tf.transpose(x, [1, 0, 2]),
        ),
      ),
    ),
    named("norm", normAndPool(dim, prefix, pool)),
  );
  const hiddenSize = (height: number, width: number) =>
    (prefix + Math.floor(height / patch) * Math.floor(width / patch)) * hidden;
  return defineEncoder(
    { name, imageSize, channels, dim, sizes: wholePatches(patch, imageSize) },
    inParts(network, hiddenSize),
  );
}

/** Images [N, H, W, C] as tokens [L, N, D], token by token: an engine then reads the heads where they lie. */
function patchTokens({
  patch,
  channels,
  dim,
  prefix,
  side,
}: {
  readonly patch: number;
  readonly channels: number;
  readonly dim: number;
  /** Class tokens: one or none. */
  readonly prefix: number;
  /** Patches each way that the table of positions is made for. */
  readonly side: number;
}): Layer {
  const initial = torchDefault(patch * patch * channels);
  return {
    plans: [
      ...(prefix > 0 ? [undecayedPlan("cls_token", [1, 1, dim], normal(1e-6))] : []),
      undecayedPlan("pos_embed", [1, prefix + side * side, dim], normal(0.02)),
      weightPlan("patch_embed.proj.weight", "conv", [patch, patch, channels, dim], initial),
      undecayedPlan("patch_embed.proj.bias", [dim], initial),
    ],
    apply: (pass, images) => {
      const { weight, bias } = pass.affine("patch_embed.proj");
      let x: tf.Tensor = patchEmbed(images as tf.Tensor4D, weight, bias, "LND");
      if (prefix > 0)
        x = tf.concat([tf.tile(pass.parameter("cls_token"), [1, images.shape[0], 1]), x], 0);
      const [, height, width] = images.shape as [number, number, number];
      const grid = [Math.floor(height / patch), Math.floor(width / patch)] as const;
      const table = pass.parameter("pos_embed");
      const positions = resampledPositions(table, prefix, [side, side], grid);
      return tf.add(x, tf.reshape(positions, [-1, 1, dim]));
    },
  };
}

/** x <- x + attn(norm1(x)),  x <- x + mlp(norm2(x))  of tokens [L, N, D], either sum without its branch for a share `rate`
 *  of the images. */
function block({
  dim,
  heads,
  hidden,
  activation,
  rate,
}: {
  readonly dim: number;
  readonly heads: number;
  readonly hidden: number;
  readonly activation: Activation;
  readonly rate: number;
}): Layer {
  const common = {
    dim,
    epsilon: layerNormEpsilon,
    initial: { weight: normal(0.02), bias: constant(0) },
  };
  return sequence(
    residual(
      sequence(
        selfAttention({ names: ["norm1", "attn"], heads, ...common }),
        dropPath("drop_path1", rate, "second"),
      ),
    ),
    residual(
      sequence(
        perceptron({ names: ["norm2", "mlp"], hidden, activation, ...common }),
        dropPath("drop_path2", rate, "second"),
      ),
    ),
  );
}

/** The last norm of tokens [L, N, D], and the embedding that is pooled from them. */
function normAndPool(
  dim: number,
  prefix: number,
  pool: "token" | "mean",
): Layer<tf.Tensor, Required<Embedded>> {
  return {
    plans: layerNormPlans(dim),
    apply: (pass, x) => {
      const [tokenCount, batch] = x.shape as [number, number];
      const rows = tf.reshape(x, [tokenCount * batch, dim]);
      const normal = tf.reshape(
        normalizeRows(rows, { epsilon: layerNormEpsilon, readers: "any" }),
        [tokenCount, batch, dim],
      );
      // Scale and shift come after pooling, where there is less to scale.
      const affine = (t: tf.Tensor) =>
        tf.add(tf.mul(t, pass.parameter("weight")), pass.parameter("bias"));
      const pooled =
        pool === "token"
          ? tf.slice(normal, [0, 0, 0], [1, batch, dim])
          : tf.mean(tf.slice(normal, [prefix, 0, 0], [tokenCount - prefix, batch, dim]), 0);
      const embedding = affine(tf.reshape(pooled, [batch, dim])) as tf.Tensor2D;
      const tokens = tf.transpose(affine(normal), [1, 0, 2]) as tf.Tensor3D;
      return { embedding, tokens };
    },
  };
}
