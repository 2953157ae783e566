/** cos(h a) and sin(h a) for h = 1..H from one cosine and one sine, as products of two short lists.
 *
 *  With L = 2 F + 1 every h up to H = C L + F is c L + s f for one c in 0..C, f in 0..F and a sign s, so
 *    cos(h a) = cos(cLa) cos(fa) - s sin(cLa) sin(fa)
 *    sin(h a) = sin(cLa) cos(fa) + s cos(cLa) sin(fa).
 *  Hence the sums over samples of all harmonics are entries of one small matrix product of the two lists, and a series
 *  sum_h p_h cos(h a) + q_h sin(h a) is a bilinear form in them. For H = 16: F = 2, C = 3, ten arrays instead of 32,
 *  about 30 passes over the samples instead of 32 sines and cosines.
 *
 *  The lists are built by doubling and by adding angles, each step a rotation, so the rounding error grows like h times
 *  that of the type, as it does in h * a itself. (The three-term recurrence is cheaper by a third and loses h² near a = 0.) */
import type { TensorAdapter } from "@lejepa/tensor";
import type { KnotLists } from "./characteristic-means.js";

/** How many fine (F) and coarse (C) multiples of the angle are kept. */
export interface HarmonicPlan {
  /** F: the fine list holds 1, cos a, sin a, ... cos Fa, sin Fa. */
  readonly fine: number;
  /** C: the coarse list holds 1, cos La, sin La, ... cos CLa, sin CLa, with L = 2F + 1. */
  readonly coarse: number;
}

/** The lists for knots harmonic * step. */
export function harmonicKnots(step: number, harmonics: readonly number[]): KnotLists {
  const plan = planHarmonics(Math.max(...harmonics));
  return {
    knots: harmonics.map((harmonic) => harmonic * step),
    fineRows: 2 * plan.fine + 1,
    coarseRows: 2 * plan.coarse + 1,
    lists: (k, rows) => harmonicLists(k, k.mul(rows, step), plan),
    coefficients: (j) => harmonicCoefficients(harmonics[j] as number, plan),
  };
}

/** The plan with the fewest arrays that reaches harmonic `highest` (at least 1). */
export function planHarmonics(highest: number): HarmonicPlan {
  let best: HarmonicPlan = { fine: highest, coarse: 0 };
  for (let fine = 1; fine < highest; fine++) {
    const coarse = Math.ceil((highest - fine) / (2 * fine + 1));
    const arrays = fine + coarse;
    // Among equals the shorter fine list: the gradient multiplies by it entry by entry.
    if (
      arrays < best.fine + best.coarse ||
      (arrays === best.fine + best.coarse && fine < best.fine)
    )
      best = { fine, coarse };
  }
  return best;
}

/** The two lists for angles [R, N]: fine [R, 2F + 1, N] and coarse [R, 2C + 1, N]. Row 0 is one, then cosine and sine alternate. */
export function harmonicLists<T>(
  k: TensorAdapter<T>,
  angles: T,
  plan: HarmonicPlan,
): { fine: T; coarse: T } {
  const [rows = 0, samples = 0] = k.shape(angles);
  const angle = k.reshape(angles, [rows, 1, samples]);
  const ones = k.fill([rows, 1, samples], 1);
  const stack = (list: readonly Rotation<T>[]) =>
    k.concat([ones, ...list.flatMap(({ cos, sin }) => [cos, sin])], 1);

  const once = { cos: k.cos(angle), sin: k.sin(angle) };
  const fine = multiples(k, once, plan.fine);
  if (plan.coarse === 0) return { fine: stack(fine), coarse: ones };
  const stride = addAngles(k, doubleAngle(k, fine[plan.fine - 1] as Rotation<T>), once);
  return { fine: stack(fine), coarse: stack(multiples(k, stride, plan.coarse)) };
}

/** Row of the harmonic's products: coefficients on the flattened matrix of fine x coarse products, [(2F+1)(2C+1)]. */
export function harmonicCoefficients(
  harmonic: number,
  plan: HarmonicPlan,
): { cos: Float64Array; sin: Float64Array } {
  const stride = 2 * plan.fine + 1;
  const columns = 2 * plan.coarse + 1;
  const c = Math.floor((harmonic + plan.fine) / stride);
  const signed = harmonic - c * stride;
  const [f, sign] = [Math.abs(signed), Math.sign(signed)];
  const [cos, sin] = [new Float64Array(stride * columns), new Float64Array(stride * columns)];
  // Positions of cos and sin in a list; cos 0 is the row of ones and sin 0 is no row at all.
  const cosRow = (i: number) => (i === 0 ? 0 : 2 * i - 1);
  const sinRow = (i: number) => 2 * i;
  const product = (fineRow: number, coarseRow: number) => fineRow * columns + coarseRow;
  cos[product(cosRow(f), cosRow(c))] = 1;
  if (c > 0) sin[product(cosRow(f), sinRow(c))] = 1;
  if (f > 0) sin[product(sinRow(f), cosRow(c))] = sign;
  if (f > 0 && c > 0) cos[product(sinRow(f), sinRow(c))] = -sign;
  return { cos, sin };
}

interface Rotation<T> {
  readonly cos: T;
  readonly sin: T;
}

/** Rotations by 1, 2, ... count times the angle. */
function multiples<T>(k: TensorAdapter<T>, once: Rotation<T>, count: number): Rotation<T>[] {
  const list = [once];
  for (let i = 2; i <= count; i++) {
    const half = list[i / 2 - 1];
    list.push(
      half === undefined ? addAngles(k, list[i - 2] as Rotation<T>, once) : doubleAngle(k, half),
    );
  }
  return list;
}

function addAngles<T>(k: TensorAdapter<T>, a: Rotation<T>, b: Rotation<T>): Rotation<T> {
  return {
    cos: k.sub(k.mul(a.cos, b.cos), k.mul(a.sin, b.sin)),
    sin: k.add(k.mul(a.sin, b.cos), k.mul(a.cos, b.sin)),
  };
}

/** cos 2a = 1 - 2 sin² a and sin 2a = 2 sin a cos a: four passes where the sum of two angles takes six. */
function doubleAngle<T>(k: TensorAdapter<T>, a: Rotation<T>): Rotation<T> {
  const twice = k.add(a.sin, a.sin);
  return { cos: k.sub(1, k.mul(twice, a.sin)), sin: k.mul(twice, a.cos) };
}
