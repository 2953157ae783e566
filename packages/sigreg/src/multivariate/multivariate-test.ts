import type { TensorAdapter } from "@lejepa/tensor";
import { checkAdapter, refuse, show } from "../refuse.js";
import { needWholeBatch } from "../whole-batch.js";

/** A statistic that says how far N samples of D numbers are from the standard normal distribution in D dimensions:
 *  x [..., N, D] -> [...]. Throws `shape-mismatch` when x has no such axes, or no entries along them, and `unsupported` on one
 *  process of several.
 *
 *  All of them compare every sample with every other: N² time and memory, which is why LeJEPA slices instead. */
export type MultivariateTest = <T>(adapter: TensorAdapter<T>, x: T) => T;

/** A test from its formula for a batch of sample sets.
 *  @param name For error messages.
 *  @param statistic [B, N, D] -> [B], with N and D at least 1. */
export function multivariateTest(
  name: string,
  statistic: <T>(adapter: TensorAdapter<T>, sets: T) => T,
): MultivariateTest {
  return (k, x) => {
    checkAdapter(name, k);
    const shape = k.shape(x);
    const [samples, dim] = shape.slice(-2);
    if (samples === undefined || dim === undefined || samples * dim === 0)
      refuse(
        "shape-mismatch",
        `${name}: x should have shape [..., N, D] with at least one sample and dimension, got ${show(shape)}.`,
      );
    needWholeBatch(name, k);
    const leading = shape.slice(0, -2);
    const sets = leading.reduce((product, size) => product * size, 1);
    return k.reshape(statistic(k, k.reshape(x, [sets, samples, dim])), leading);
  };
}
