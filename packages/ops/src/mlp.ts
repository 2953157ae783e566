import { requireArgument, someObject } from "./check-argument.js";
import { requireTensors } from "./tensor-argument.js";
import * as tf from "@tensorflow/tfjs-core";
import { activate, type Activation, foldedGate, gated, someActivation } from "./activations.js";
import {
  type LayerNormParameters,
  layerNormLinear,
  type LinearParameters,
  requireLinear,
  requireNorm,
} from "./layer-norm.js";
import { linear } from "./linear.js";
import { badShape, requireShape } from "./shape.js";

/** Parameters of `mlp`. */
export interface MlpParameters {
  /** Normalisation ahead of the first layer; left out, there is none. */
  readonly norm?: LayerNormParameters | undefined;
  /** First layer, weight [D, H] and bias [H]. */
  readonly fc1: LinearParameters;
  /** Second layer, weight [H, O] and bias [O]. */
  readonly fc2: LinearParameters;
}

/** Perceptron with one hidden layer, the second half of a transformer block:
 *    y = activation(norm(x) fc1.weight + fc1.bias) fc2.weight + fc2.bias
 *  Shapes: x [.., D] -> [.., O], the hidden layer [.., H]. Every activation but ReLU is outer h(inner u) with
 *  h(u) = u g(u) for some gate g; the two factors go into the weights, and the norm with them, so that no pass over the
 *  hidden layer multiplies by a constant. Throws LejepaError "bad-shape". */
export function mlp(x: tf.Tensor, parameters: MlpParameters, activation: Activation): tf.Tensor {
  requireTensors("mlp", { x });
  requireArgument("mlp", "parameters", parameters, someObject);
  const { norm, fc1, fc2 } = parameters;
  if (norm !== undefined) requireNorm("mlp", "norm", norm);
  requireLinear("mlp", "fc1", fc1);
  requireLinear("mlp", "fc2", fc2);
  requireArgument("mlp", "activation", activation, someActivation);
  if (fc1.weight.shape.length !== 2) {
    throw badShape({
      op: "mlp",
      argument: "fc1.weight",
      expected: "[D, H]",
      got: fc1.weight.shape,
    });
  }
  requireShape("mlp", "fc2.weight", fc2.weight.shape, [fc1.weight.shape[1], -1]);
  const folded = foldedGate[activation];
  const first = folded === undefined ? fc1 : scaled(fc1, folded.inner);
  const u =
    norm === undefined
      ? linear(x, first.weight, first.bias)
      : (layerNormLinear(x, norm, [first])[0] as tf.Tensor);
  return folded === undefined
    ? linear(activate(u, activation), fc2.weight, fc2.bias)
    : linear(gated(u, folded.gate), times(fc2.weight, folded.outer), fc2.bias);
}

const times = (t: tf.Tensor, factor: number): tf.Tensor => (factor === 1 ? t : tf.mul(t, factor));

const scaled = ({ weight, bias }: LinearParameters, factor: number): LinearParameters => ({
  weight: times(weight, factor),
  bias: bias && times(bias, factor),
});
