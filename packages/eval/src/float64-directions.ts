import type { Standardisation } from "./standardise.js";

/** Rows of a set in float64: standardised, and divided by their length. Made when asked for, since all of them would take
 *  twice the memory of the features. */
export class Float64Directions {
  readonly #features: Float32Array;
  readonly #scaling: Standardisation;
  readonly #lengths: Float64Array;

  /** @param lengths Of the standardised rows: the divisors of `directionsOf`. */
  constructor(features: Float32Array, scaling: Standardisation, lengths: Float64Array) {
    this.#features = features;
    this.#scaling = scaling;
    this.#lengths = lengths;
  }

  /** Writes row `n` [D] to `into` at `to`: zeros where the row has no direction. */
  write(n: number, into: Float64Array, to = 0): void {
    const { mean, scale } = this.#scaling;
    const dim = mean.length;
    const length = this.#lengths[n]!;
    const from = n * dim;
    for (let d = 0; d < dim; d++)
      into[to + d] = length > 0 ? ((this.#features[from + d]! - mean[d]!) * scale[d]!) / length : 0;
  }
}

/** Chords are rounded to multiples of this: directions that are equally far from a query but for the rounding of float64
 *  are equally far. */
const grid = 2 ** -46;

/** The distance |u - v| between the ends of two directions, 0 to 2, u in `rows` at `at`:   cosine = 1 - chord^2 / 2.
 *  Exact to 10^-15 also for directions so near that their cosine is 1 in float64. A row of zeros is as far from every
 *  direction as one at a right angle, whose cosine is 0. */
export function chord(rows: Float64Array, at: number, query: Float64Array): number {
  let squares = 0;
  let isZero = true;
  for (let d = 0; d < query.length; d++) {
    const value = rows[at + d]!;
    if (value !== 0) isZero = false;
    const difference = value - query[d]!;
    squares += difference * difference;
  }
  return Math.round(Math.sqrt(isZero ? 2 : squares) / grid) * grid;
}
