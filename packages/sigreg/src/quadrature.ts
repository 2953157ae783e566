/** Where the Epps-Pulley integral looks at the characteristic function, and with which weights. */

/** Equally spaced knots t_j = harmonic_j * step, t = 0 left out (there both characteristic functions are 1). */
export interface Quadrature {
  /** Distance of neighbouring harmonics in t. */
  readonly step: number;
  /** For each knot its harmonic: a positive integer. */
  readonly harmonics: readonly number[];
  /** For each knot exp(-t²/2), the characteristic function of N(0, 1). */
  readonly targets: readonly number[];
  /** For each knot its weight in the integral over the whole line: rule times exp(-t²/2), both signs of t counted. */
  readonly weights: readonly number[];
}

/** Trapezium rule on [0, tMax] with `points` knots, doubled because the integrand is even. */
export function halfRangeQuadrature(tMax: number, points: number): Quadrature {
  const step = tMax / (points - 1);
  return trapezium(
    step,
    step,
    Array.from({ length: points - 1 }, (_, j) => j + 1),
  );
}

/** Trapezium rule on [-tMax, tMax] with `points` knots.
 *  For an odd number it is the half-range rule with (points + 1) / 2 knots; for an even number the knots lie at odd multiples of half a step. */
export function fullRangeQuadrature(tMax: number, points: number): Quadrature {
  const distance = (2 * tMax) / (points - 1);
  if (points % 2 === 1) return halfRangeQuadrature(tMax, (points + 1) / 2);
  return trapezium(
    distance / 2,
    distance,
    Array.from({ length: points / 2 }, (_, j) => 2 * j + 1),
  );
}

/** @param step Distance of harmonics.
 *  @param distance Distance of knots. */
function trapezium(step: number, distance: number, harmonics: readonly number[]): Quadrature {
  const targets = harmonics.map((h) => Math.exp((-h * step * h * step) / 2));
  const last = harmonics.length - 1;
  const weights = targets.map((target, j) => (j === last ? 1 : 2) * distance * target);
  return { step, harmonics, targets, weights };
}
