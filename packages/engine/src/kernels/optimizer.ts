/** Updates of parameters that @lejepa/ops has as one kernel. */
import type { AdamwConstants, AdamwInputs } from "@lejepa/ops";
import type { GraphBuilder } from "../graph/builder.js";
import type { Value } from "../graph/graph.js";
import { kernel } from "./kernel.js";

type Scalars = Readonly<Record<"stepSize" | "epsilon" | "decay", Value>>;

/** What an update has besides its moments m' and v': p' = decay p - stepSize (m' / (sqrt(v') + epsilon)). The scalars of
 *  several updates are one: common subexpressions. */
export function adamwScalars(
  g: GraphBuilder,
  {
    learningRate,
    correction1,
    correction2,
  }: Readonly<Record<"learningRate" | "correction1" | "correction2", Value>>,
  { epsilon, weightDecay }: Pick<AdamwConstants, "epsilon" | "weightDecay">,
): Scalars {
  const root = g.unary("Sqrt", correction2);
  return {
    stepSize: g.div(g.mul(learningRate, root), correction1),
    epsilon: g.mul(root, g.uniform(epsilon)),
    decay:
      weightDecay === 0
        ? g.uniform(1)
        : g.sub(g.uniform(1), g.mul(learningRate, g.uniform(weightDecay))),
  };
}

/** An update as the dozen operations that it is composed of. */
export function composedAdamw(
  g: GraphBuilder,
  {
    parameter,
    mean,
    square,
    gradient,
  }: Readonly<Record<"parameter" | "mean" | "square" | "gradient", Value>>,
  { stepSize, epsilon, decay }: Scalars,
  { beta1, beta2 }: Pick<AdamwConstants, "beta1" | "beta2">,
): [parameter: Value, mean: Value, square: Value] {
  const mix = (old: Value, next: Value, rate: number) =>
    g.add(g.mul(old, g.uniform(rate)), g.mul(next, g.uniform(1 - rate)));
  const nextMean = mix(mean, gradient, beta1);
  const nextSquare = mix(square, g.mul(gradient, gradient), beta2);
  const denominator = g.add(g.unary("Sqrt", nextSquare), epsilon);
  const change = g.mul(g.div(nextMean, denominator), stepSize);
  return [g.sub(g.mul(parameter, decay), change), nextMean, nextSquare];
}

export const optimizer = {
  LejepaAdamw: kernel<Record<keyof AdamwInputs, never>, AdamwConstants>(
    (
      { parameter, mean, square, gradient, ...operands },
      { epsilon, weightDecay, beta1, beta2 },
      g,
    ) =>
      composedAdamw(
        g,
        { parameter, mean, square, gradient },
        adamwScalars(g, operands, { epsilon, weightDecay }),
        { beta1, beta2 },
      ),
  ),
};
