import { millsRatioOf } from "./mills-ratio.js";
import { logRootTwoPi } from "./normal-tails.js";

/** Logarithms of the factorials 0!, 1!, ..., count!. */
export function logFactorials(count: number): Float64Array {
  const logs = new Float64Array(count + 1);
  for (let i = 2; i <= count; i++) logs[i] = (logs[i - 1] ?? 0) + Math.log(i);
  return logs;
}

/** The x that the `rank`-th smallest of `samples` draws from N(0, 1) stays below with probability q in (0, 1):
 *  the normal quantile of the quantile of the beta distribution with parameters rank and samples + 1 - rank. To 14 digits. */
export function orderStatisticQuantile(rank: number, samples: number, q: number): number {
  const logs = logFactorials(samples);
  const [a, b] = [rank, samples + 1 - rank];
  const logFactor = (logs[samples] ?? 0) - (logs[a - 1] ?? 0) - (logs[b - 1] ?? 0);
  const isBelow = (x: number) => {
    const [logP, logRest] = [logCdf(x), logCdf(-x)];
    const front = Math.exp(logFactor + a * logP + b * logRest);
    const p = Math.exp(logP);
    // The continued fraction converges fast on the near side of the mean.
    return p < (a + 1) / (a + b + 2)
      ? (front / a) * betaFraction(a, b, p) < q
      : 1 - (front / b) * betaFraction(b, a, Math.exp(logRest)) < q;
  };
  let [low, high] = [-38, 38]; // beyond, Phi is not in the range of the type
  for (let step = 0; step < 60; step++) {
    const middle = (low + high) / 2;
    if (isBelow(middle)) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}

/** log Phi(x) of a number. */
function logCdf(x: number): number {
  const ratio = millsRatioOf(Math.abs(x));
  const logTail = Math.log(ratio) - (x * x) / 2 - logRootTwoPi;
  return x < 0 ? logTail : Math.log1p(-Math.exp(logTail));
}

/** The continued fraction of the incomplete beta function, `I_p(a, b) = p^a (1 - p)^b / (a B(a, b)) · fraction`, by the
 *  method of Lentz. */
function betaFraction(a: number, b: number, p: number): number {
  const tiny = 1e-300;
  const away = (value: number) => (Math.abs(value) < tiny ? tiny : value);
  let c = 1;
  let d = 1 / away(1 - ((a + b) * p) / (a + 1));
  let fraction = d;
  for (let m = 1; m < 1000; m++) {
    const even = (m * (b - m) * p) / ((a + 2 * m - 1) * (a + 2 * m));
    const odd = (-(a + m) * (a + b + m) * p) / ((a + 2 * m) * (a + 2 * m + 1));
    let change = 1;
    for (const term of [even, odd]) {
      d = 1 / away(1 + term * d);
      c = away(1 + term / c);
      change = d * c;
      fraction *= change;
    }
    if (Math.abs(change - 1) < 1e-16) break;
  }
  return fraction;
}
