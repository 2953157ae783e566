import { checkNames } from "../refuse.js";
import { univariateTest, type UnivariateTest } from "../univariate-test.js";
import {
  checkAlpha,
  losses,
  rankConstants,
  stacked,
  type RankConstants,
} from "./order-statistic-nll.js";
import { readOrder, sortedRows, type OrderOption } from "./sorted-rows.js";

/** Options of `nllOrderStatistics`. */
export interface NllOrderStatisticsOptions extends OrderOption {
  /** A sample between the quantiles `alpha` and `1 - alpha` of its order statistic counts as 0. In (0, 1/2]; default 1/2:
   *  every sample counts. */
  readonly alpha?: number | undefined;
}

/** How unlikely samples are as the order statistics of N(0, 1), x [..., N, K] -> [..., K]: the mean over i of
 *
 *  `-log( N! / ((i-1)! (N-i)!) Phi(x_(i))^(i-1) (1 - Phi(x_(i)))^(N-i) phi(x_(i)) )`, x_(i) the i-th smallest sample.
 *
 *  A negative log-likelihood, of either sign: smallest, about -log(N)/2 for large N, where each sample lies at the
 *  mode of its order statistic. {@link orderStatisticNll} gives the terms one by one. Work: a sort and two logarithms of
 *  Phi for each sample; with alpha below 1/2, once for each N, N quantiles.
 *
 *  @param options Which samples count.
 *  @throws LejepaError `invalid-option`; the test itself `shape-mismatch`, and `unsupported`
 *  without the capability sort, and on one process of several.
 *  Source: David and Nagaraja, Order Statistics (2003), section 2.1. */
export function nllOrderStatistics(options: NllOrderStatisticsOptions = {}): UnivariateTest {
  checkNames("nllOrderStatistics", options, ["alpha", "order"]);
  const { alpha = 1 / 2 } = options;
  checkAlpha("nllOrderStatistics", alpha);
  const order = readOrder("nllOrderStatistics", options);
  const known = new Map<number, RankConstants<number>[]>();
  return univariateTest("nllOrderStatistics", (k, rows) => {
    const [, samples = 0] = k.shape(rows);
    let constants = known.get(samples);
    if (constants === undefined) {
      const ofRank = rankConstants(samples, alpha);
      constants = Array.from({ length: samples }, (_, i) => ofRank(i + 1));
      known.set(samples, constants);
    }
    const tensors = stacked(constants, (values) => k.fromArray(values, [samples]));
    return k.mean(losses(k, sortedRows("nllOrderStatistics", k, rows, order), tensors, 0), [1]);
  });
}
