import * as tf from "@tensorflow/tfjs-core";
import { contentsOf, type Layer } from "./layer.js";

/** What a residual connection adds, and what comes behind the sum. */
export interface ResidualOptions {
  /** Applied to x on its way around the branch, where the shapes differ; its parameters come last. Default: x itself. */
  readonly shortcut?: Layer | undefined;
  /** Applied to the sum. Default "none". */
  readonly activation?: "relu" | "none";
}

/** y = activation(branch(x) + shortcut(x)), as one operation with the branch's last layer where that can. */
export function residual(branch: Layer, options: ResidualOptions = {}): Layer {
  const { shortcut, activation = "none" } = options;
  return {
    ...contentsOf(branch, ...(shortcut === undefined ? [] : [shortcut])),
    apply: (pass, x) => {
      const around = shortcut === undefined ? x : shortcut.apply(pass, x);
      if (branch.applyAndAdd !== undefined) return branch.applyAndAdd(pass, x, around, activation);
      const sum = tf.add(around, branch.apply(pass, x));
      return activation === "relu" ? tf.relu(sum) : sum;
    },
  };
}
