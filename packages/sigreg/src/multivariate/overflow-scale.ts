import type { TensorAdapter } from "@lejepa/tensor";
import { checkChoice } from "../refuse.js";

/** The option of statistics that grow exponentially with the squares of the samples. */
export interface ScaleOption {
  /** "linear" (default): the statistic S itself, which leaves the range of float32 on modest data. "log":
   *  `sign(S) log(1 + |S|)`, which does not, and has the same sign, order and minimum. */
  readonly scale?: "linear" | "log" | undefined;
}

/** Checks the option `scale` of test `where`. */
export function readScale(where: string, { scale = "linear" }: ScaleOption): "linear" | "log" {
  checkChoice(where, "scale", scale, ["linear", "log"]);
  return scale;
}

/** A statistic [B] that is computed as `S = exp(shift) part(shift)`, on the scale wanted.
 *  @param exponents [B, N, N], the largest exponents in it: on the log scale their maximum is the shift, and no other exponential is above 1.
 *  @param part The statistic [B] divided by exp(shift), for a shift [B, 1, 1] or the number 0. */
export function onScale<T>(
  k: TensorAdapter<T>,
  scale: "linear" | "log",
  exponents: T,
  part: (shift: T | 0) => T,
): T {
  if (scale === "linear") return part(0);
  const shift = k.maximum(k.max(exponents, [1, 2], "keep"), 0);
  const scaled = part(shift);
  const flat = k.reshape(shift, k.shape(scaled));
  const sign = k.sub(k.mul(k.greaterEqual(scaled, 0), 2), 1);
  // log(1 + |S|) = shift + log(exp(-shift) + |part|)
  const size = k.log(k.add(k.exp(k.neg(flat)), k.abs(scaled)));
  return k.mul(sign, k.add(flat, size));
}
