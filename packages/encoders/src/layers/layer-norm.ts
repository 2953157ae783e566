import { constant } from "../initial-value.js";
import { type ParameterPlan, undecayedPlan } from "../parameter-plan.js";

/** Scale 1 and shift 0 of a layer norm, which the layers of a transformer take into themselves. */
export const layerNormPlans = (dim: number): ParameterPlan[] => [
  undecayedPlan("weight", [dim], constant(1)),
  undecayedPlan("bias", [dim], constant(0)),
];
