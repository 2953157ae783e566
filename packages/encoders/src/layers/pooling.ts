import { globalAveragePool, maxPool2d, type MaxPoolOptions } from "@lejepa/ops";
import type { Tensor4D } from "@tensorflow/tfjs-core";
import { type Layer, operation } from "./layer.js";

/** Largest value of each window: [N, H, W, C] -> [N, H', W', C]. */
export const maxPool = (options: MaxPoolOptions): Layer =>
  operation((x: Tensor4D) => maxPool2d(x, options));

/** Mean over all positions: [N, H, W, C] or [N, L, C] -> [N, C]. */
export const meanPool = (): Layer => operation(globalAveragePool);
