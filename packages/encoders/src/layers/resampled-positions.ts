import * as tf from "@tensorflow/tfjs-core";

/** Rows and columns of a grid of patches. */
export type Grid = readonly [rows: number, columns: number];

/** A table of learned positions for another grid of patches than it was made for:
 *    y = (A kron B) x,   A and B the matrices that resample rows and columns.
 *  Shapes: x [1, P + L, D] -> [1, P + L', D], L and L' the products of the grids, row by row; the first P rows, which are
 *  those of class tokens, stay. The matrix [L', L] is a constant, so that a captured step holds no more than a product, and
 *  the gradient reaches the table. Between equal grids x is returned.
 *  Source: timm's resample_abs_pos_embed, which is torch.nn.functional.interpolate with mode "bicubic" and antialias.
 *  Golden: test/golden/resampled-positions.json. */
export function resampledPositions(x: tf.Tensor, prefix: number, from: Grid, to: Grid): tf.Tensor {
  if (from[0] === to[0] && from[1] === to[1]) return x;
  const [, tokens, dim] = x.shape as [number, number, number];
  const table = tf.reshape<tf.Rank.R2>(x, [tokens, dim]);
  const grid = prefix === 0 ? table : tf.slice(table, [prefix, 0], [tokens - prefix, dim]);
  const rows = cubicResampling(from[0], to[0]);
  const columns = cubicResampling(from[1], to[1]);
  const matrix = rows.flatMap((a) =>
    columns.map((b) => a.flatMap((weight) => b.map((other) => weight * other))),
  );
  const resampled = tf.matMul(tf.tensor2d(matrix), grid);
  const all =
    prefix === 0 ? resampled : tf.concat([tf.slice(table, [0, 0], [prefix, dim]), resampled], 0);
  return tf.reshape(all, [1, prefix + to[0] * to[1], dim]);
}

/** The matrix [to, from] of one axis. Output i lies at c = (i + 1/2) s, s = from / to, among inputs at j + 1/2. Its weights
 *  are k((j + 1/2 - c) / max(s, 1)) over the inputs within twice max(s, 1) of c, divided by their sum: where the axis
 *  shrinks the kernel widens, which is what antialias means. At the edges there are fewer inputs, none is repeated. */
function cubicResampling(from: number, to: number): number[][] {
  const step = from / to;
  const width = Math.max(step, 1);
  return Array.from({ length: to }, (_, i) => {
    const centre = (i + 0.5) * step;
    const weights = Array.from({ length: from }, (_, j) => cubic((j + 0.5 - centre) / width));
    const sum = weights.reduce((total, weight) => total + weight, 0);
    return weights.map((weight) => weight / sum);
  });
}

/** Keys' cubic kernel with a = -1/2, as PyTorch has it where it antialiases (without, a = -3/4); 0 from 2 on. */
function cubic(distance: number): number {
  const t = Math.abs(distance);
  if (t < 1) return (1.5 * t - 2.5) * t * t + 1;
  return t < 2 ? ((-0.5 * t + 2.5) * t - 4) * t + 2 : 0;
}
