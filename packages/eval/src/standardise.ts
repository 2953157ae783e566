/** Standardised features: x' = (x - mean) / std for each column, mean and std of the train rows.
 *  std is that of the population (divided by N). A column whose train rows all hold the same number carries nothing to
 *  learn from; it becomes 0 in every set. Everything is computed in float64: float32 features 1 apart at 10^6, or 10^-40
 *  apart at 0, keep their difference. */

/** The mean and the reciprocal standard deviation of each column. */
export interface Standardisation {
  /** Mean of each column over the train rows, D numbers. */
  readonly mean: Float64Array;
  /** 1 / std of each column, D numbers; 0 where the column is constant. */
  readonly scale: Float64Array;
}

/** Measures the columns of row-major `features` [N, D]. The second pass corrects the mean of the first by the mean of
 *  what it left, so that the rounding of a long sum of large numbers is not seen in small differences. */
export function standardisation(features: Float32Array, dim: number): Standardisation {
  const rows = features.length / dim;
  const mean = columnMeans(features, dim);
  const left = new Float64Array(dim);
  const squares = new Float64Array(dim);
  for (let at = 0, row = 0; row < rows; row++) {
    for (let d = 0; d < dim; d++, at++) {
      const centred = features[at]! - mean[d]!;
      left[d]! += centred;
      squares[d]! += centred * centred;
    }
  }
  const scale = new Float64Array(dim);
  for (let d = 0; d < dim; d++) {
    // A constant column is its own mean, and all of this is 0.
    const correction = left[d]! / rows;
    mean[d]! += correction;
    const variance = squares[d]! / rows - correction * correction;
    scale[d] = variance > 0 ? 1 / Math.sqrt(variance) : 0;
  }
  return { mean, scale };
}

/** The mean of each column [D]; that of a constant column is the constant, without rounding. */
export function columnMeans(features: Float32Array, dim: number): Float64Array {
  const rows = features.length / dim;
  const mean = new Float64Array(dim);
  const varies = new Uint8Array(dim);
  for (let at = 0, row = 0; row < rows; row++) {
    for (let d = 0; d < dim; d++, at++) {
      const value = features[at]!;
      mean[d]! += value;
      if (value !== features[d]) varies[d] = 1;
    }
  }
  for (let d = 0; d < dim; d++) mean[d] = varies[d] === 1 ? mean[d]! / rows : features[d]!;
  return mean;
}

/** Rows of a set as float32, standardised, each divided by a number of its own. */
export interface ScaledRows {
  /** [N, D] in the order of the features. */
  readonly rows: Float32Array<ArrayBuffer>;
  /** Length of each row before the division, N numbers. */
  readonly length: Float64Array;
  /** What each row was divided by, N numbers. */
  readonly divisor: Float64Array;
}

/** Rows longer than this are divided by their length: products with weights, and sums of them, stay in float32. */
const longest = 1e15;

/** Standardised rows as they are, but for those far out of the range of the train set, which get length 1. */
export const standardise = (features: Float32Array, scaling: Standardisation): ScaledRows =>
  scaledRows(features, scaling, (length) => (length > longest ? length : 1));

/** Standardised rows divided by their length, so that a dot product is a cosine. A row of zeros has no direction and stays
 *  zero; its divisor, its length, is 0. */
export const directionsOf = (features: Float32Array, scaling: Standardisation): ScaledRows =>
  scaledRows(features, scaling, (length) => length);

function scaledRows(
  features: Float32Array,
  { mean, scale }: Standardisation,
  divisorOf: (length: number) => number,
): ScaledRows {
  const dim = mean.length;
  const count = features.length / dim;
  const rows = new Float32Array(features.length);
  const length = new Float64Array(count);
  const divisor = new Float64Array(count);
  const row = new Float64Array(dim);
  for (let n = 0, at = 0; n < count; n++, at += dim) {
    let squares = 0;
    for (let d = 0; d < dim; d++) {
      const value = (features[at + d]! - mean[d]!) * scale[d]!;
      row[d] = value;
      squares += value * value;
    }
    length[n] = Math.sqrt(squares);
    const by = (divisor[n] = divisorOf(length[n]!));
    if (by > 0) for (let d = 0; d < dim; d++) rows[at + d] = row[d]! / by;
  }
  return { rows, length, divisor };
}
