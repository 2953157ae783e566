import { bhepStatistic } from "./bhep.js";
import { multivariateTest, type MultivariateTest } from "./multivariate-test.js";

/** The Henze-Zirkler test of N(0, 1), x [..., N, D] -> [...]: `bhep` with the width
 *
 *  `beta = ((2 D + 1) N / 4)^(1 / (D + 4)) / sqrt(2)`,
 *
 *  the best one for a density estimate of N normal samples. In [0, 4); the classical statistic has the factor N besides, and is of
 *  samples whitened by their own covariance: do that first where an affine invariant test is wanted. N² work.
 *
 *  @returns The test; it throws `shape-mismatch`.
 *  Source: Henze and Zirkler, Commun. Stat. Theory Methods 19 (1990). */
export function henzeZirkler(): MultivariateTest {
  return multivariateTest("henzeZirkler", (k, sets) => {
    const [, samples = 0, dim = 0] = k.shape(sets);
    const beta = (((2 * dim + 1) * samples) / 4) ** (1 / (dim + 4)) / Math.SQRT2;
    return bhepStatistic(k, sets, beta);
  });
}
