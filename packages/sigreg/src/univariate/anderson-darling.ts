import { checkNames } from "../refuse.js";
import { univariateTest, type UnivariateTest } from "../univariate-test.js";
import { logNormCdf } from "./log-norm-cdf.js";
import { byRank, readOrder, sortedRows, type OrderOption } from "./sorted-rows.js";

/** The Anderson-Darling test of N(0, 1), x [..., N, K] -> [..., K]:
 *
 *  `A² = -N - 1/N sum_i ((2i - 1) log Phi(x_(i)) + (2N + 1 - 2i) log(1 - Phi(x_(i))))`, x_(i) the i-th smallest sample.
 *
 *  At least 0; for samples of N(0, 1) its mean is 1, and 2.49 is exceeded by one in twenty. The tails weigh more than
 *  in {@link cramerVonMises}. Both logarithms are compared with those at p_i = (2i - 1) / (2N), so that float32 does
 *  not lose the statistic in N. Work: a sort and two logarithms of Phi for each sample.
 *
 *  @param options Whether the samples are sorted already.
 *  @throws LejepaError `invalid-option`; the test itself `shape-mismatch`, and `unsupported`
 *  without the capability sort, and on one process of several.
 *  Source: Anderson and Darling, J. Am. Stat. Assoc. 49 (1954). */
export function andersonDarling(options: OrderOption = {}): UnivariateTest {
  checkNames("andersonDarling", options, ["order"]);
  const order = readOrder("andersonDarling", options);
  return univariateTest("andersonDarling", (k, rows) => {
    const [, samples = 0] = k.shape(rows);
    const sorted = sortedRows("andersonDarling", k, rows, order);
    const middle = (rank: number) => (2 * rank - 1) / (2 * samples);
    // Each logarithm weighs 2 p_i, or 2 (1 - p_i).
    const lower = k.mul(
      k.sub(
        logNormCdf(k, sorted),
        byRank(k, samples, (i) => Math.log(middle(i))),
      ),
      byRank(k, samples, (i) => 2 * middle(i)),
    );
    const upper = k.mul(
      k.sub(
        logNormCdf(k, k.neg(sorted)),
        byRank(k, samples, (i) => Math.log(1 - middle(i))),
      ),
      byRank(k, samples, (i) => 2 * (1 - middle(i))),
    );
    let atMiddles = -samples;
    for (let i = 1; i <= samples; i++) {
      const p = middle(i);
      atMiddles -= 2 * (p * Math.log(p) + (1 - p) * Math.log(1 - p));
    }
    return k.sub(atMiddles, k.sum(k.add(lower, upper), [1]));
  });
}
