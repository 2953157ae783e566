import type { Tensor } from "@tensorflow/tfjs-core";
import { contentsOf, type Layer } from "./layer.js";

/** The layer, whose result is the feature `name` of the model: an intermediate result that a caller may ask for.
 *  @param shown the result as callers get it, images or tokens first; made where it is asked for. Default: as it is */
export function feature(
  name: string,
  layer: Layer,
  shown: (y: Tensor) => Tensor = (y) => y,
): Layer {
  return {
    ...contentsOf(layer, { plans: [], features: [name] }),
    apply: (pass, x) => {
      const y = layer.apply(pass, x);
      pass.offer(name, () => shown(y));
      return y;
    },
  };
}
