import { checkChoice, checkNames, checkNumber } from "../refuse.js";
import { multivariateTest, type MultivariateTest } from "./multivariate-test.js";
import { onScale, readScale, type ScaleOption } from "./overflow-scale.js";
import { squaredLengths, squaredSums } from "./pairs.js";

/** Options of `bhepM`. */
export interface BhepMOptions extends ScaleOption {
  /** Width of the weight exp(-beta |t|²); above 1, where the integrals exist; default 10. */
  readonly beta?: number | undefined;
  /** The last term, which no sample changes: "kept" (default), so that the statistic is at least 0, or "dropped", as the
   *  reference implementation does. */
  readonly constant?: "kept" | "dropped" | undefined;
}

/** BHEP-M, BHEP with the moment generating function M(t) = mean_n exp(t · x_n), x [..., N, D] -> [...]:
 *
 *  `beta^(-D/2)/N sum_ij exp(|x_i + x_j|² / (4 beta)) - 2 (beta - 1/2)^(-D/2) sum_i exp(|x_i|² / (4 beta - 2)) + N (beta - 1)^(-D/2)`,
 *
 *  which is `N pi^(-D/2)` times the integral of `(M(t) - exp(|t|²/2))² exp(-beta |t|²)`. At least 0. The sum
 *  grows like the exponential of the squared lengths: see the option `scale`. N² work.
 *
 *  @param options Width, constant, and the scale of the result.
 *  @throws LejepaError `invalid-option`; the test itself `shape-mismatch`.
 *  Source: Henze and Jiménez-Gamero, TEST 28 (2019). */
export function bhepM(options: BhepMOptions = {}): MultivariateTest {
  checkNames("bhepM", options, ["beta", "constant", "scale"]);
  const { beta = 10, constant = "kept" } = options;
  checkNumber("bhepM", "beta", beta, () => beta > 1 && beta < Infinity, "a finite number above 1");
  checkChoice("bhepM", "constant", constant, ["kept", "dropped"]);
  const scale = readScale("bhepM", options);
  return multivariateTest("bhepM", (k, sets) => {
    const [, samples = 0, dim = 0] = k.shape(sets);
    // |x_i + x_i|² / (4 beta) is the largest exponent of all, since beta > 1.
    const exponents = k.mul(squaredSums(k, sets), 1 / (4 * beta));
    const toNormal = k.mul(squaredLengths(k, sets), 1 / (4 * beta - 2));
    const last = constant === "kept" ? samples * (beta - 1) ** (-dim / 2) : 0;
    return onScale(k, scale, exponents, (shift) => {
      const among = k.sum(k.exp(k.sub(exponents, shift)), [1, 2]);
      const other = k.sum(k.exp(k.sub(toNormal, shift)), [1, 2]);
      const sums = k.sub(
        k.mul(among, beta ** (-dim / 2) / samples),
        k.mul(other, 2 * (beta - 1 / 2) ** (-dim / 2)),
      );
      if (shift === 0) return k.add(sums, last);
      return k.add(sums, k.reshape(k.mul(k.exp(k.neg(shift)), last), k.shape(sums)));
    });
  });
}
