import * as tf from "@tensorflow/tfjs-core";
import type { Engine, Step } from "@lejepa/engine";
import { checkCompiled } from "./labelled-features.js";

/** The most similar keys of one query by the engine's arithmetic, nearest first. */
export interface Neighbours {
  /** Cosines in float32. */
  readonly similarity: Float32Array;
  /** Rows of the keys. */
  readonly index: Int32Array;
}

/** Compares queries with keys on an engine, in float32. */
export interface SimilaritySearch {
  /** Queries of one call of `nearest`. */
  readonly queriesAtOnce: number;
  /** Queries of one call of `similarities`. */
  readonly fewQueries: number;
  /** The nearest keys of each of `queriesAtOnce` queries [Q, D]. */
  nearest(queries: Float32Array): Promise<(query: number) => Neighbours>;
  /** The cosines of each of `fewQueries` queries [Q, D] with all keys, for each block of them. */
  similarities(queries: Float32Array): Promise<readonly SimilarityBlock[]>;
  /** Frees the engine's memory. */
  dispose(): Promise<void>;
}

/** Cosines of queries with the keys from `start` on. */
export interface SimilarityBlock {
  readonly start: number;
  readonly rows: number;
  /** Row-major [Q, rows]. */
  readonly values: Float32Array;
}

/** Most rows compared at once: a block of similarities stays in the processor's cache while it is searched. */
const mostQueries = 256;
const mostKeys = 4096;
/** Most cosines that one call of `similarities` returns: 64 MiB. */
const mostSimilarities = 2 ** 24;

/** Prepares the search of `wanted` nearest keys among `keys` [K, D]. */
export async function similaritySearch(
  engine: Engine,
  keys: Float32Array,
  { dim, queries, wanted }: { readonly dim: number; readonly queries: number; wanted: number },
): Promise<SimilaritySearch> {
  const keyCount = keys.length / dim;
  const keyBlocks = blocksOf(keyCount, mostKeys);
  const queriesAtOnce = blocksOf(queries, mostQueries)[0]!.rows;
  const fewQueries = Math.max(1, Math.min(queriesAtOnce, Math.floor(mostSimilarities / keyCount)));
  const program = await engine.compile(
    { nearest: nearest(keyBlocks, wanted), similarities: similarities(keyBlocks) },
    {
      state: Object.fromEntries(
        keyBlocks.map(({ start, rows }, block) => [
          keysName(block),
          { shape: [rows, dim], data: keys.subarray(start * dim, (start + rows) * dim) },
        ]),
      ),
      inputs: {
        nearest: { queries: { shape: [queriesAtOnce, dim] } },
        similarities: { queries: { shape: [fewQueries, dim] } },
      },
    },
  );
  checkCompiled("knnProbe", program, [
    "entries.nearest.run",
    "entries.similarities.run",
    "dispose",
  ]);
  const starts = keyBlocks.flatMap(({ start, rows }) =>
    new Array<number>(Math.min(wanted, rows)).fill(start),
  );
  return {
    queriesAtOnce,
    fewQueries,
    async nearest(block) {
      const found = await program.entries.nearest.run({ queries: block });
      const [similarity, places, candidates] = ["similarity", "places", "candidates"].map(
        (name) => found[name]!.data,
      ) as [Float32Array, Float32Array, Float32Array];
      return (query) => {
        const own = [query * wanted, (query + 1) * wanted] as const;
        return {
          similarity: similarity.subarray(...own),
          index: Int32Array.from(
            places.subarray(...own),
            (place) => starts[place]! + candidates[query * starts.length + place]!,
          ),
        };
      };
    },
    async similarities(block) {
      const found = await program.entries.similarities.run({ queries: block });
      return keyBlocks.map(({ start, rows }, at) => ({
        start,
        rows,
        values: found[similaritiesName(at)]!.data,
      }));
    },
    dispose: () => program.dispose(),
  };
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

/** Names of a block: of its keys in the state, and of its cosines among the outputs. */
const keysName = (block: number): string => `keys${block}`;
const similaritiesName = (block: number): string => `similarities${block}`;

/** [Q, D] x [K, D]' -> [Q, K]. */
const cosines = (queries: tf.Tensor, keys: tf.Tensor): tf.Tensor2D =>
  tf.matMul(queries, keys, false, true);

/** The nearest keys of every query: of each block of keys the nearest, then the nearest of those.
 *    candidates [Q, C]: row within its block of each block's nearest;   places [Q, wanted]: columns of `candidates` */
function nearest(keyBlocks: readonly Block[], wanted: number): Step {
  return (state, inputs) => {
    const ofBlocks = keyBlocks.map(({ rows }, block) =>
      tf.topk(cosines(inputs["queries"]!, state[keysName(block)]!), Math.min(wanted, rows)),
    );
    const best = tf.topk(
      tf.concat(
        ofBlocks.map(({ values }) => values),
        1,
      ),
      wanted,
    );
    const candidates = tf.concat(
      ofBlocks.map(({ indices }) => indices),
      1,
    );
    return { state, outputs: { similarity: best.values, places: best.indices, candidates } };
  };
}

/** The cosines with all keys of each block. */
function similarities(keyBlocks: readonly Block[]): Step {
  return (state, inputs) => ({
    state,
    outputs: Object.fromEntries(
      keyBlocks.map((_, block) => [
        similaritiesName(block),
        cosines(inputs["queries"]!, state[keysName(block)]!),
      ]),
    ),
  });
}
