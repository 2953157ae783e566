import type { TensorAdapter } from "@lejepa/tensor";
import { checkChoice, checkNames, checkNumber, refuse } from "../refuse.js";
import { univariateTest, type UnivariateTest } from "../univariate-test.js";
import { deviationOf, deviations, isSpread } from "./sample-variance.js";
import { readOrder, sortedRows, type OrderOption } from "./sorted-rows.js";

/** Options of `vasicekEntropy`. */
export interface VasicekEntropyOptions extends OrderOption {
  /** m: how many ranks a spacing reaches; an integer of 1 or more, below N, default 1. */
  readonly reach?: number | undefined;
  /** - "centred" (default): spacings x_(i+m) - x_(i-m); the statistic is a ratio of standard deviations.
   *  - "right": spacings x_(i+m) - x_(i), i up to N - m; the statistic is a difference of entropies, the logarithm of such a ratio. */
  readonly spacings?: "centred" | "right" | undefined;
  /** What centred spacings do beyond the ends:
   *  - "vasicek" (default): x_(j) is x_(1) for j < 1 and x_(N) for j > N, m shortened spacings at each end; Vasicek 1976.
   *  - "reference": 2m at each end, x_(1+j) - x_(1) and x_(N) - x_(N-j) for j = 1, ..., 2m, so that N + 2m logarithms are
   *    divided by N, as the reference implementation does. For comparison with it. */
  readonly ends?: "vasicek" | "reference" | undefined;
  /** Spacings below this count as this, and get no gradient; above 0, default 1e-5. */
  readonly floor?: number | undefined;
}

const names = ["reach", "spacings", "ends", "floor", "order"] as const;
/** Entropy of N(0, 1). */
const normalEntropy = Math.log(2 * Math.PI * Math.E) / 2;

/** Vasicek's test of a normal shape by entropy, x [..., N, K] -> [..., K]: the normal distribution has the largest entropy for its variance.
 *
 *  centred: `2 m s sqrt(2 pi e) / N · exp(-1/N sum_i log(x_(i+m) - x_(i-m)))`
 *  right:   `log(sqrt(2 pi e) s m / N) - 1/N sum_i log(x_(i+m) - x_(i))`
 *
 *  with the standard deviation s (divided by N - 1); the ratio (difference) of the normal entropy with that s and the entropy
 *  of the samples. Near 1 (0) for large normal samples of any mean and variance, larger for other shapes. Where all samples
 *  are equal it is 0 (-Infinity) with the gradient 0. Work: a sort.
 *
 *  @param options Which spacings.
 *  @throws LejepaError `invalid-option`; the test itself `shape-mismatch` for too few samples, and `unsupported`
 *  without the capability sort, and on one process of several.
 *  Source: Vasicek, J. R. Stat. Soc. B 38 (1976). */
export function vasicekEntropy(options: VasicekEntropyOptions = {}): UnivariateTest {
  const where = "vasicekEntropy";
  checkNames(where, options, names);
  const { reach = 1, spacings = "centred", ends = "vasicek", floor = 1e-5 } = options;
  checkNumber(
    where,
    "reach",
    reach,
    () => Number.isInteger(reach) && reach >= 1,
    "an integer of 1 or more",
  );
  checkChoice(where, "spacings", spacings, ["centred", "right"]);
  checkChoice(where, "ends", ends, ["vasicek", "reference"]);
  checkNumber(
    where,
    "floor",
    floor,
    () => floor > 0 && floor < Infinity,
    "a finite number above 0",
  );
  const order = readOrder(where, options);
  return univariateTest(where, (k, rows) => {
    const [, samples = 0] = k.shape(rows);
    const least = spacings === "centred" && ends === "reference" ? 2 * reach + 1 : reach + 1;
    if (samples < least)
      refuse(
        "shape-mismatch",
        `${where}: reach ${reach} needs at least ${least} samples, got ${samples}.`,
      );
    const pairs =
      spacings === "right" ? rightPairs(samples, reach) : centredPairs(samples, reach, ends);
    const sorted = sortedRows(where, k, rows, order);
    const gaps = k.maximum(spacingsOf(k, sorted, pairs), floor);
    const logs = k.div(k.sum(k.log(gaps), [1]), samples);
    const variance = k.div(k.sum(k.square(deviations(k, rows)), [1]), samples - 1);
    if (spacings === "centred") {
      const factor = (2 * reach * Math.exp(normalEntropy)) / samples;
      return k.mul(k.mul(deviationOf(k, variance), factor), k.exp(k.neg(logs)));
    }
    const spread = isSpread(k, variance);
    const logDeviation = k.where(
      spread,
      k.mul(k.log(k.where(spread, variance, 1)), 1 / 2),
      -Infinity,
    );
    return k.add(k.sub(logDeviation, logs), normalEntropy + Math.log(reach / samples));
  });
}

/** Positions [low, high] in the sorted samples. */
type Pairs = readonly (readonly [number, number])[];

function spacingsOf<T>(k: TensorAdapter<T>, sorted: T, pairs: Pairs): T {
  const at = (which: 0 | 1) =>
    k.gather(
      sorted,
      pairs.map((pair) => pair[which]),
      1,
    );
  return k.sub(at(1), at(0));
}

function rightPairs(samples: number, reach: number): Pairs {
  return Array.from({ length: samples - reach }, (_, i) => [i, i + reach] as const);
}

function centredPairs(samples: number, reach: number, ends: "vasicek" | "reference"): Pairs {
  const last = samples - 1;
  if (ends === "vasicek")
    return Array.from(
      { length: samples },
      (_, i) => [Math.max(i - reach, 0), Math.min(i + reach, last)] as const,
    );
  const atEnds = Array.from({ length: 2 * reach }, (_, j) => j + 1);
  return [
    ...rightPairs(samples, 2 * reach),
    ...atEnds.map((j) => [0, j] as const),
    ...atEnds.map((j) => [last - j, last] as const),
  ];
}
