import { type Expected, requireArgument, someObject, wholeNumber } from "./check-argument.js";

/** Knots t = harmonic * step of an empirical characteristic function. */
export interface Knots {
  readonly step: number;
  /** Positive whole numbers. */
  readonly harmonics: number[];
}

/** How cosines and sines of all harmonics h a of an angle a are sums of two products. With L = 2 F + 1 every h up to
 *  C L + F is c L + s f with c in 0..C, f in 0..F and a sign s, so that the products of the lists
 *    fine 1, cos a, sin a, .., cos F a, sin F a   and   coarse 1, cos L a, sin L a, .., sin C L a
 *  have them all. */
export interface HarmonicProducts {
  /** F, at least 1. */
  readonly fine: number;
  /** C, 0 or more. */
  readonly coarse: number;
  /** (2 F + 1) (2 C + 1) */
  readonly count: number;
  /** From the sums over N samples of the products, fine times coarse, to the means of cosines and sines, in turns:
   *  [(2 F + 1) (2 C + 1), 2 T]. */
  readonly toMeans: Float32Array;
  /** From the gradient of those means to the coefficients of the products whose sum is that of a sample x, a = step x:
   *  [2 T, (2 F + 1) (2 C + 1)]. */
  readonly toForm: Float32Array;
}

const knotHarmonics: Expected = {
  text: "positive whole numbers, at least one of them",
  accepts: (value) =>
    Array.isArray(value) &&
    value.length > 0 &&
    [...(value as unknown[])].every((h) => Number.isSafeInteger(h) && (h as number) > 0),
};

const knotStep: Expected = { text: "a finite number", accepts: (value) => Number.isFinite(value) };

/** Throws LejepaError "bad-harmonics" unless these are knots. */
export function requireKnots(
  op: string,
  { step, harmonics }: { readonly step: number; readonly harmonics: readonly number[] },
): void {
  requireArgument(op, "step", step, knotStep, "bad-harmonics");
  requireArgument(op, "harmonics", harmonics, knotHarmonics, "bad-harmonics");
}

/** The lists for the knots, with the fewest multiples; among equals the shorter fine list, which the gradient
 *  multiplies by.
 *  @param samples N */
export function harmonicProducts(knots: Knots, samples: number): HarmonicProducts {
  requireArgument("harmonicProducts", "knots", knots, someObject);
  requireKnots("harmonicProducts", knots);
  requireArgument("harmonicProducts", "samples", samples, wholeNumber(1));
  const { step, harmonics } = knots;
  const plan = planFor(harmonics);
  const stride = 2 * plan.fine + 1;
  const columns = 2 * plan.coarse + 1;
  const [products, parts] = [stride * columns, 2 * harmonics.length];
  const toMeans = new Float32Array(products * parts);
  const toForm = new Float32Array(parts * products);
  // Places in a list: the cosine of 0 is the one in front.
  const cosAt = (multiple: number) => (multiple === 0 ? 0 : 2 * multiple - 1);
  const sinAt = (multiple: number) => 2 * multiple;
  harmonics.forEach((harmonic, j) => {
    const c = Math.floor((harmonic + plan.fine) / stride);
    const f = Math.abs(harmonic - c * stride);
    const sign = Math.sign(harmonic - c * stride);
    const set = (fineAt: number, coarseAt: number, part: "cos" | "sin", value: number) => {
      const product = fineAt * columns + coarseAt;
      const [own, other] = part === "cos" ? [2 * j, 2 * j + 1] : [2 * j + 1, 2 * j];
      toMeans[product * parts + own] = value / samples;
      // d cos(t x) / dx = -t sin(t x) and d sin(t x) / dx = t cos(t x).
      const slope = (harmonic * step) / samples;
      toForm[other * products + product] = (part === "cos" ? slope : -slope) * value;
    };
    set(cosAt(f), cosAt(c), "cos", 1);
    if (c > 0) set(cosAt(f), sinAt(c), "sin", 1);
    if (f > 0) set(sinAt(f), cosAt(c), "sin", sign);
    if (f > 0 && c > 0) set(sinAt(f), sinAt(c), "cos", -sign);
  });
  return { ...plan, count: products, toMeans, toForm };
}

function planFor(harmonics: readonly number[]): Pick<HarmonicProducts, "fine" | "coarse"> {
  const highest = Math.max(...harmonics);
  const plans = Array.from({ length: highest }, (_, i) => {
    const fine = i + 1;
    return { fine, coarse: Math.max(0, Math.ceil((highest - fine) / (2 * fine + 1))) };
  });
  return plans.reduce((best, plan) =>
    plan.fine + plan.coarse < best.fine + best.coarse ? plan : best,
  );
}
