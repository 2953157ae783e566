/** k nearest neighbours: every test row is given the class that its most similar train rows vote for.
 *    s(q, n) = cosine of the standardised rows q and n,   vote of neighbour n = exp(s(q, n) / temperature)
 *  Exact: every test row is compared with every train row (N_test N_train D multiplications) and the nearest are
 *  picked, both on the engine.
 *  Similarities are float32; sums of votes are float64. Source: the weighted kNN protocol of Wu et al.,
 *  arXiv 1805.01978. Differs: features are standardised first. */
import * as tf from "@tensorflow/tfjs-core";
import type { Engine, Step } from "@lejepa/engine";
import { LejepaError, type HostTensors } from "@lejepa/ops";
import { checkProbeData, rowCount, type ProbeData } from "./labelled-features.js";
import { normaliseRows, standardisation, standardise } from "./standardise.js";

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

/** Most rows compared at once: a block of similarities stays in the processor's cache while it is searched. */
const mostQueries = 256;
const mostKeys = 4096;

/** Classifies the test rows by their neighbours among the train rows.
 *  Ties: of equally similar train rows the one with the lower index is nearer; of equal votes the smaller class wins.
 *  A row whose standardised features are all zero has similarity 0 with every row. A column that is constant in the
 *  train set is ignored.
 *  @throws LejepaError "no-features", "feature-shape", "non-finite-features"; "invalid-option" for k or temperature */
export async function knnProbe(
  engine: Engine,
  data: ProbeData,
  { k = 20, temperature = 0.07, signal }: KnnProbeOptions = {},
): Promise<KnnProbeResult> {
  checkProbeData("knnProbe", data);
  if (!(Number.isInteger(k) && k >= 1)) {
    throw new LejepaError(
      "invalid-option",
      `knnProbe: k should be a whole number of at least 1, got ${k}.`,
    );
  }
  if (!(temperature > 0 && temperature < Infinity)) {
    throw new LejepaError(
      "invalid-option",
      `knnProbe: temperature should be a number above 0, got ${temperature}.`,
    );
  }
  const { train, test } = data;
  const { dim } = train;
  const scaling = standardisation(train.features, dim);
  const keys = directionsOf(train.features);
  const queries = directionsOf(test.features);
  function directionsOf(features: Float32Array): Float32Array {
    const rows = standardise(features, scaling);
    normaliseRows(rows, dim);
    return rows;
  }

  const neighbours = Math.min(k, rowCount(train));
  const keyBlocks = blocksOf(rowCount(train), mostKeys);
  const queriesAtOnce = blocksOf(rowCount(test), mostQueries)[0]!.rows;
  const compiled = await engine.compile(nearest(keyBlocks, neighbours), {
    state: Object.fromEntries(
      keyBlocks.map(({ start, rows }, block) => [
        keysName(block),
        { shape: [rows, dim], data: keys.subarray(start * dim, (start + rows) * dim) },
      ]),
    ),
    inputs: { queries: { shape: [queriesAtOnce, dim] } },
  });
  const predictions = new Int32Array(rowCount(test));
  try {
    for (let start = 0; start < predictions.length; start += queriesAtOnce) {
      signal?.throwIfAborted();
      const found = neighboursOf(
        await compiled.run({ queries: padded(queries, start, queriesAtOnce, dim) }),
        keyBlocks,
        neighbours,
      );
      const end = Math.min(start + queriesAtOnce, predictions.length);
      for (let row = start; row < end; row++) {
        predictions[row] = vote(found(row - start), train.labels, temperature);
      }
    }
  } finally {
    await compiled.dispose();
  }
  const right = predictions.filter((label, row) => label === test.labels[row]).length;
  return { accuracy: right / predictions.length, predictions, neighbours };
}

/** Some rows of a set. */
interface Block {
  readonly start: number;
  readonly rows: number;
}

/** Cuts rows into as few blocks of at most `most` as there can be, all of one size but the last. */
function blocksOf(rows: number, most: number): readonly Block[] {
  const count = Math.ceil(rows / most);
  const size = Math.ceil(rows / count);
  return Array.from({ length: Math.ceil(rows / size) }, (_, block) => ({
    start: block * size,
    rows: Math.min(size, rows - block * size),
  }));
}

/** Name in the state of the keys of a block. */
const keysName = (block: number): string => `keys${block}`;

/** The nearest keys of every query: of each block of keys the nearest, then the nearest of those.
 *    candidates [Q, C]: row within its block of each block's nearest;   places [Q, k]: columns of `candidates`
 *  Of equals, `topk` takes the first, and the blocks are in order. */
function nearest(keyBlocks: readonly Block[], neighbours: number): Step {
  return (state, inputs) => {
    const queries = inputs["queries"] as tf.Tensor2D;
    const ofBlocks = keyBlocks.map(({ rows }, block) => {
      const keys = state[keysName(block)] as tf.Tensor2D;
      const similarity = tf.matMul(queries, keys, false, true); // [Q, D] x [K, D]' -> [Q, K]
      return tf.topk(similarity, Math.min(neighbours, rows));
    });
    const best = tf.topk(
      tf.concat(
        ofBlocks.map(({ values }) => values),
        1,
      ),
      neighbours,
    );
    const candidates = tf.concat(
      ofBlocks.map(({ indices }) => indices),
      1,
    );
    return { state, outputs: { similarity: best.values, places: best.indices, candidates } };
  };
}

/** The most similar train rows of one query, nearest first. */
interface Neighbours {
  readonly similarity: Float32Array;
  readonly index: Int32Array;
}

/** What {@link nearest} found, by query. */
function neighboursOf(
  { similarity, places, candidates }: HostTensors,
  keyBlocks: readonly Block[],
  neighbours: number,
): (query: number) => Neighbours {
  const starts = keyBlocks.flatMap(({ start, rows }) =>
    new Array<number>(Math.min(neighbours, rows)).fill(start),
  );
  return (query) => {
    const own = { from: query * neighbours, to: (query + 1) * neighbours };
    return {
      similarity: similarity!.data.subarray(own.from, own.to),
      index: Int32Array.from(
        places!.data.subarray(own.from, own.to),
        (place) => starts[place]! + candidates!.data[query * starts.length + place]!,
      ),
    };
  };
}

function vote({ similarity, index }: Neighbours, labels: Int32Array, temperature: number): number {
  const votes = new Map<number, number>();
  index.forEach((row, i) => {
    // Relative to the nearest, so that no temperature overflows.
    const weight = Math.exp((similarity[i]! - similarity[0]!) / temperature);
    votes.set(labels[row]!, (votes.get(labels[row]!) ?? 0) + weight);
  });
  let winner: [label: number, weight: number] | undefined;
  for (const [label, weight] of votes) {
    const wins =
      winner === undefined || weight > winner[1] || (weight === winner[1] && label < winner[0]);
    if (wins) winner = [label, weight];
  }
  return winner![0];
}

/** Rows `start` to `start + rows`: in place where they are all there, else a copy filled up with zeros. */
function padded(features: Float32Array, start: number, rows: number, dim: number): Float32Array {
  const part = features.subarray(start * dim, (start + rows) * dim);
  if (part.length === rows * dim) return part;
  const full = new Float32Array(rows * dim);
  full.set(part);
  return full;
}
