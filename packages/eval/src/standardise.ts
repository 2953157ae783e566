/** Standardised features: x' = (x - mean) / std for each column, mean and std of the train rows.
 *  std is that of the population (divided by N). A column that does not vary in the train rows
 *  (std <= 1e-6 of its largest magnitude: the rounding of float32) carries nothing to learn from;
 *  it becomes 0 in every set. */

/** The mean and the reciprocal standard deviation of each column. */
export interface Standardisation {
  /** Mean of each column over the train rows, D numbers. */
  readonly mean: Float64Array;
  /** 1 / std of each column, D numbers; 0 where the column is constant. */
  readonly scale: Float64Array;
}

const constantColumn = 1e-6;

/** Measures the columns of row-major `features` [N, D]. Two passes in float64, so a large mean does no harm. */
export function standardisation(features: Float32Array, dim: number): Standardisation {
  const rows = features.length / dim;
  const mean = new Float64Array(dim);
  const largest = new Float64Array(dim);
  for (let at = 0, row = 0; row < rows; row++) {
    for (let d = 0; d < dim; d++, at++) {
      const value = features[at]!;
      mean[d]! += value;
      const size = Math.abs(value);
      if (size > largest[d]!) largest[d] = size;
    }
  }
  for (let d = 0; d < dim; d++) mean[d]! /= rows;
  const scale = new Float64Array(dim);
  for (let at = 0, row = 0; row < rows; row++) {
    for (let d = 0; d < dim; d++, at++) {
      const centred = features[at]! - mean[d]!;
      scale[d]! += centred * centred;
    }
  }
  for (let d = 0; d < dim; d++) {
    const std = Math.sqrt(scale[d]! / rows);
    scale[d] = std > constantColumn * largest[d]! ? 1 / std : 0;
  }
  return { mean, scale };
}

/** Applies a measured standardisation; a new array [N, D] in `features`' order. */
export function standardise(
  features: Float32Array,
  { mean, scale }: Standardisation,
): Float32Array<ArrayBuffer> {
  const dim = mean.length;
  const out = new Float32Array(features.length);
  for (let at = 0; at < out.length;) {
    for (let d = 0; d < dim; d++, at++) out[at] = (features[at]! - mean[d]!) * scale[d]!;
  }
  return out;
}

/** Divides each row [D] by its length, in place, so that a dot product is a cosine.
 *  A row of zeros has no direction and stays zero: its cosine with every row is 0. */
export function normaliseRows(features: Float32Array, dim: number): void {
  for (let start = 0; start < features.length; start += dim) {
    let squares = 0;
    for (let at = start; at < start + dim; at++) squares += features[at]! ** 2;
    const inverse = squares > 0 ? 1 / Math.sqrt(squares) : 0;
    for (let at = start; at < start + dim; at++) features[at]! *= inverse;
  }
}
