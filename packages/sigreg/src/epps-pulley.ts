/** Epps-Pulley distance of samples from N(0, 1), by characteristic functions:
 *    EP(x) = N * integral |phi(t) - exp(-t²/2)|² exp(-t²/2) dt,   phi(t) = mean_n exp(i t x_n)
 *  Shapes: x [..., N, K] -> [..., K]. N samples, K columns; the integral runs over T knots (trapezium rule).
 *  Source: Epps and Pulley, Biometrika 70 (1983); as SIGReg's test in LeJEPA, arXiv 2511.08544.
 *  Golden values: test/golden/epps-pulley.json. */
import type { GradientRule, TensorAdapter } from "@lejepa/tensor";
import {
  harmonicCoefficients,
  harmonicLists,
  planHarmonics,
  type HarmonicPlan,
} from "./harmonics.js";
import { fullRangeQuadrature, halfRangeQuadrature, type Quadrature } from "./quadrature.js";
import { checkChoice, checkNames, checkNumber, refuse } from "./refuse.js";
import { univariateTest, type UnivariateTest } from "./univariate-test.js";

/** Options of `eppsPulley`: how its integral is computed. */
export interface EppsPulleyOptions {
  /** Largest |t|; above 0, default 3 (5 with "full-range", as in the paper). */
  readonly tMax?: number | undefined;
  /** Number of knots, both ends included; an integer of 2 or more, default 17. */
  readonly points?: number | undefined;
  /** - "half-range" (default): knots on [0, tMax], doubled because the integrand is even.
   *  - "full-range": knots on [-tMax, tMax], the paper's rule; 2 n - 1 of them equal n half-range ones.
   *  - "exact": the integral over the whole line in closed form, without knots. Takes N² time and memory:
   *    for small samples and for checking the others. `tMax` and `points` do not apply. */
  readonly rule?: "half-range" | "full-range" | "exact" | undefined;
}

/** The names that `eppsPulley` takes, for callers that pass its options on. */
export const eppsPulleyOptionNames = ["tMax", "points", "rule"] as const;

/** The Epps-Pulley test of N(0, 1), ready to apply: `eppsPulley()(adapter, x)`.
 *
 *  `EP(x) = N ∫ |mean_n exp(i t x_n) - exp(-t²/2)|² exp(-t²/2) dt`, x [..., N, K] -> [..., K].
 *  At N(0, 1) it stays of order 1 whatever N; for samples all at 0 it grows like N.
 *
 *  Where the adapter has `characteristicMeans`, they are its. Elsewhere all knots come from one sine and one cosine: with
 *  `customGradient` the gradient is in closed form and shares that work; memory is O(N K) with a factor that grows with the square root of `points`. Without the capability the same
 *  composition is differentiated by the framework.
 *
 *  @param options Where and how densely the characteristic functions are compared.
 *  @throws LejepaError `invalid-option` for a bad option; the test itself `shape-mismatch` for x without samples.
 *  Source: Epps and Pulley 1983; LeJEPA, arXiv 2511.08544. */
export function eppsPulley(options: EppsPulleyOptions = {}): UnivariateTest {
  checkNames("eppsPulley", options, eppsPulleyOptionNames);
  const { rule = "half-range" } = options;
  checkChoice("eppsPulley", "rule", rule, ["half-range", "full-range", "exact"]);
  if (rule === "exact") {
    if (options.tMax !== undefined || options.points !== undefined)
      refuse("invalid-option", `eppsPulley: rule "exact" has no knots. Leave out tMax and points.`);
    return univariateTest("eppsPulley", exactIntegral);
  }
  const { tMax = rule === "half-range" ? 3 : 5, points = 17 } = options;
  checkNumber("eppsPulley", "tMax", tMax, tMax > 0 && tMax < Infinity, "a finite number above 0");
  checkNumber(
    "eppsPulley",
    "points",
    points,
    Number.isInteger(points) && points >= 2,
    "an integer of 2 or more",
  );
  const quadrature = (rule === "half-range" ? halfRangeQuadrature : fullRangeQuadrature)(
    tMax,
    points,
  );
  const plan = planHarmonics(Math.max(...quadrature.harmonics));
  return univariateTest("eppsPulley", (k, rows) =>
    k.capabilities.includes("characteristicMeans")
      ? distanceOfMeans(k, rows, quadrature)
      : quadratureDistance(k, rows, quadrature, plan),
  );
}

/** The statistic of each row, [R, N] -> [R], from the means that the framework computes:
 *    EP = N sum_t w_t ((mean cos(t x) - exp(-t²/2))² + (mean sin(t x))²). */
function distanceOfMeans<T>(k: TensorAdapter<T>, rows: T, quadrature: Quadrature): T {
  const [count = 0, samples = 0] = k.shape(rows);
  const { step, harmonics, targets, weights } = quadrature;
  const means = k.characteristicMeans(rows, step, harmonics); // [R, 2T]
  const parts = 2 * harmonics.length;
  const offset = k.fromArray(
    targets.flatMap((target) => [target, 0]),
    [parts],
  );
  const weight = k.fromArray(
    weights.flatMap((w) => [samples * w, samples * w]),
    [parts, 1],
  );
  return k.reshape(k.matMul(k.square(k.sub(means, offset)), weight), [count]);
}

/** The statistic of each row, [R, N] -> [R], composed of the contract's own functions.
 *
 *  X = fine · coarseᵀ, summed over samples, holds every product that the harmonics need, so that with constant matrices
 *    d = X·A - b  [R, 2T]   sqrt(N w_t) times the real and imaginary part of phi(t) - exp(-t²/2)
 *    EP = |d|²
 *    dEP/dx_n = fine_n · (d·G) · coarse_n   a bilinear form in the same two lists. */
function quadratureDistance<T>(
  k: TensorAdapter<T>,
  rows: T,
  quadrature: Quadrature,
  plan: HarmonicPlan,
): T {
  const [count = 0, samples = 0] = k.shape(rows);
  const [fineRows, coarseRows] = [2 * plan.fine + 1, 2 * plan.coarse + 1];
  const products = fineRows * coarseRows;
  const { toDistance, offset, toGradient } = constants(quadrature, plan, samples);
  const parts = 2 * quadrature.harmonics.length;

  const rule: GradientRule<T> = {
    forward([x]) {
      const { fine, coarse } = harmonicLists(k, k.mul(x as T, quadrature.step), plan);
      const sums = k.reshape(k.matMul(fine, coarse, { transposeB: true }), [count, products]);
      const distance = k.sub(
        k.matMul(sums, k.fromArray(toDistance, [products, parts])),
        k.fromArray(offset, [parts]),
      );
      return { value: k.sum(k.square(distance), [1]), saved: [fine, coarse, distance] };
    },
    backward(cotangent, [fine, coarse, distance]) {
      const scaled = k.mul(distance as T, k.reshape(cotangent, [count, 1]));
      const form = k.reshape(k.matMul(scaled, k.fromArray(toGradient, [parts, products])), [
        count,
        fineRows,
        coarseRows,
      ]);
      return [k.sum(k.mul(k.matMul(form, coarse as T), fine as T), [1])];
    },
  };
  return k.capabilities.includes("customGradient")
    ? k.customGradient(rule, [rows])
    : rule.forward([rows]).value;
}

/** The constant matrices of `quadratureDistance`. Columns (rows of `toGradient`) alternate cosine and sine of each knot. */
function constants(quadrature: Quadrature, plan: HarmonicPlan, samples: number) {
  const products = (2 * plan.fine + 1) * (2 * plan.coarse + 1);
  const parts = 2 * quadrature.harmonics.length;
  const toDistance = new Float64Array(products * parts);
  const offset = new Float64Array(parts);
  const toGradient = new Float64Array(parts * products);
  quadrature.harmonics.forEach((harmonic, j) => {
    const { cos, sin } = harmonicCoefficients(harmonic, plan);
    const root = Math.sqrt(samples * (quadrature.weights[j] ?? 0));
    const perSample = root / samples;
    // d(EP)/dx = 2 d · d(d)/dx, and the derivative of cos(h step x) is -h step sin(h step x).
    const slope = 2 * perSample * harmonic * quadrature.step;
    offset[2 * j] = root * (quadrature.targets[j] ?? 0);
    for (let p = 0; p < products; p++) {
      toDistance[p * parts + 2 * j] = perSample * (cos[p] ?? 0);
      toDistance[p * parts + 2 * j + 1] = perSample * (sin[p] ?? 0);
      toGradient[2 * j * products + p] = -slope * (sin[p] ?? 0);
      toGradient[(2 * j + 1) * products + p] = slope * (cos[p] ?? 0);
    }
  });
  return { toDistance, offset, toGradient };
}

/** The integral over the whole line, [R, N] -> [R]:
 *    sqrt(2 pi) (1/N sum_ij exp(-(x_i - x_j)²/2) - sqrt(2) sum_i exp(-x_i²/4) + N / sqrt(3)). */
function exactIntegral<T>(k: TensorAdapter<T>, rows: T): T {
  const [count = 0, samples = 0] = k.shape(rows);
  const differences = k.sub(
    k.reshape(rows, [count, samples, 1]),
    k.reshape(rows, [count, 1, samples]),
  );
  const among = k.div(k.sum(k.exp(k.mul(k.square(differences), -1 / 2)), [1, 2]), samples);
  const toNormal = k.mul(k.sum(k.exp(k.mul(k.square(rows), -1 / 4)), [1]), Math.SQRT2);
  return k.mul(k.add(k.sub(among, toNormal), samples / Math.sqrt(3)), Math.sqrt(2 * Math.PI));
}
