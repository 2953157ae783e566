/** k nearest neighbours: every test row is given the class that its most similar train rows vote for.
 *    s(q, n) = cosine of the standardised rows q and n,   vote of neighbour n = exp(s(q, n) / temperature)
 *  Exact: every test row is compared with every train row (N_test N_train D multiplications) and the nearest are
 *  picked, both on the engine in float32. Where the rounding of float32 could change the neighbours or the winner of the
 *  vote, the cosines of all train rows in question are computed again in float64, and those decide.
 *  Source: the weighted kNN protocol of Wu et al., arXiv 1805.01978. Differs: features are standardised first. */
import type { Engine } from "@lejepa/engine";
import { abortSignal, optional, positiveNumber, requireOptions, wholeNumber } from "@lejepa/ops";
import { Float64Directions } from "./float64-directions.js";
import { KnnDecision } from "./knn-decision.js";
import { checkProbeData, rowCount, type ProbeData } from "./labelled-features.js";
import { similaritySearch } from "./similarity-search.js";
import { directionsOf, standardisation } from "./standardise.js";

/** Options of {@link knnProbe}. */
export interface KnnProbeOptions {
  /** Neighbours that vote; 20 when left out. All train rows vote when there are fewer. */
  readonly k?: number;
  /** Similarities are divided by it before the exponential; 0.07 when left out. */
  readonly temperature?: number;
  /** Ends early: the promise then rejects with the signal's reason. */
  readonly signal?: AbortSignal;
}

/** What {@link knnProbe} found. */
export interface KnnProbeResult {
  /** Share of test rows whose class wins the vote, 0 to 1. */
  readonly accuracy: number;
  /** The class that won for each test row. */
  readonly predictions: Int32Array;
  /** Neighbours that voted: k, or the number of train rows if that is less. */
  readonly neighbours: number;
}

/** Neighbours that the engine finds beyond k: as a rule the k nearest by float64 are among them. Each costs it time. */
const spare = 4;

/** Classifies the test rows by their neighbours among the train rows.
 *  Ties: of equally similar train rows the one with the lower index is nearer; of equal votes the smaller class wins.
 *  Directions whose distances from a test row differ by less than 10^-14 are equally similar to it.
 *  A row whose standardised features are all zero has similarity 0 with every row. A column whose train rows all hold
 *  the same number is ignored.
 *  @throws LejepaError "no-features", "feature-shape", "invalid-features", "invalid-labels", "non-finite-features";
 *  "invalid-option" for options, "invalid-argument" for what is no engine */
export async function knnProbe(
  engine: Engine,
  data: ProbeData,
  options: KnnProbeOptions = {},
): Promise<KnnProbeResult> {
  requireOptions(
    "knnProbe",
    options,
    {
      k: optional(wholeNumber(1)),
      temperature: optional(positiveNumber),
      signal: optional(abortSignal),
    },
    "invalid-option",
  );
  const { k = 20, temperature = 0.07, signal } = options;
  checkProbeData("knnProbe", engine, data);
  const { train, test } = data;
  const { dim } = train;
  const scaling = standardisation(train.features, dim);
  const keys = directionsOf(train.features, scaling);
  const queries = directionsOf(test.features, scaling);

  const neighbours = Math.min(k, rowCount(train));
  const decision = new KnnDecision(
    new Float64Directions(train.features, scaling, keys.divisor),
    new Float64Directions(test.features, scaling, queries.divisor),
    dim,
    { labels: train.labels, neighbours, temperature },
  );
  const search = await similaritySearch(engine, keys.rows, {
    dim,
    queries: rowCount(test),
    wanted: Math.min(k + spare, rowCount(train)),
  });
  const predictions = new Int32Array(rowCount(test));
  try {
    const open: { readonly row: number; readonly last: number }[] = [];
    for (let start = 0; start < predictions.length; start += search.queriesAtOnce) {
      signal?.throwIfAborted();
      const rows = numbered(start, Math.min(search.queriesAtOnce, predictions.length - start));
      const found = await search.nearest(gathered(queries.rows, rows, search.queriesAtOnce, dim));
      rows.forEach((row, query) => {
        const nearest = found(query);
        const label =
          queries.divisor[row] === 0
            ? decision.withoutDirection()
            : decision.byNearest(row, nearest);
        if (label === undefined) open.push({ row, last: nearest.similarity[neighbours - 1]! });
        else predictions[row] = label;
      });
    }
    for (let start = 0; start < open.length; start += search.fewQueries) {
      signal?.throwIfAborted();
      const part = open.slice(start, start + search.fewQueries);
      const rows = part.map(({ row }) => row);
      const blocks = await search.similarities(
        gathered(queries.rows, rows, search.fewQueries, dim),
      );
      const lasts = part.map(({ last }) => last);
      decision.byAll(rows, lasts, blocks).forEach((label, i) => (predictions[rows[i]!] = label));
    }
  } finally {
    await search.dispose();
  }
  const right = predictions.filter((label, row) => label === test.labels[row]).length;
  return { accuracy: right / predictions.length, predictions, neighbours };
}

const numbered = (start: number, count: number): number[] =>
  Array.from({ length: count }, (_, i) => start + i);

/** The given rows below one another, filled up with zeros to `count` rows. */
function gathered(
  features: Float32Array,
  rows: readonly number[],
  count: number,
  dim: number,
): Float32Array {
  const out = new Float32Array(count * dim);
  rows.forEach((row, to) => out.set(features.subarray(row * dim, (row + 1) * dim), to * dim));
  return out;
}
