import { type Activation, mlp } from "@lejepa/ops";
import { layerNormPlans } from "./layer-norm.js";
import { type Layer, plansWithin } from "./layer.js";
import { type AffineInitial, linearPlans } from "./linear.js";

/** A perceptron with one hidden layer behind a layer norm. */
export interface PerceptronOptions {
  /** Names of the two: in a transformer's block they stand beside each other. */
  readonly names: readonly [norm: string, perceptron: string];
  /** D, the width of a token. */
  readonly dim: number;
  /** Width of the hidden layer. */
  readonly hidden: number;
  /** Of the hidden layer. */
  readonly activation: Activation;
  /** Added to the variance that the norm divides by. */
  readonly epsilon: number;
  /** Of the layers `fc1` and `fc2`. */
  readonly initial: Required<AffineInitial>;
}

/** y = fc2(activation(fc1(norm(x)))) as one operation: see `mlp` of `@lejepa/ops`.  Shapes: x [.., D] -> [.., D]. */
export function perceptron(options: PerceptronOptions): Layer {
  const { dim, hidden, activation, epsilon, initial } = options;
  const [norm, name] = options.names;
  return {
    plans: [
      ...plansWithin(norm, layerNormPlans(dim)),
      ...plansWithin(`${name}.fc1`, linearPlans(dim, hidden, initial)),
      ...plansWithin(`${name}.fc2`, linearPlans(hidden, dim, initial)),
    ],
    apply: (pass, x) =>
      mlp(
        x,
        {
          norm: { ...pass.affine(norm), epsilon },
          fc1: pass.affine(`${name}.fc1`),
          fc2: pass.affine(`${name}.fc2`),
        },
        activation,
      ),
  };
}
