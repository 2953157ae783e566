import { selfAttention as attend } from "@lejepa/ops";
import { layerNormPlans } from "./layer-norm.js";
import { type Layer, plansWithin } from "./layer.js";
import { type AffineInitial, linearPlans } from "./linear.js";

/** Multi-head self-attention behind a layer norm. */
export interface SelfAttentionOptions {
  /** Names of the two: in a transformer's block they stand beside each other. */
  readonly names: readonly [norm: string, attention: string];
  /** D, the width of a token. */
  readonly dim: number;
  /** Heads; divides D. */
  readonly heads: number;
  /** Added to the variance that the norm divides by. */
  readonly epsilon: number;
  /** Of the projections `qkv` and `proj`. */
  readonly initial: Required<AffineInitial>;
}

/** y = proj(attention(qkv(norm(x)))) as one operation: see `selfAttention` of `@lejepa/ops`.
 *  Shapes: tokens [L, N, D] -> [L, N, D], token by token, so that an engine reads the heads where they lie. */
export function selfAttention(options: SelfAttentionOptions): Layer {
  const { dim, heads, epsilon, initial } = options;
  const [norm, attention] = options.names;
  return {
    plans: [
      ...plansWithin(norm, layerNormPlans(dim)),
      ...plansWithin(`${attention}.qkv`, linearPlans(dim, 3 * dim, initial)),
      ...plansWithin(`${attention}.proj`, linearPlans(dim, dim, initial)),
    ],
    apply: (pass, x) =>
      attend(x, pass.affine(`${attention}.qkv`), heads, {
        norm: { ...pass.affine(norm), epsilon },
        output: pass.affine(`${attention}.proj`),
        layout: "LND",
      }),
  };
}
