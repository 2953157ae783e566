import { checkChoice, checkNames, refuse } from "../refuse.js";
import { univariateTest, type UnivariateTest } from "../univariate-test.js";
import { normQuantile } from "./norm-quantile.js";
import { deviations } from "./sample-variance.js";
import { byRank, readOrder, sortedRows, type OrderOption } from "./sorted-rows.js";

/** Options of `shapiroWilk`. */
export interface ShapiroWilkOptions extends OrderOption {
  /** How the expected order statistics m_i of N samples are approximated, all by `m_i = Phi⁻¹(p_i)`:
   *  - "blom": p_i = (i - 3/8) / (N + 1/4), Blom 1958; the default.
   *  - "elfving": p_i = (i - pi/8) / (N + 1 - pi/4), Elfving 1947.
   *  - "rahman": p_i = i / (N + 1), as in Rahman and Govindarajulu 1997.
   *  - "elfving-reference": p_i = (i - pi/8) / (N + 1/4), what the reference implementation calls elfving: the p_i are not
   *    symmetric about 1/2. For comparison with it. */
  readonly expected?: "blom" | "elfving" | "rahman" | "elfving-reference" | undefined;
  /** What becomes of m before its length is made 1:
   *  - "shapiro-francia" (default): nothing; Shapiro and Francia 1972.
   *  - "rahman": it is multiplied by the tridiagonal approximate inverse of the covariance of the order statistics, which
   *    gives Shapiro and Wilk's weights; Rahman and Govindarajulu 1997. */
  readonly weights?: "shapiro-francia" | "rahman" | undefined;
  /** "none" (default): samples as they are, so that a mean other than 0 counts. "mean": their mean is taken off, as in the
   *  classical test, which sees the shape only. */
  readonly centring?: "none" | "mean" | undefined;
}

const names = ["expected", "weights", "centring", "order"] as const;
/** Below this length of a row, its direction is not looked at: it has collapsed. */
const shortest = 1e-5;

/** The Shapiro-Wilk distance from a normal shape, x [..., N, K] -> [..., K]:
 *
 *  `1 - |sum_i a_i x_(i)| / |x|`, x_(i) the i-th smallest sample and a the unit vector of expected order statistics.
 *
 *  In [0, 1]; 0 where the samples lie as a normal sample should, whatever their spread, which it does not see. Computed as
 *  `|a ∓ x / |x||² / 2`, without cancellation. |x| is taken as 1e-5 at least, so that collapsed samples give 1 and a
 *  finite gradient. Work: a sort.
 *
 *  @param options Which weights a.
 *  @throws LejepaError `invalid-option`; the test itself `shape-mismatch` for fewer than two samples, and `unsupported`
 *  without the capability sort, and on one process of several.
 *  Source: Shapiro and Wilk, Biometrika 52 (1965); Shapiro and Francia, J. Am. Stat. Assoc. 67 (1972); Rahman and
 *  Govindarajulu, J. Appl. Stat. 24 (1997). */
export function shapiroWilk(options: ShapiroWilkOptions = {}): UnivariateTest {
  checkNames("shapiroWilk", options, names);
  const { expected = "blom", weights = "shapiro-francia", centring = "none" } = options;
  const choices = ["blom", "elfving", "rahman", "elfving-reference"];
  checkChoice("shapiroWilk", "expected", expected, choices);
  checkChoice("shapiroWilk", "weights", weights, ["shapiro-francia", "rahman"]);
  checkChoice("shapiroWilk", "centring", centring, ["none", "mean"]);
  const order = readOrder("shapiroWilk", options);
  return univariateTest("shapiroWilk", (k, rows) => {
    const [, samples = 0] = k.shape(rows);
    if (samples < 2)
      refuse("shape-mismatch", `shapiroWilk: needs at least two samples, got ${samples}.`);
    const unit = unitWeights(samples, expected, weights);
    const a = byRank(k, samples, (i) => unit[i - 1] ?? 0);
    const ordered = sortedRows("shapiroWilk", k, rows, order);
    const x = centring === "mean" ? deviations(k, ordered) : ordered;
    const square = k.sum(k.square(x), [1], "keep");
    const isLong = k.greaterEqual(square, shortest ** 2);
    const direction = k.div(x, k.sqrt(k.maximum(square, shortest ** 2)));
    const sign = k.sub(k.mul(k.greaterEqual(k.sum(k.mul(direction, a), [1], "keep"), 0), 2), 1);
    // 1 - a·u = |a - u|²/2 + (1 - |u|²)/2, and u is a unit vector unless it was too short.
    const between = k.sum(k.square(k.sub(direction, k.mul(sign, a))), [1]);
    const missing = k.where(isLong, 0, k.sub(1, k.sum(k.square(direction), [1], "keep")));
    return k.mul(k.add(between, k.sum(missing, [1])), 1 / 2);
  });
}

function unitWeights(
  samples: number,
  expected: NonNullable<ShapiroWilkOptions["expected"]>,
  weights: NonNullable<ShapiroWilkOptions["weights"]>,
): number[] {
  const position = {
    blom: (i: number) => (i - 3 / 8) / (samples + 1 / 4),
    elfving: (i: number) => (i - Math.PI / 8) / (samples + 1 - Math.PI / 4),
    rahman: (i: number) => i / (samples + 1),
    "elfving-reference": (i: number) => (i - Math.PI / 8) / (samples + 1 / 4),
  }[expected];
  const m = Array.from({ length: samples }, (_, i) => normQuantile(position(i + 1)));
  const raw = weights === "rahman" ? byInverseCovariance(m) : m;
  const length = Math.sqrt(raw.reduce((sum, value) => sum + value * value, 0));
  return raw.map((value) => value / length);
}

/** V m, with V_ii = 2 phi(m_i)² and V_ij = -phi(m_i) phi(m_j) for neighbours, up to a factor that does not matter. */
function byInverseCovariance(m: readonly number[]): number[] {
  const density = m.map((value) => Math.exp((-value * value) / 2));
  const at = (i: number) => (density[i] ?? 0) * (m[i] ?? 0);
  return density.map((value, i) => value * (2 * at(i) - at(i - 1) - at(i + 1)));
}
