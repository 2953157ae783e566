import {
  batchNorm as normalise,
  type BatchNormParameters,
  type BatchStatistics,
} from "@lejepa/ops";
import { constant } from "../initial-value.js";
import { bufferPlan, type ParameterPlan, undecayedPlan } from "../parameter-plan.js";
import type { ForwardPass } from "./forward-pass.js";
import type { Layer } from "./layer.js";

/** Batch normalisation over all axes but the last, with PyTorch's conventions: see `batchNorm` of `@lejepa/ops`. */
export function batchNorm(channels: number): Layer {
  return {
    plans: batchNormPlans(channels),
    apply: (pass, x) => {
      const { weight, bias, running } = normParameters(pass);
      const { y, updates } = normalise(x, weight, bias, running, { mode: pass.mode });
      keepStatistics(pass, updates);
      return y;
    },
  };
}

/** Scale (1, unless a residual branch is to start at zero), shift 0, running mean 0 and variance 1. */
export function batchNormPlans(channels: number, scale = 1): ParameterPlan[] {
  const shape = [channels];
  return [
    undecayedPlan("weight", shape, constant(scale)),
    undecayedPlan("bias", shape, constant(0)),
    bufferPlan("running_mean", shape, 0),
    bufferPlan("running_var", shape, 1),
  ];
}

/** The parameters of `batchNormPlans`. */
export const normParameters = (pass: ForwardPass): BatchNormParameters => ({
  ...pass.affine(),
  running: { mean: pass.parameter("running_mean"), variance: pass.parameter("running_var") },
});

/** In training hands the new running statistics on. */
export function keepStatistics(pass: ForwardPass, { mean, variance }: BatchStatistics): void {
  if (pass.mode === "eval") return;
  pass.update("running_mean", mean);
  pass.update("running_var", variance);
}
