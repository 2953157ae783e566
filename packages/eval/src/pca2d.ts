import { LejepaError } from "@lejepa/ops";
import { checkFeatures } from "./labelled-features.js";
import { columnMeans } from "./standardise.js";

/** Features projected on the two directions along which they vary most. */
export interface Pca2d {
  /** Row-major, N x 2: coordinates of each centred row along the two axes. */
  readonly points: Float64Array;
  /** Row-major, 2 x D: the two axes, orthogonal and of length 1, each with its largest entry positive. */
  readonly axes: Float32Array;
  /** Share of the total variance along each axis, 0 to 1; 0 where the features do not vary at all. */
  readonly explained: readonly [number, number];
}

/** How many directions are iterated together: the spare ones speed up the first two when variances are close. */
const block = 8;
const maxRounds = 300;

/** The first two principal components of row-major `features` [N, D] (two axes even for D = 1: the second is zero).
 *    C = mean over rows of (x - mean)(x - mean)',   points = (x - mean) . axes
 *  Orthogonal iteration on C with eight directions and a Rayleigh-Ritz rotation, ended when the variance along the
 *  each of the two axes changes by less than 1e-12 of itself. All of it is float64: columns that differ little from a large
 *  number, and numbers whose squares leave float32, do no harm. When several variances are nearly equal, the axes are some
 *  rotation among those directions: as good a picture, but not a unique one.
 *  Cost: N D^2 / 2 for the covariance. Throws LejepaError "invalid-features" and "feature-shape" for what is no array of
 *  whole rows, "no-features" for an empty one and "non-finite-features" for NaN and infinities. */
export function pca2d(features: Float32Array, dim: number): Pca2d {
  checkFeatures("pca2d", "", features, dim);
  const rows = features.length / dim;
  if (rows === 0) throw new LejepaError("no-features", "pca2d: pass at least one row.");

  const mean = columnMeans(features, dim);
  const covariance = covarianceOf(features, dim, rows, mean);
  let total = 0;
  for (let d = 0; d < dim; d++) total += covariance[d * dim + d]!;
  const width = Math.min(block, dim);
  const vectors = leadingDirections(covariance, dim, width);

  const axes = new Float64Array(2 * dim);
  const explained: [number, number] = [0, 0];
  for (let axis = 0; axis < Math.min(2, width); axis++) {
    const { vector, variance } = vectors[axis]!;
    // The sign of an axis is free; this choice makes it the same on every machine.
    const largest = vector.reduce((best, v) => (Math.abs(v) > Math.abs(best) ? v : best), 0);
    axes.set(largest < 0 ? vector.map((v) => -v) : vector, axis * dim);
    explained[axis] = total > 0 ? variance / total : 0;
  }
  const points = new Float64Array(rows * 2);
  for (let row = 0; row < rows; row++) {
    for (let axis = 0; axis < 2; axis++) {
      let sum = 0;
      for (let d = 0; d < dim; d++) {
        sum += (features[row * dim + d]! - mean[d]!) * axes[axis * dim + d]!;
      }
      points[row * 2 + axis] = sum;
    }
  }
  return { points, axes: Float32Array.from(axes), explained };
}

/** Symmetric, D x D, divided by N. */
function covarianceOf(
  features: Float32Array,
  dim: number,
  rows: number,
  mean: Float64Array,
): Float64Array {
  const covariance = new Float64Array(dim * dim);
  const centred = new Float64Array(dim);
  for (let row = 0; row < rows; row++) {
    for (let d = 0; d < dim; d++) centred[d] = features[row * dim + d]! - mean[d]!;
    for (let i = 0; i < dim; i++) {
      const value = centred[i]!;
      for (let j = 0; j <= i; j++) covariance[i * dim + j]! += value * centred[j]!;
    }
  }
  for (let i = 0; i < dim; i++) {
    for (let j = 0; j <= i; j++) {
      covariance[j * dim + i] = covariance[i * dim + j]! /= rows;
    }
  }
  return covariance;
}

interface Direction {
  vector: Float64Array;
  variance: number;
}

/** `width` orthonormal directions of decreasing variance, the first two converged. */
function leadingDirections(covariance: Float64Array, dim: number, width: number): Direction[] {
  let basis = orthonormal(
    // Fixed, and in general position: no structure of the features is orthogonal to a cosine of irrational steps.
    Array.from({ length: width }, (_, b) =>
      Float64Array.from({ length: dim }, (_, d) => Math.cos((b + 1) * Math.SQRT2 * (d + 1))),
    ),
  );
  let found: Direction[] = [];
  let before = [Number.NaN, Number.NaN];
  for (let round = 0; round < maxRounds; round++) {
    const images = basis.map((vector) => times(covariance, vector));
    found = rayleighRitz(basis, images);
    const variances = found.slice(0, 2).map(({ variance }) => variance);
    // The second one is not known better than to the rounding of the first.
    const rounding = Number.EPSILON * variances[0]!;
    if (variances.every((v, axis) => Math.abs(v - before[axis]!) <= 1e-12 * v + rounding)) break;
    before = variances;
    basis = orthonormal(images);
  }
  return found;
}

function times(matrix: Float64Array, vector: Float64Array): Float64Array {
  const dim = vector.length;
  return Float64Array.from({ length: dim }, (_, i) => {
    let sum = 0;
    for (let j = 0; j < dim; j++) sum += matrix[i * dim + j]! * vector[j]!;
    return sum;
  });
}

/** Gram-Schmidt, twice for accuracy. A vector that the others already span is replaced by a unit vector. */
function orthonormal(vectors: readonly Float64Array[]): Float64Array[] {
  const basis: Float64Array[] = [];
  for (const vector of vectors) {
    const size = Math.sqrt(dot(vector, vector));
    let next = reduced(vector, basis);
    for (let unit = 0; !(Math.sqrt(dot(next, next)) > 1e-10 * size); unit++) {
      next = reduced(
        Float64Array.from(vector, (_, d) => (d === unit ? 1 : 0)),
        basis,
      );
      if (Math.sqrt(dot(next, next)) > 0.5 / Math.sqrt(vector.length)) break;
    }
    const norm = Math.sqrt(dot(next, next));
    basis.push(next.map((value) => value / norm));
  }
  return basis;
}

function reduced(vector: Float64Array, basis: readonly Float64Array[]): Float64Array {
  const out = Float64Array.from(vector);
  for (let pass = 0; pass < 2; pass++) {
    for (const other of basis) {
      const along = dot(other, out);
      for (let d = 0; d < out.length; d++) out[d]! -= along * other[d]!;
    }
  }
  return out;
}

/** Rotates `basis` so that the covariance is diagonal on it. `images` are C times each basis vector. */
function rayleighRitz(
  basis: readonly Float64Array[],
  images: readonly Float64Array[],
): Direction[] {
  const { values, vectors } = symmetricEigen(
    basis.map((left) => images.map((image) => dot(left, image))),
  );
  return values
    .map((variance, k) => ({
      variance,
      vector: basis[0]!.map((_, d) =>
        basis.reduce((sum, vector, b) => sum + vectors[b]![k]! * vector[d]!, 0),
      ),
    }))
    .sort((a, b) => b.variance - a.variance);
}

/** Cyclic Jacobi rotations on a small symmetric matrix: A = V diag(values) V'. */
function symmetricEigen(matrix: number[][]): { values: number[]; vectors: number[][] } {
  const a = matrix.map((row) => [...row]);
  const n = a.length;
  const vectors = a.map((_, i) => a.map((_, j): number => (i === j ? 1 : 0)));
  for (let sweep = 0; sweep < 30; sweep++) {
    let rotated = false;
    for (let p = 0; p < n; p++) {
      for (let q = p + 1; q < n; q++) {
        const off = a[p]![q]!;
        if (!(Math.abs(off) > 1e-15 * Math.sqrt(Math.abs(a[p]![p]! * a[q]![q]!)))) continue;
        rotated = true;
        const theta = (a[q]![q]! - a[p]![p]!) / (2 * off);
        const t = (theta < 0 ? -1 : 1) / (Math.abs(theta) + Math.hypot(theta, 1));
        const c = 1 / Math.hypot(t, 1);
        const s = t * c;
        for (let k = 0; k < n; k++) {
          const kp = a[k]![p]!;
          const kq = a[k]![q]!;
          a[k]![p] = c * kp - s * kq;
          a[k]![q] = s * kp + c * kq;
        }
        for (let k = 0; k < n; k++) {
          const pk = a[p]![k]!;
          const qk = a[q]![k]!;
          a[p]![k] = c * pk - s * qk;
          a[q]![k] = s * pk + c * qk;
          const vp = vectors[k]![p]!;
          const vq = vectors[k]![q]!;
          vectors[k]![p] = c * vp - s * vq;
          vectors[k]![q] = s * vp + c * vq;
        }
      }
    }
    if (!rotated) break;
  }
  return { values: a.map((row, i) => row[i]!), vectors };
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}
