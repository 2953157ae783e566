/** Where the Epps-Pulley integral looks at the characteristic function, and with which weights.
 *
 *  The integrand |phi(t) - exp(-t²/2)|² exp(-t²/2) is even, so only knots above 0 are kept, each counted for both signs;
 *  at t = 0 both characteristic functions are 1. */
import { gaussHermite } from "./gauss-hermite.js";

/** A rule for equally spaced knots: "trapezoid", or "simpson", which needs an odd number of them. */
export type CompositeRule = "trapezoid" | "simpson";

/** Knots t_j above 0 with their weights. */
export interface Quadrature {
  /** t_j. */
  readonly knots: readonly number[];
  /** For each knot exp(-t²/2), the characteristic function of N(0, 1). */
  readonly targets: readonly number[];
  /** For each knot its weight in the integral over the whole line: rule times exp(-t²/2), both signs of t counted. */
  readonly weights: readonly number[];
  /** Where the knots are equally spaced: t_j = harmonics[j] * step with positive integers. */
  readonly spacing?: { readonly step: number; readonly harmonics: readonly number[] };
}

/** `points` knots on [0, tMax], doubled. */
export function halfRangeQuadrature(rule: CompositeRule, tMax: number, points: number): Quadrature {
  const step = tMax / (points - 1);
  const shares = compositeShares(rule, points).slice(1);
  return equallySpaced(
    step,
    shares.map((_, j) => j + 1),
    shares.map((share) => 2 * step * share),
  );
}

/** `points` knots on [-tMax, tMax]. For an even number of them they lie at odd multiples of half their distance. */
export function fullRangeQuadrature(rule: CompositeRule, tMax: number, points: number): Quadrature {
  const distance = (2 * tMax) / (points - 1);
  const even = points % 2 === 0;
  const first = even ? points / 2 : (points + 1) / 2;
  const shares = compositeShares(rule, points).slice(first);
  return equallySpaced(
    even ? distance / 2 : distance,
    shares.map((_, j) => (even ? 2 * j + 1 : j + 1)),
    shares.map((share) => 2 * distance * share),
  );
}

/** The Gauss-Hermite rule with `points` knots on the whole line, exact where the squared difference is a polynomial of
 *  degree below 2 * points. */
export function gaussHermiteQuadrature(points: number): Quadrature {
  const { knots, weights } = gaussHermite(points);
  return {
    knots,
    targets: knots.map(normalCharacteristic),
    weights: weights.map((weight) => 2 * weight),
  };
}

/** Weights of the composite rule over all its knots, in units of their distance. */
function compositeShares(rule: CompositeRule, points: number): number[] {
  const isEnd = (i: number) => i === 0 || i === points - 1;
  return Array.from({ length: points }, (_, i) => {
    if (rule === "trapezoid") return isEnd(i) ? 1 / 2 : 1;
    return isEnd(i) ? 1 / 3 : i % 2 === 1 ? 4 / 3 : 2 / 3;
  });
}

function equallySpaced(
  step: number,
  harmonics: readonly number[],
  shares: readonly number[],
): Quadrature {
  const knots = harmonics.map((harmonic) => harmonic * step);
  const targets = knots.map(normalCharacteristic);
  return {
    knots,
    targets,
    weights: shares.map((share, j) => share * (targets[j] as number)),
    spacing: { step, harmonics },
  };
}

function normalCharacteristic(t: number): number {
  return Math.exp((-t * t) / 2);
}
