import type { HostTensors, Tensors } from "@lejepa/ops";
import type { Tensor } from "@tensorflow/tfjs-core";
import type { ApplyOptions, ParameterSpec } from "./encoder.js";
import { drawInitialValues } from "./initial-value.js";
import { ForwardPass } from "./layers/forward-pass.js";
import type { Layer } from "./layers/layer.js";
import { specsOf } from "./parameter-plan.js";

/** A layer as pure functions of parameters by their full names: what encoders and projectors are made of. */
export interface Model<X extends Tensor, Y> {
  /** Every parameter and buffer, in order. */
  readonly parameters: readonly ParameterSpec[];
  /** The random numbers that it takes in training: a tensor for each name, of one number for each row of x. */
  readonly draws: readonly string[];
  /** The intermediate results that `options.features` may ask for. */
  readonly features: readonly string[];
  /** Initial values of all of them, a function of the seed and each name alone. */
  readonly init: (seed: number) => HostTensors;
  /** The layer's result for x, with new values of the buffers and the features that were asked for, by name.
   *  @throws LejepaError "missing-parameter", "missing-draws", "bad-shape" and "unknown-feature" */
  readonly run: (
    parameters: Tensors,
    x: X,
    options: ApplyOptions,
  ) => { readonly result: Y; readonly updates: Tensors; readonly features: Tensors };
}

/** The model that consists of this layer. `name` stands in the messages of its errors. */
export function defineModel<X extends Tensor, Y>(name: string, layer: Layer<X, Y>): Model<X, Y> {
  const { plans, draws = [], features = [] } = layer;
  const shapes = new Map(plans.map(({ name, shape }) => [name, shape]));
  return {
    parameters: specsOf(plans),
    draws,
    features,
    init: (seed) => drawInitialValues(plans, seed),
    run: (parameters, x, options) => {
      const pass = ForwardPass.begin({ owner: name, shapes, features }, parameters, options);
      const result = layer.apply(pass, x);
      return { result, updates: pass.updates, features: pass.features };
    },
  };
}
