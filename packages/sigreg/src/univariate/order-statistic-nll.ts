import type { TensorAdapter } from "@lejepa/tensor";
import { checkAdapter, checkChoice, checkNames, checkNumber, refuse, show } from "../refuse.js";
import { needWholeBatch } from "../whole-batch.js";
import { logNormCdf } from "./log-norm-cdf.js";
import { logRootTwoPi } from "./normal-tails.js";
import { logFactorials, orderStatisticQuantile } from "./order-statistic-quantile.js";

/** Options of `orderStatisticNll`. */
export interface OrderStatisticNllOptions {
  /** A sample that lies between the quantiles `alpha` and `1 - alpha` of its order statistic is close enough and has no
   *  loss. In (0, 1/2]; default 1/2: every sample has one. */
  readonly alpha?: number | undefined;
  /** What is put for a sample without loss: "zero" (default) or "nan". Neither has a gradient. */
  readonly inside?: "zero" | "nan" | undefined;
  /** Judges every entry as the order statistic of this rank, 1 the smallest, instead of by its own rank in x. */
  readonly rank?: number | undefined;
  /** With `rank`: the number of samples that it is a rank among; default N. */
  readonly among?: number | undefined;
}

const names = ["alpha", "inside", "rank", "among"] as const;

/** The loss of each sample on its own: how unlikely it is as the order statistic of its rank among N draws from N(0, 1),
 *  x [..., N, K] or [N] -> the same shape, each loss in the place of its sample:
 *
 *  `L_i = -log( N! / ((r-1)! (N-r)!) Phi(x_i)^(r-1) (1 - Phi(x_i))^(N-r) phi(x_i) )`, r the rank of x_i.
 *
 *  Equal samples are ranked in the order in which they lie. Without `rank`, finding the ranks takes N² time and memory;
 *  `nllOrderStatistics`, the mean of the losses, needs only a sort.
 *
 *  @param options Which samples have a loss, and by which rank.
 *  @returns The function of an adapter and x; it throws `shape-mismatch` for x without samples, or of fewer than `rank`,
 *  and `unsupported` on one process of several.
 *  @throws LejepaError `invalid-option`.
 *  Source: David and Nagaraja, Order Statistics (2003), section 2.1. */
export function orderStatisticNll(
  options: OrderStatisticNllOptions = {},
): <T>(adapter: TensorAdapter<T>, x: T) => T {
  const where = "orderStatisticNll";
  checkNames(where, options, names);
  const { alpha = 1 / 2, inside = "zero", rank, among } = options;
  checkAlpha(where, alpha);
  checkChoice(where, "inside", inside, ["zero", "nan"]);
  for (const [name, value] of Object.entries({ rank, among }))
    if (value !== undefined)
      checkNumber(
        where,
        name,
        value,
        () => Number.isInteger(value) && value >= 1,
        "a positive integer",
      );
  if (among !== undefined && (rank === undefined || rank > among))
    refuse("invalid-option", `${where}: among should come with a rank of at most ${among}.`);
  const empty = inside === "zero" ? 0 : NaN;

  return (k, x) => {
    checkAdapter(where, k);
    const shape = k.shape(x);
    const samples = shape.length === 1 ? shape[0] : shape.at(-2);
    if (samples === undefined || samples === 0)
      refuse(
        "shape-mismatch",
        `${where}: x should have shape [..., N, K] or [N] with at least one sample, got ${show(shape)}.`,
      );
    if (rank !== undefined) {
      const total = among ?? samples;
      if (rank > total)
        refuse(
          "shape-mismatch",
          `${where}: rank ${rank} needs at least ${rank} samples, got ${total}.`,
        );
      return losses(k, x, rankConstants(total, alpha)(rank), empty);
    }
    needWholeBatch(where, k);
    const columns = shape.length === 1 ? 1 : (shape.at(-1) ?? 1);
    const leading = shape.slice(0, -2).reduce((product, size) => product * size, 1);
    const cube = k.reshape(x, [leading, samples, columns]);
    const rows = k.reshape(k.transpose(cube, [0, 2, 1]), [leading * columns, samples]);
    const ofRank = rankConstants(samples, alpha);
    const constants = Array.from({ length: samples }, (_, i) => ofRank(i + 1));
    const found = losses(k, rows, atRanksOf(k, rows, constants), empty);
    const back = k.transpose(k.reshape(found, [leading, columns, samples]), [0, 2, 1]);
    return k.reshape(back, shape);
  };
}

/** Checks the option alpha. */
export function checkAlpha(where: string, alpha: number): void {
  checkNumber(
    where,
    "alpha",
    alpha,
    () => alpha > 0 && alpha <= 1 / 2,
    "a number above 0, up to 1/2",
  );
}

/** What the loss of a rank needs: the log of the binomial factor, r - 1, N - r, and the cut-offs. As numbers or tensors. */
export interface RankConstants<V> {
  readonly logFactor: V;
  readonly below: V;
  readonly above: V;
  /** Samples between these have no loss; undefined when all have. */
  readonly cuts: { readonly low: V; readonly high: V } | undefined;
}

/** The constants by rank among `samples` draws. */
export function rankConstants(
  samples: number,
  alpha: number,
): (rank: number) => RankConstants<number> {
  const logs = logFactorials(samples);
  return (rank) => ({
    logFactor: (logs[samples] ?? 0) - (logs[rank - 1] ?? 0) - (logs[samples - rank] ?? 0),
    below: rank - 1,
    above: samples - rank,
    cuts:
      alpha === 1 / 2
        ? undefined
        : {
            low: orderStatisticQuantile(rank, samples, alpha),
            high: orderStatisticQuantile(rank, samples, 1 - alpha),
          },
  });
}

/** The constants of all ranks, each kind of them as one tensor by `toTensor`. */
export function stacked<T>(
  constants: readonly RankConstants<number>[],
  toTensor: (values: readonly number[]) => T,
): RankConstants<T> {
  const take = (of: (entry: RankConstants<number>) => number) => toTensor(constants.map(of));
  return {
    logFactor: take((entry) => entry.logFactor),
    below: take((entry) => entry.below),
    above: take((entry) => entry.above),
    cuts:
      constants[0]?.cuts === undefined
        ? undefined
        : {
            low: take((entry) => entry.cuts?.low ?? NaN),
            high: take((entry) => entry.cuts?.high ?? NaN),
          },
  };
}

/** The losses of x with the constants of each entry, `empty` where it has none. */
export function losses<T>(
  k: TensorAdapter<T>,
  x: T,
  { logFactor, below, above, cuts }: RankConstants<T | number>,
  empty: number,
): T {
  const ofOthers = k.add(k.mul(logNormCdf(k, x), below), k.mul(logNormCdf(k, k.neg(x)), above));
  const ofItself = k.add(k.mul(k.square(x), 1 / 2), logRootTwoPi);
  const all = k.sub(k.sub(ofItself, logFactor), ofOthers);
  if (cuts === undefined) return all;
  const isBetween = k.mul(k.greaterEqual(x, cuts.low), k.greaterEqual(cuts.high, x));
  return k.where(isBetween, empty, all);
}

/** The constants of each entry of rows [R, N] by its rank in its row. The contract has no way from values to positions, so
 *  ranks are counted, and the constants taken by products with a matrix of ones and zeros. */
function atRanksOf<T>(
  k: TensorAdapter<T>,
  rows: T,
  constants: readonly RankConstants<number>[],
): RankConstants<T> {
  const [count = 0, samples = 0] = k.shape(rows);
  const each = k.reshape(rows, [count, samples, 1]);
  const other = k.reshape(rows, [count, 1, samples]);
  const isEarlier = k.fromArray(
    Array.from({ length: samples * samples }, (_, p) =>
      Number(p % samples < Math.floor(p / samples)),
    ),
    [samples, samples],
  );
  // An earlier sample goes before this one if it is not larger, a later one if it is smaller.
  const goesBefore = k.where(
    isEarlier,
    k.greaterEqual(each, other),
    k.sub(1, k.greaterEqual(other, each)),
  );
  const before = k.sum(goesBefore, [2], "keep"); // rank - 1
  const ranks = k.fromArray(
    Array.from({ length: samples }, (_, i) => i),
    [samples],
  );
  const isRank = k.mul(k.greaterEqual(before, ranks), k.greaterEqual(ranks, before));
  return stacked(constants, (values) =>
    k.reshape(k.matMul(isRank, k.fromArray(values, [samples, 1])), [count, samples]),
  );
}
