import { dropPath as drop } from "@lejepa/ops";
import * as tf from "@tensorflow/tfjs-core";
import { type Layer, operation } from "./layer.js";

/** Stochastic depth at the end of a residual branch: in training the branch is dropped for a share `rate` of the images and
 *  scaled by 1 / (1 - rate) for the others, see `dropPath` of `@lejepa/ops`; in evaluation it is left as it is.
 *  Its draws, one for each image, are an input of the pass by the layer's name: a step draws no numbers.
 *  @param images the axis of x that counts images: maps are [N, H, W, C], tokens in blocks [L, N, D] */
export function dropPath(name: string, rate: number, images: "first" | "second"): Layer {
  if (rate === 0) return operation((x) => x);
  const keep = 1 - rate;
  return {
    plans: [],
    draws: [name],
    apply: (pass, x) => {
      if (pass.mode === "eval") return x;
      const count = x.shape[images === "first" ? 0 : 1] as number;
      const draws = pass.draws(name, count);
      return images === "first"
        ? drop(x, draws, keep)
        : tf.mul(x, drop(tf.ones([count, 1]), draws, keep));
    },
  };
}

/** The rate of each of `count` branches: from 0 at the first to `rate` at the last in equal steps, as timm has it. */
export const dropPathRates = (rate: number, count: number): readonly number[] =>
  Array.from({ length: count }, (_, i) => (count === 1 ? 0 : (rate * i) / (count - 1)));
