import { linear as product } from "@lejepa/ops";
import type { InitialValue } from "../initial-value.js";
import { type ParameterPlan, undecayedPlan, weightPlan } from "../parameter-plan.js";
import type { Layer } from "./layer.js";

/** Initial values of a linear layer: of its weight, and of its bias where it has one. */
export interface AffineInitial {
  readonly weight: InitialValue;
  readonly bias?: InitialValue;
}

/** y = x weight + bias.  Shapes: x [.., inputs] -> [.., outputs]. Without an initial value for the bias there is none. */
export function linear(inputs: number, outputs: number, initial: AffineInitial): Layer {
  const hasBias = initial.bias !== undefined;
  return {
    plans: linearPlans(inputs, outputs, initial),
    apply: (pass, x) =>
      product(x, pass.parameter("weight"), hasBias ? pass.parameter("bias") : undefined),
  };
}

/** Weight [inputs, outputs] and, where it has an initial value, bias [outputs], for layers that are linear in part. */
export function linearPlans(
  inputs: number,
  outputs: number,
  { weight, bias }: AffineInitial,
): ParameterPlan[] {
  return [
    weightPlan("weight", "linear", [inputs, outputs], weight),
    ...(bias === undefined ? [] : [undecayedPlan("bias", [outputs], bias)]),
  ];
}
