import type { LabelledFeatures } from "./labelled-features.js";
import { chord, type Float64Directions } from "./float64-directions.js";
import { NearestFew } from "./nearest-few.js";
import type { Neighbours, SimilarityBlock } from "./similarity-search.js";

/** How the vote goes. */
export interface Vote {
  /** The class of each train row. */
  readonly labels: LabelledFeatures["labels"];
  /** k, at most the number of train rows. */
  readonly neighbours: number;
  readonly temperature: number;
}

/** Decides on the class of test rows from cosines in float32 where these suffice, and from float64 where not. */
export class KnnDecision {
  readonly #keys: Float64Directions;
  readonly #queries: Float64Directions;
  readonly #vote: Vote;
  readonly #dim: number;
  readonly #query: Float64Array;
  readonly #key: Float64Array;
  /** No cosine that an engine computes is further off: D products and sums in any order, of numbers rounded to float32. */
  readonly #error: number;

  constructor(keys: Float64Directions, queries: Float64Directions, dim: number, vote: Vote) {
    this.#keys = keys;
    this.#queries = queries;
    this.#vote = vote;
    this.#dim = dim;
    this.#query = new Float64Array(dim);
    this.#key = new Float64Array(dim);
    this.#error = (dim + 3) * 2 ** -24;
  }

  /** The class of a test row without direction, which is equally similar to all train rows: the first ones vote. */
  withoutDirection(): number {
    const { labels, neighbours } = this.#vote;
    return winner(labels.subarray(0, neighbours), () => 1).label;
  }

  /** The class of a test row by the nearest train rows of an engine, undefined where those nearest in float64 may not be
   *  among them. */
  byNearest(row: number, { similarity, index }: Neighbours): number | undefined {
    const { labels, neighbours, temperature } = this.#vote;
    const last = similarity[neighbours - 1]!;
    const isAll = similarity.length === labels.length;
    const isChoiceCertain =
      similarity.length === neighbours || last - similarity[neighbours]! > 2 * this.#error;
    if (isChoiceCertain) {
      const voters = index.subarray(0, neighbours);
      const { label, lead } = winner(
        Int32Array.from(voters, (key) => labels[key]!),
        // Relative to the nearest, so that no temperature overflows.
        (i) => Math.exp((similarity[i]! - similarity[0]!) / temperature),
      );
      if (lead > Math.exp((2 * this.#error) / temperature)) return label;
    }
    const least = last - 2 * this.#error;
    if (!isAll && similarity.at(-1)! >= least) return undefined;
    const nearest = new NearestFew(neighbours);
    this.#queries.write(row, this.#query);
    index.forEach((key, i) => {
      if (similarity[i]! < least) return;
      this.#keys.write(key, this.#key);
      nearest.offer(chord(this.#key, 0, this.#query), key);
    });
    return this.#byChords(nearest);
  }

  /** The classes of test rows by their cosines with all train rows. `lasts` are the cosines of their k-th nearest. */
  byAll(
    rows: readonly number[],
    lasts: readonly number[],
    blocks: readonly SimilarityBlock[],
  ): number[] {
    const queries = rows.map((row) => {
      const query = new Float64Array(this.#dim);
      this.#queries.write(row, query);
      return { query, nearest: new NearestFew(this.#vote.neighbours) };
    });
    for (const { start, rows: count, values } of blocks) {
      const keys = new Float64Array(count * this.#dim);
      for (let n = 0; n < count; n++) this.#keys.write(start + n, keys, n * this.#dim);
      queries.forEach(({ query, nearest }, q) => {
        const least = lasts[q]! - 2 * this.#error;
        for (let n = 0; n < count; n++)
          if (values[q * count + n]! >= least)
            nearest.offer(chord(keys, n * this.#dim, query), start + n);
      });
    }
    return queries.map(({ nearest }) => this.#byChords(nearest));
  }

  #byChords(nearest: NearestFew): number {
    const { labels, temperature } = this.#vote;
    const { distances, indices } = nearest.sorted();
    return winner(
      Int32Array.from(indices, (key) => labels[key]!),
      (i) => Math.exp((distances[0]! ** 2 - distances[i]! ** 2) / 2 / temperature),
    ).label;
  }
}

/** The label with the most votes, of equals the smallest, and how many times the votes of the next one it has. */
function winner(
  labels: Int32Array,
  weightOf: (i: number) => number,
): { readonly label: number; readonly lead: number } {
  const votes = new Map<number, number>();
  labels.forEach((label, i) => votes.set(label, (votes.get(label) ?? 0) + weightOf(i)));
  let [label, most, second] = [0, -1, 0];
  for (const [candidate, weight] of votes) {
    if (weight > most || (weight === most && candidate < label)) {
      if (most >= 0) second = most;
      [label, most] = [candidate, weight];
    } else second = Math.max(second, weight);
  }
  return { label, lead: second === 0 ? Infinity : most / second };
}
