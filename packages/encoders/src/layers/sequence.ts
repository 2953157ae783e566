import type { Tensor } from "@tensorflow/tfjs-core";
import { type Child, contentsOf, type Layer, named } from "./layer.js";

/** One layer after the other: y = last(.. second(first(x))); y = x without any. Its parameters are those of each in turn. */
export function sequence(...children: readonly Child[]): Layer {
  const layers = children.map((child) => ("apply" in child ? child : named(...child)));
  return layers.length === 0
    ? { plans: [], apply: (_pass, x) => x }
    : layers.reduce((first, second) => followedBy(first, second));
}

/** second(first(x)), where the second may make something else than a tensor. */
export function followedBy<X extends Tensor, Y>(
  first: Layer<X>,
  second: Layer<Tensor, Y>,
): Layer<X, Y> {
  const { applyAndAdd } = second;
  return {
    ...contentsOf(first, second),
    apply: (pass, x) => second.apply(pass, first.apply(pass, x)),
    ...(applyAndAdd && {
      applyAndAdd: (pass, x, ...rest) => applyAndAdd(pass, first.apply(pass, x), ...rest),
    }),
  };
}
