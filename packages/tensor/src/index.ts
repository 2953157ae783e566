/** @packageDocumentation
 *  The tensor contract, as types only: importing this entry loads nothing.
 *  Adapters are at `@lejepa/tensor/tfjs`, `@lejepa/tensor/jax` and `@lejepa/tensor/float64`, the error class at `@lejepa/tensor/error`,
 *  and the cases that an adapter has to pass at `@lejepa/tensor/conformance`. */
export type {
  Capability,
  GradientRule,
  MatMulOptions,
  ReducedAxes,
  Shape,
  TensorAdapter,
} from "./contract.js";
