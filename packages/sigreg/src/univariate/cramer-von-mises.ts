import { checkNames } from "../refuse.js";
import { univariateTest, type UnivariateTest } from "../univariate-test.js";
import { normCdf } from "./norm-cdf.js";
import { byRank, readOrder, sortedRows, type OrderOption } from "./sorted-rows.js";

/** The Cramér-von Mises distance from N(0, 1), x [..., N, K] -> [..., K]:
 *
 *  `T = 1/N sum_i (Phi(x_(i)) - (2i - 1) / (2N))²`, x_(i) the i-th smallest sample.
 *
 *  In [0, 1/3]; a mean, so that the classical statistic is `W² = N T + 1/(12 N)`. Work: a sort and one Phi for each sample.
 *  Samples far out in the tails get hardly any gradient: Phi is flat there.
 *
 *  @param options Whether the samples are sorted already.
 *  @throws LejepaError `invalid-option`; the test itself `shape-mismatch`, and `unsupported`
 *  without the capability sort, and on one process of several.
 *  Source: Anderson, Ann. Math. Stat. 33 (1962), for one sample. */
export function cramerVonMises(options: OrderOption = {}): UnivariateTest {
  checkNames("cramerVonMises", options, ["order"]);
  const order = readOrder("cramerVonMises", options);
  return univariateTest("cramerVonMises", (k, rows) => {
    const [, samples = 0] = k.shape(rows);
    const middles = byRank(k, samples, (i) => (2 * i - 1) / (2 * samples));
    return k.mean(
      k.square(k.sub(normCdf(k, sortedRows("cramerVonMises", k, rows, order)), middles)),
      [1],
    );
  });
}
