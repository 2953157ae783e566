/** Epps-Pulley distance of samples from N(0, 1), by characteristic functions:
 *    EP(x) = N * integral |phi(t) - exp(-t²/2)|² exp(-t²/2) dt,   phi(t) = mean_n exp(i t x_n)
 *  Shapes: x [..., N, K] -> [..., K]. N samples, K columns; the integral runs over T knots.
 *  Source: Epps and Pulley, Biometrika 70 (1983); as SIGReg's test in LeJEPA, arXiv 2511.08544.
 *  Golden values: test/golden/epps-pulley.json. */
import type { TensorAdapter } from "@lejepa/tensor";
import { meanOverProcesses } from "./all-processes.js";
import { characteristicMeans, separateKnots, type KnotLists } from "./characteristic-means.js";
import { harmonicKnots } from "./harmonics.js";
import {
  fullRangeQuadrature,
  gaussHermiteQuadrature,
  halfRangeQuadrature,
  type Quadrature,
} from "./quadrature.js";
import { checkChoice, checkNames, checkNumber, refuse } from "./refuse.js";
import { univariateTest, type UnivariateTest } from "./univariate-test.js";

/** Options of `eppsPulley`: how its integral is computed. */
export interface EppsPulleyOptions {
  /** How values at the knots become an integral.
   *  - "trapezoid" (default).
   *  - "simpson": needs an odd number of points.
   *  - "gauss-hermite": `points` knots on the whole line, placed for the weight exp(-t²/2); `rule` and `tMax` do not
   *    apply. The knots are not equally spaced, so each takes a sine and a cosine of its own. */
  readonly integration?: "trapezoid" | "simpson" | "gauss-hermite" | undefined;
  /** Largest |t|; above 0, default 3 (5 with "full-range", as in the paper). */
  readonly tMax?: number | undefined;
  /** Number of knots, both ends included; an integer of 2 or more (up to 256 with "gauss-hermite"), default 17. */
  readonly points?: number | undefined;
  /** - "half-range" (default): knots on [0, tMax], doubled because the integrand is even.
   *  - "full-range": knots on [-tMax, tMax], the paper's rule; 2 n - 1 of them equal n half-range ones.
   *  - "exact": the integral over the whole line in closed form, without knots. Takes N² time and memory:
   *    for small samples and for checking the others. `integration`, `tMax` and `points` do not apply. */
  readonly rule?: "half-range" | "full-range" | "exact" | undefined;
}

/** The names that `eppsPulley` takes, for callers that pass its options on. */
export const eppsPulleyOptionNames = ["integration", "tMax", "points", "rule"] as const;

/** The Epps-Pulley test of N(0, 1), ready to apply: `eppsPulley()(adapter, x)`.
 *
 *  `EP(x) = N ∫ |mean_n exp(i t x_n) - exp(-t²/2)|² exp(-t²/2) dt`, x [..., N, K] -> [..., K].
 *  At N(0, 1) it stays of order 1 whatever N; for samples all at 0 it grows like N.
 *
 *  Where the adapter has `characteristicMeans`, they are its. Elsewhere all equally spaced knots come from one sine and
 *  one cosine: with `customGradient` the gradient is in closed form and shares that work; memory is O(N K) with a factor
 *  that grows with the square root of `points`. Without the capability the same composition is differentiated by the
 *  framework. Where the adapter has `allReduceMean`, N and the means are those of all processes.
 *
 *  @param options Where and how densely the characteristic functions are compared.
 *  @throws LejepaError `invalid-option` for a bad option; the test itself `shape-mismatch` for x without samples, and
 *  `unsupported` for rule "exact" on one process of several.
 *  Source: Epps and Pulley 1983; LeJEPA, arXiv 2511.08544. */
export function eppsPulley(options: EppsPulleyOptions = {}): UnivariateTest {
  const quadrature = quadratureOf(options);
  if (quadrature === undefined) return univariateTest("eppsPulley", exactIntegral);
  const { knots, spacing } = quadrature;
  const lists =
    spacing === undefined ? separateKnots(knots) : harmonicKnots(spacing.step, spacing.harmonics);
  return univariateTest("eppsPulley", (k, rows) => quadratureDistance(k, rows, quadrature, lists));
}

/** The knots and weights that the options ask for, undefined for rule "exact", which has none. */
export function quadratureOf(options: EppsPulleyOptions): Quadrature | undefined {
  checkNames("eppsPulley", options, eppsPulleyOptionNames);
  if (options.rule === "exact") {
    without(options, ["integration", "tMax", "points"], `rule "exact" has no knots`);
    return undefined;
  }
  const { rule = "half-range", integration = "trapezoid", points = 17 } = options;
  checkChoice("eppsPulley", "rule", rule, ["half-range", "full-range", "exact"]);
  checkChoice("eppsPulley", "integration", integration, ["trapezoid", "simpson", "gauss-hermite"]);
  checkNumber(
    "eppsPulley",
    "points",
    points,
    () => Number.isInteger(points) && points >= 2,
    "an integer of 2 or more",
  );
  if (integration === "gauss-hermite") {
    without(options, ["rule", "tMax"], `integration "gauss-hermite" is over the whole line`);
    checkNumber(
      "eppsPulley",
      "points",
      points,
      () => points <= 256,
      'at most 256 with "gauss-hermite"',
    );
    return gaussHermiteQuadrature(points);
  }
  if (integration === "simpson" && points % 2 === 0)
    refuse(
      "invalid-option",
      `eppsPulley: integration "simpson" joins intervals in pairs and needs an odd number of points, got ${points}. Use ${points - 1} or ${points + 1}, or "trapezoid".`,
    );
  const { tMax = rule === "half-range" ? 3 : 5 } = options;
  checkNumber(
    "eppsPulley",
    "tMax",
    tMax,
    () => tMax > 0 && tMax < Infinity,
    "a finite number above 0",
  );
  const quadrature = rule === "half-range" ? halfRangeQuadrature : fullRangeQuadrature;
  return quadrature(integration, tMax, points);
}

/** Refuses options that would be ignored. */
function without(
  options: EppsPulleyOptions,
  names: readonly (keyof EppsPulleyOptions)[],
  because: string,
): void {
  if (names.some((name) => options[name] !== undefined))
    refuse("invalid-option", `eppsPulley: ${because}. Leave out ${names.join(" and ")}.`);
}

/** The statistic of each row, [R, N] -> [R], from the means of all processes:
 *    EP = N sum_t w_t ((mean cos(t x) - exp(-t²/2))² + (mean sin(t x))²). */
function quadratureDistance<T>(
  k: TensorAdapter<T>,
  rows: T,
  { targets, weights, spacing }: Quadrature,
  lists: KnotLists,
): T {
  const [count = 0, own = 0] = k.shape(rows);
  const ownMeans =
    spacing !== undefined && k.capabilities.includes("characteristicMeans")
      ? k.characteristicMeans(rows, spacing.step, spacing.harmonics)
      : characteristicMeans(k, rows, lists);
  const { mean, samples } = meanOverProcesses(k, ownMeans, own); // [R, 2T]
  const parts = 2 * targets.length;
  const offset = k.fromArray(
    targets.flatMap((target) => [target, 0]),
    [parts],
  );
  const factor = typeof samples === "number" ? samples : 1;
  const weight = k.fromArray(
    weights.flatMap((w) => [factor * w, factor * w]),
    [parts, 1],
  );
  const distance = k.reshape(k.matMul(k.square(k.sub(mean, offset)), weight), [count]);
  return typeof samples === "number" ? distance : k.mul(distance, samples);
}

/** The integral over the whole line, [R, N] -> [R]:
 *    sqrt(2 pi) (1/N sum_ij exp(-(x_i - x_j)²/2) - sqrt(2) sum_i exp(-x_i²/4) + N / sqrt(3)). */
function exactIntegral<T>(k: TensorAdapter<T>, rows: T): T {
  if (k.capabilities.includes("allReduceMean"))
    refuse(
      "unsupported",
      `eppsPulley: rule "exact" compares every pair of samples, and the ${k.name} adapter has those of one process of several. Use knots: leave the rule out.`,
    );
  const [count = 0, samples = 0] = k.shape(rows);
  const differences = k.sub(
    k.reshape(rows, [count, samples, 1]),
    k.reshape(rows, [count, 1, samples]),
  );
  const among = k.div(k.sum(k.exp(k.mul(k.square(differences), -1 / 2)), [1, 2]), samples);
  const toNormal = k.mul(k.sum(k.exp(k.mul(k.square(rows), -1 / 4)), [1]), Math.SQRT2);
  return k.mul(k.add(k.sub(among, toNormal), samples / Math.sqrt(3)), Math.sqrt(2 * Math.PI));
}
