/** Updates of parameters that @lejepa/ops has as one kernel. */
import type { AdamwConstants, AdamwInputs } from "@lejepa/ops";
import type { Value } from "../graph/graph.js";
import type { OnnxBuilder } from "../onnx/builder.js";
import { kernel } from "./kernel.js";

/** What an update has besides its moments m' and v': p' = kept - stepSize m' / (sqrt(v') + epsilon). The scalars of
 *  several updates are one: common subexpressions. */
export function adamwTerms(
  g: OnnxBuilder,
  {
    parameter,
    learningRate,
    correction1,
    correction2,
  }: Readonly<Record<"parameter" | "learningRate" | "correction1" | "correction2", Value>>,
  { epsilon, weightDecay }: Pick<AdamwConstants, "epsilon" | "weightDecay">,
): { readonly stepSize: Value; readonly epsilon: Value; readonly kept: Value } {
  const root = g.unary("Sqrt", correction2);
  const decay = g.sub(g.uniform(1), g.mul(learningRate, g.uniform(weightDecay)));
  return {
    stepSize: g.div(g.mul(learningRate, root), correction1),
    epsilon: g.mul(root, g.uniform(epsilon)),
    kept: weightDecay === 0 ? parameter : g.mul(parameter, decay),
  };
}

export const optimizer = {
  LejepaAdamw: kernel<Record<keyof AdamwInputs, never>, AdamwConstants>(
    ({ mean, square, gradient, ...operands }, { beta1, beta2, epsilon, weightDecay }, g) => {
      const terms = adamwTerms(g, operands, { epsilon, weightDecay });
      const mix = (old: Value, next: Value, rate: number) =>
        g.add(g.mul(old, g.uniform(rate)), g.mul(next, g.uniform(1 - rate)));
      const nextMean = mix(mean, gradient, beta1);
      const nextSquare = mix(square, g.mul(gradient, gradient), beta2);
      const denominator = g.add(g.unary("Sqrt", nextSquare), terms.epsilon);
      const change = g.mul(g.div(nextMean, denominator), terms.stepSize);
      return [g.sub(terms.kept, change), nextMean, nextSquare];
    },
  ),
};
