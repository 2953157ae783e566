import * as tf from "@tensorflow/tfjs-core";
import type { Sample, SampleInput } from "./sample.js";

/** Numbers spread over the range without pattern or repetition: multiples of the golden ratio. */
export function valuesOf(
  { shape, dtype, low = -2, high = 2, values }: SampleInput,
  seed: number,
): Float32Array | Int32Array {
  const size = shape.reduce((product, length) => product * length, 1);

  if (values) return dtype === "int32" ? Int32Array.from(values) : Float32Array.from(values);
  const golden = (Math.sqrt(5) - 1) / 2;
  return Float32Array.from(
    { length: size },
    (_, i) => low + (high - low) * (((i + 1) * golden + seed * 0.37) % 1),
  );
}

/** Kernels without a float32 result: nobody can ask for their gradients. */
const discrete = new Set([
  ...["ArgMax", "ArgMin", "Equal", "FloorDiv", "Greater", "GreaterEqual", "IsFinite", "IsInf"],
  ...["IsNan", "Less", "LessEqual", "NotEqual"],
]);

/** Whether the kernel's gradient is compared too. */
export const differentiable = (kernel: string, { inputs, valuesOnly }: Sample): boolean =>
  valuesOnly === undefined &&
  !discrete.has(kernel) &&
  tf.getGradient(kernel) != null &&
  inputs.some(({ dtype }) => dtype !== "int32");
