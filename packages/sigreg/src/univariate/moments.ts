import type { TensorAdapter } from "@lejepa/tensor";
import { checkNames, checkNumber } from "../refuse.js";
import { univariateTest, type UnivariateTest } from "../univariate-test.js";
import { meanOfSamples } from "./sample-variance.js";

/** Options of `moments`. */
export interface MomentsOptions {
  /** The highest moment compared, an integer of 1 or more; default 4. */
  readonly order?: number | undefined;
}

/** The distance of the first moments from those of N(0, 1), x [..., N, K] -> [..., K]:
 *
 *  `|mean x| + sum_{j=2..order} exp(-j) |mean x^j - M_j|`, M_j = (j - 1)!! for even j and 0 for odd j.
 *
 *  At least 0. A finite number of moments is met by other distributions too, and each higher one is larger and noisier;
 *  exp(-j) keeps the sum in bounds. At the kinks of |.| the gradient is 0.
 *  Where the adapter has `allReduceMean`, the moments are those of all processes.
 *
 *  @param options Where to stop.
 *  @throws LejepaError `invalid-option`; the test itself `shape-mismatch`.
 *  Source: LeJEPA, arXiv 2511.08544. */
export function moments(options: MomentsOptions = {}): UnivariateTest {
  checkNames("moments", options, ["order"]);
  const { order = 4 } = options;
  const allowed = () => Number.isInteger(order) && order >= 1;
  checkNumber("moments", "order", order, allowed, "an integer of 1 or more");
  return univariateTest("moments", (k, rows) => {
    let power = rows;
    let distance = size(k, meanOfSamples(k, rows));
    for (let j = 2; j <= order; j++) {
      power = k.mul(power, rows);
      const difference = size(k, k.sub(meanOfSamples(k, power), normalMoment(j)));
      distance = k.add(distance, k.mul(difference, Math.exp(-j)));
    }
    return distance;
  });
}

/** |x|, with the gradient 0 at 0, which frameworks do not agree on. */
function size<T>(k: TensorAdapter<T>, x: T): T {
  return k.mul(x, k.sub(k.greaterEqual(x, 0), k.greaterEqual(0, x)));
}

/** The j-th moment of N(0, 1). */
function normalMoment(j: number): number {
  if (j % 2 === 1) return 0;
  let product = 1;
  for (let factor = j - 1; factor > 1; factor -= 2) product *= factor;
  return product;
}
