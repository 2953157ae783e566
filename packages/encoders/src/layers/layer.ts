import type { Tensor } from "@tensorflow/tfjs-core";
import type { ParameterPlan } from "../parameter-plan.js";
import type { ForwardPass } from "./forward-pass.js";

/** A layer as a value: its parameters and its application, written once and side by side. Built from options alone, so
 *  that the shapes of a model are known before it runs; it holds no tensor.
 *  Images are [N, H, W, C]; what X and Y are is the layer's own affair otherwise. */
export interface Layer<X extends Tensor = Tensor, Y = Tensor> {
  /** Its parameters in the order of timm's `state_dict`, by names of its own: "weight", "attn.qkv.bias". */
  readonly plans: readonly ParameterPlan[];
  /** Names of the random numbers that it takes in training, a tensor [N] each, uniform in [0, 1). */
  readonly draws?: readonly string[];
  /** Names of intermediate results that it hands out where a caller asks for them: see `feature`. */
  readonly features?: readonly string[];
  /** Its result for x. It takes its parameters from the pass, which knows where in the model it stands. */
  apply(pass: ForwardPass, x: X): Y;
  /** activation(apply(x) + addend), by a layer that has this as one operation. `residual` asks for it. */
  applyAndAdd?(this: void, pass: ForwardPass, x: X, addend: Tensor, activation: "relu" | "none"): Y;
}

/** A layer within another one, under a name where its parameters have one in common: ["conv1", layer]. */
export type Child = Layer | readonly [name: string, layer: Layer];

/** The layer as a part of another: "weight" becomes "NAME.weight". */
export function named<X extends Tensor, Y>(name: string, layer: Layer<X, Y>): Layer<X, Y> {
  const { applyAndAdd } = layer;
  return {
    ...contentsWithin(name, layer),
    apply: (pass, x) => layer.apply(pass.within(name), x),
    ...(applyAndAdd && {
      applyAndAdd: (pass, ...rest) => applyAndAdd(pass.within(name), ...rest),
    }),
  };
}

/** What layers have that a model lists. */
type Contents = Pick<Layer, "plans" | "draws" | "features">;

/** All that layers have, of which a layer consists. */
export const contentsOf = (...layers: readonly Contents[]): Contents => ({
  plans: layers.flatMap(({ plans }) => plans),
  draws: layers.flatMap(({ draws = [] }) => draws),
  features: layers.flatMap(({ features = [] }) => features),
});

/** What a layer has, by the names outside of it. */
const contentsWithin = (name: string, layer: Contents): Contents => ({
  plans: plansWithin(name, layer.plans),
  draws: (layer.draws ?? []).map((draw) => `${name}.${draw}`),
  features: (layer.features ?? []).map((feature) => `${name}.${feature}`),
});

/** Plans by the names that they have outside of the layer `name`. */
export const plansWithin = (name: string, plans: readonly ParameterPlan[]): ParameterPlan[] =>
  plans.map((plan) => ({ ...plan, name: `${name}.${plan.name}` }));

/** A layer without parameters. */
export const operation = <X extends Tensor, Y>(compute: (x: X) => Y): Layer<X, Y> => ({
  plans: [],
  apply: (_pass, x) => compute(x),
});
