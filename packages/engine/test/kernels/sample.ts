import type * as tf from "@tensorflow/tfjs-core";

/** One operand: float32 numbers spread over [low, high] unless `values` gives them. */
export interface SampleInput {
  readonly shape: readonly number[];
  readonly dtype?: "float32" | "int32";
  readonly low?: number;
  readonly high?: number;
  readonly values?: readonly number[];
}

/** A call that reaches a kernel. */
export interface Sample {
  /** What is special about it. */
  readonly title: string;
  readonly inputs: readonly SampleInput[];
  readonly run: (...inputs: tf.Tensor[]) => tf.Tensor | tf.Tensor[];
  /** Largest difference allowed, relative to max(1, |expected|); 1e-5 when left out. */
  readonly tolerance?: number;
  /** Why only values are compared, where tfjs does have a gradient for the kernel. */
  readonly valuesOnly?: string;
}
