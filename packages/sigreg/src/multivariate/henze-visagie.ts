import { checkNames, checkNumber } from "../refuse.js";
import { multivariateTest, type MultivariateTest } from "./multivariate-test.js";
import { onScale, readScale, type ScaleOption } from "./overflow-scale.js";
import { innerProducts, squaredSums } from "./pairs.js";

/** Options of `henzeVisagie`. */
export interface HenzeVisagieOptions extends ScaleOption {
  /** Width of the weight exp(-gamma |t|²); above 0, default 1. Above 2 the limit distribution exists. */
  readonly gamma?: number | undefined;
}

/** The Henze-Visagie statistic of N(0, 1) by the moment generating function, x [..., N, D] -> [...]:
 *
 *  `1/N sum_ij exp(s / (4 gamma)) (x_i · x_j - s / (2 gamma) + D / (2 gamma) + s / (4 gamma²))`, `s = |x_i + x_j|²`,
 *
 *  from the differential equation `M'(t) = t M(t)` that the moment generating function of N(0, 1) solves. The classical
 *  statistic has the factor (pi / gamma)^(D/2) besides. At least 0. The sum grows like the exponential of the squared lengths:
 *  see the option `scale`. N² work.
 *
 *  @param options Width, and the scale of the result.
 *  @throws LejepaError `invalid-option`; the test itself `shape-mismatch`.
 *  Source: Henze and Visagie, Ann. Inst. Stat. Math. 72 (2020). */
export function henzeVisagie(options: HenzeVisagieOptions = {}): MultivariateTest {
  checkNames("henzeVisagie", options, ["gamma", "scale"]);
  const { gamma = 1 } = options;
  const allowed = () => gamma > 0 && gamma < Infinity;
  checkNumber("henzeVisagie", "gamma", gamma, allowed, "a finite number above 0");
  const scale = readScale("henzeVisagie", options);
  return multivariateTest("henzeVisagie", (k, sets) => {
    const [, samples = 0, dim = 0] = k.shape(sets);
    const sums = squaredSums(k, sets);
    const exponents = k.mul(sums, 1 / (4 * gamma));
    const factors = k.add(
      k.add(innerProducts(k, sets), k.mul(sums, 1 / (4 * gamma ** 2) - 1 / (2 * gamma))),
      dim / (2 * gamma),
    );
    return onScale(k, scale, exponents, (shift) => {
      const weighted = k.mul(k.exp(k.sub(exponents, shift)), factors);
      return k.div(k.sum(weighted, [1, 2]), samples);
    });
  });
}
