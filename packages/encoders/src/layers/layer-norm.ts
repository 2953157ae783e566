import { constant, type ParameterPlan } from "../initial-value.js";

/** Scale 1 and shift 0 of a layer norm, which the layers of a transformer take into themselves. */
export const layerNormPlans = (dim: number): ParameterPlan[] => [
  { name: "weight", shape: [dim], role: "norm", initial: constant(1) },
  { name: "bias", shape: [dim], role: "norm", initial: constant(0) },
];
