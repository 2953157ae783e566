/** Updates of parameters that @lejepa/ops has as one kernel. */
import type { AdamwConstants, AdamwInputs } from "@lejepa/ops";
import { kernel } from "./kernel.js";

export const optimizer = {
  // The scalars of several updates are one: common subexpressions.
  LejepaAdamw: kernel<Record<keyof AdamwInputs, never>, AdamwConstants>(
    (
      { parameter, mean, square, gradient, learningRate, correction1, correction2 },
      { beta1, beta2, epsilon, weightDecay },
      g,
    ) => {
      const root = g.unary("Sqrt", correction2);
      const stepSize = g.div(g.mul(learningRate, root), correction1);
      const mix = (old: typeof mean, next: typeof mean, rate: number) =>
        g.add(g.mul(old, g.uniform(rate)), g.mul(next, g.uniform(1 - rate)));
      const nextMean = mix(mean, gradient, beta1);
      const nextSquare = mix(square, g.mul(gradient, gradient), beta2);
      const denominator = g.add(g.unary("Sqrt", nextSquare), g.mul(root, g.uniform(epsilon)));
      const change = g.mul(g.div(nextMean, denominator), stepSize);
      const decay = g.sub(g.uniform(1), g.mul(learningRate, g.uniform(weightDecay)));
      const kept = weightDecay === 0 ? parameter : g.mul(parameter, decay);
      return [g.sub(kept, change), nextMean, nextSquare];
    },
  ),
};
