import { checkNames } from "../refuse.js";
import { univariateTest, type UnivariateTest } from "../univariate-test.js";
import { normCdf } from "./norm-cdf.js";
import { byRank, readOrder, sortedRows, type OrderOption } from "./sorted-rows.js";

/** Watson's distance from N(0, 1), x [..., N, K] -> [..., K]:
 *
 *  `T = 1/N sum_i d_i² - (1/N sum_i d_i)²` with `d_i = Phi(x_(i)) - (2i - 1) / (2N)`,
 *
 *  the {@link cramerVonMises} distance without the part that a shift of Phi makes, `(mean Phi(x) - 1/2)²`. Computed as a
 *  variance, without the cancellation. At least 0; the classical statistic is `U² = N T + 1/(12 N)`. It answers to
 *  changes of spread and shape, little to one of the mean.
 *
 *  @param options Whether the samples are sorted already.
 *  @throws LejepaError `invalid-option`; the test itself `shape-mismatch`, and `unsupported`
 *  without the capability sort, and on one process of several.
 *  Source: Watson, Biometrika 48 (1961). */
export function watson(options: OrderOption = {}): UnivariateTest {
  checkNames("watson", options, ["order"]);
  const order = readOrder("watson", options);
  return univariateTest("watson", (k, rows) => {
    const [, samples = 0] = k.shape(rows);
    const middles = byRank(k, samples, (i) => (2 * i - 1) / (2 * samples));
    const differences = k.sub(normCdf(k, sortedRows("watson", k, rows, order)), middles);
    const fromMean = k.sub(differences, k.mean(differences, [1], "keep"));
    return k.mean(k.square(fromMean), [1]);
  });
}
