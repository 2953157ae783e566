import { checkNames, checkNumber } from "../refuse.js";
import { multivariateTest, type MultivariateTest } from "./multivariate-test.js";
import { onScale, readScale, type ScaleOption } from "./overflow-scale.js";
import { asRow, innerProducts, squaredLengths } from "./pairs.js";

/** Options of `comb`. */
export interface CombOptions extends ScaleOption {
  /** Width of the weight exp(-gamma |t|²); above 0, default 0.1. */
  readonly gamma?: number | undefined;
}

/** COMB: the characteristic function and the moment generating function combined, x [..., N, D] -> [...]:
 *
 *  `sqrt(N) (1/N² sum_ij exp((|x_i|² - |x_j|²) / (4 gamma)) cos(x_i · x_j / (2 gamma)) - 1)`,
 *
 *  from the fact that the product of both at the same point is 1 for normal distributions of mean 0 alone. Of any covariance:
 *  near 0 for all of them, and 0 for samples that have collapsed to 0, so it does not tell N(0, 1) from the others. Of
 *  either sign elsewhere. Computed from `cosh E cos c - 1 = 2 sinh²(E/2) cos c - 2 sin²(c/2)`, which keeps its digits near 0. The
 *  sum grows like the exponential of the squared lengths: see the option `scale`. N² work.
 *
 *  @param options Width, and the scale of the result.
 *  @throws LejepaError `invalid-option`; the test itself `shape-mismatch`.
 *  Source: Henze, Jiménez-Gamero and Meintanis, Econometric Theory 35 (2019). */
export function comb(options: CombOptions = {}): MultivariateTest {
  checkNames("comb", options, ["gamma", "scale"]);
  const { gamma = 0.1 } = options;
  checkNumber(
    "comb",
    "gamma",
    gamma,
    () => gamma > 0 && gamma < Infinity,
    "a finite number above 0",
  );
  const scale = readScale("comb", options);
  return multivariateTest("comb", (k, sets) => {
    const [, samples = 0] = k.shape(sets);
    const lengths = squaredLengths(k, sets);
    const exponents = k.mul(k.sub(lengths, asRow(k, lengths)), 1 / (4 * gamma));
    const angles = k.mul(innerProducts(k, sets), 1 / (2 * gamma));
    const half = k.mul(exponents, 1 / 2);
    return onScale(k, scale, exponents, (shift) => {
      const halfShift = shift === 0 ? 0 : k.mul(shift, 1 / 2);
      // Both are divided by the root of exp(shift).
      const sinh = k.mul(
        k.sub(k.exp(k.sub(half, halfShift)), k.exp(k.sub(k.neg(half), halfShift))),
        1 / 2,
      );
      const sin = k.sin(k.mul(angles, 1 / 2));
      const sinPart = shift === 0 ? k.square(sin) : k.mul(k.square(sin), k.exp(k.neg(shift)));
      const mean = k.mean(k.sub(k.mul(k.square(sinh), k.cos(angles)), sinPart), [1, 2]);
      return k.mul(mean, 2 * Math.sqrt(samples));
    });
  });
}
