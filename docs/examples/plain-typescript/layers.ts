/** Layers over plain arrays, each with its gradient worked out by hand. Matrices are row-major. */

/** Rows, columns of the input, columns of the output. */
export type Sizes = readonly [rows: number, inputs: number, outputs: number];

/** y = x w: [N, I] x [I, J] -> [N, J]. */
export function matMul(
  x: Float32Array,
  w: Float32Array,
  [rows, inputs, outputs]: Sizes,
): Float32Array {
  const y = new Float32Array(rows * outputs);
  for (let n = 0; n < rows; n++)
    for (let i = 0; i < inputs; i++) {
      const a = x[n * inputs + i]!;
      if (a === 0) continue; // half of what a ReLU gives
      for (let j = 0, at = n * outputs, wAt = i * outputs; j < outputs; j++)
        y[at + j]! += a * w[wAt + j]!;
    }
  return y;
}

/** Gradient of x w by w: xᵀ dy, [I, J]. */
export function weightGradient(
  x: Float32Array,
  dy: Float32Array,
  [rows, inputs, outputs]: Sizes,
): Float32Array {
  const dw = new Float32Array(inputs * outputs);
  for (let n = 0; n < rows; n++)
    for (let i = 0; i < inputs; i++) {
      const a = x[n * inputs + i]!;
      if (a === 0) continue;
      for (let j = 0, at = n * outputs, wAt = i * outputs; j < outputs; j++)
        dw[wAt + j]! += a * dy[at + j]!;
    }
  return dw;
}

/** Gradient of x w by x: dy wᵀ, [N, I]. */
export function inputGradient(
  dy: Float32Array,
  w: Float32Array,
  [rows, inputs, outputs]: Sizes,
): Float32Array {
  const dx = new Float32Array(rows * inputs);
  for (let n = 0; n < rows; n++)
    for (let i = 0; i < inputs; i++) {
      let sum = 0;
      for (let j = 0, at = n * outputs, wAt = i * outputs; j < outputs; j++)
        sum += dy[at + j]! * w[wAt + j]!;
      dx[n * inputs + i] = sum;
    }
  return dx;
}

/** Mean and variance of each column over past batches, for embedding one image at a time. */
export interface Moments {
  readonly mean: Float32Array;
  readonly variance: Float32Array;
}

/** Moments before the first batch. */
export const newMoments = (columns: number): Moments => ({
  mean: new Float32Array(columns),
  variance: new Float32Array(columns).fill(1),
});

/** How far moments move towards those of a new batch, and what keeps a variance from 0. */
const [momentum, epsilon] = [0.1, 1e-5];

/** y = max(0, x̂), x̂ = (x - mean) / √(variance + ε) by columns of this batch, [N, K]; moves the moments along.
 *
 *  Backward, with g = dy where y > 0 and 0 elsewhere, means over the rows:
 *      dx = (g - mean(g) - x̂ mean(g x̂)) / √(variance + ε) */
export function normRelu(
  x: Float32Array,
  moments: Moments,
): { y: Float32Array; backward: (dy: Float32Array) => Float32Array } {
  const columns = moments.mean.length;
  const rows = x.length / columns;
  const mean = columnMeans(x, columns, (i) => x[i]!);
  const variance = columnMeans(x, columns, (i, k) => (x[i]! - mean[k]!) ** 2);
  const scale = variance.map((v) => 1 / Math.sqrt(v + epsilon));
  const normal = x.map((value, i) => (value - mean[i % columns]!) * scale[i % columns]!);
  for (let k = 0; k < columns; k++) {
    moments.mean[k]! += momentum * (mean[k]! - moments.mean[k]!);
    moments.variance[k]! += momentum * ((variance[k]! * rows) / (rows - 1) - moments.variance[k]!);
  }
  const backward = (dy: Float32Array): Float32Array => {
    const g = dy.map((value, i) => (normal[i]! > 0 ? value : 0));
    const gMean = columnMeans(g, columns, (i) => g[i]!);
    const gNormalMean = columnMeans(g, columns, (i) => g[i]! * normal[i]!);
    return g.map((value, i) => {
      const k = i % columns;
      return (value - gMean[k]! - normal[i]! * gNormalMean[k]!) * scale[k]!;
    });
  };
  return { y: normal.map((value) => Math.max(0, value)), backward };
}

/** The same by the moments of past batches. */
export function normReluBy({ mean, variance }: Moments, x: Float32Array): Float32Array {
  const columns = mean.length;
  return x.map((value, i) => {
    const k = i % columns;
    return Math.max(0, (value - mean[k]!) / Math.sqrt(variance[k]! + epsilon));
  });
}

function columnMeans(
  x: Float32Array,
  columns: number,
  entry: (i: number, column: number) => number,
): Float64Array {
  const sums = new Float64Array(columns);
  for (let i = 0; i < x.length; i++) sums[i % columns]! += entry(i, i % columns);
  return sums.map((sum) => (sum * columns) / x.length);
}

/** Weights of a layer: uniform, with the variance 2 / inputs that suits a ReLU. */
export const heUniform = (inputs: number, outputs: number, random: () => number): Float32Array =>
  Float32Array.from({ length: inputs * outputs }, () => (2 * random() - 1) * Math.sqrt(6 / inputs));

/** Adam (arXiv 1412.6980) for some parameters, which it changes in place. */
export function adam(
  parameters: readonly Float32Array[],
): (gradients: readonly Float32Array[], learningRate: number) => void {
  const [beta1, beta2] = [0.9, 0.999];
  const means = parameters.map((p) => new Float32Array(p.length));
  const squares = parameters.map((p) => new Float32Array(p.length));
  let steps = 0;
  return (gradients, learningRate) => {
    steps++;
    const [correction1, correction2] = [1 - beta1 ** steps, 1 - beta2 ** steps];
    parameters.forEach((p, at) => {
      const [g, m, v] = [gradients[at]!, means[at]!, squares[at]!];
      for (let i = 0; i < p.length; i++) {
        m[i] = beta1 * m[i]! + (1 - beta1) * g[i]!;
        v[i] = beta2 * v[i]! + (1 - beta2) * g[i]! ** 2;
        p[i]! -= (learningRate * (m[i]! / correction1)) / (Math.sqrt(v[i]! / correction2) + 1e-8);
      }
    });
  };
}
