/** k nearest neighbours: every test row is given the class that its most similar train rows vote for.
 *    s(q, n) = cosine of the standardised rows q and n,   vote of neighbour n = exp(s(q, n) / temperature)
 *  Exact: every test row is compared with every train row (N_test N_train D multiplications, on the engine).
 *  Similarities are float32; sums of votes are float64. Source: the weighted kNN protocol of Wu et al.,
 *  arXiv 1805.01978. Differs: features are standardised first. */
import * as tf from "@tensorflow/tfjs-core";
import type { CompiledStep, Engine, Step } from "@lejepa/engine";
import { LejepaError } from "@lejepa/ops";
import { checkProbeData, rowCount, type ProbeData } from "./labelled-features.js";
import { normaliseRows, standardisation, standardise } from "./standardise.js";

/** Options of {@link knnProbe}. */
export interface KnnProbeOptions {
  /** Neighbours that vote; 20 when left out. All train rows vote when there are fewer. */
  readonly k?: number;
  /** Similarities are divided by it before the exponential; 0.07 when left out. */
  readonly temperature?: number;
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

/** Rows compared at once: a block of similarities stays in the processor's cache while it is searched. */
const queriesPerBlock = 256;
const keysPerBlock = 4096;

/** Classifies the test rows by their neighbours among the train rows.
 *  Ties: of equally similar train rows the one with the lower index is nearer; of equal votes the smaller class wins.
 *  A row whose standardised features are all zero has similarity 0 with every row. A column that is constant in the
 *  train set is ignored.
 *  @throws LejepaError "no-features", "feature-shape", "non-finite-features"; "invalid-option" for k or temperature */
export async function knnProbe(
  engine: Engine,
  data: ProbeData,
  { k = 20, temperature = 0.07 }: KnnProbeOptions = {},
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
  const blocks = {
    queries: Math.min(queriesPerBlock, rowCount(test)),
    keys: Math.min(keysPerBlock, rowCount(train)),
  };
  const compiled = await engine.compile(similarities, {
    state: {},
    inputs: {
      queries: { shape: [blocks.queries, dim] },
      keys: { shape: [blocks.keys, dim] },
    },
  });
  const predictions = new Int32Array(rowCount(test));
  try {
    for (let start = 0; start < predictions.length; start += blocks.queries) {
      const nearest = await nearestKeys(
        compiled,
        padded(queries, start, blocks.queries, dim),
        keys,
        {
          blocks,
          dim,
          neighbours,
        },
      );
      const end = Math.min(start + blocks.queries, predictions.length);
      for (let row = start; row < end; row++) {
        const list = nearest[row - start]!;
        predictions[row] = vote(list, train.labels, temperature);
      }
    }
  } finally {
    await compiled.dispose();
  }
  const right = predictions.filter((label, row) => label === test.labels[row]).length;
  return { accuracy: right / predictions.length, predictions, neighbours };
}

const similarities: Step = (_state, { queries, keys }) => ({
  state: {},
  outputs: {
    similarity: tf.matMul(queries as tf.Tensor2D, keys as tf.Tensor2D, false, true), // [Q, D] x [K, D]' -> [Q, K]
  },
});

/** The most similar train rows of one query, nearest first. */
interface Neighbours {
  readonly similarity: Float32Array;
  readonly index: Int32Array;
  found: number;
}

/** The neighbours of every query of a block. */
async function nearestKeys(
  compiled: CompiledStep,
  queries: Float32Array,
  keys: Float32Array,
  {
    blocks,
    dim,
    neighbours,
  }: { blocks: { queries: number; keys: number }; dim: number; neighbours: number },
): Promise<Neighbours[]> {
  const count = keys.length / dim;
  const lists = Array.from({ length: blocks.queries }, (): Neighbours => ({
    similarity: new Float32Array(neighbours),
    index: new Int32Array(neighbours),
    found: 0,
  }));
  for (let start = 0; start < count; start += blocks.keys) {
    const out = await compiled.run({ queries, keys: padded(keys, start, blocks.keys, dim) });
    const block = out["similarity"]!.data;
    const width = Math.min(blocks.keys, count - start);
    lists.forEach((list, query) => {
      const at = query * blocks.keys;
      merge(list, block.subarray(at, at + width), start);
    });
  }
  return lists;
}

/** Takes the similarities of keys `start`, `start + 1`, ... into a list. Equal ones come after those already there. */
function merge(list: Neighbours, row: Float32Array, start: number): void {
  const { similarity, index } = list;
  const size = similarity.length;
  let least = list.found < size ? -Infinity : similarity[size - 1]!;
  for (let key = 0; key < row.length; key++) {
    const value = row[key]!;
    if (!(value > least)) continue;
    let at = list.found < size ? list.found++ : size - 1;
    for (; at > 0 && similarity[at - 1]! < value; at--) {
      similarity[at] = similarity[at - 1]!;
      index[at] = index[at - 1]!;
    }
    similarity[at] = value;
    index[at] = start + key;
    if (list.found === size) least = similarity[size - 1]!;
  }
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
