/** Linear probe: multinomial logistic regression on frozen, standardised features.
 *    minimise over W [D, K], b [K]:   mean_n ( log sum_k exp(l_nk) - l_n,y(n) ) + (l2 / 2) sum W^2,   l = x W + b
 *  The bias is not penalised. N rows, D columns, K classes. The same problem as scikit-learn's
 *  LogisticRegression(C=1 / (l2 N)) after StandardScaler. L-BFGS in float64, started from zero, ended when no entry
 *  of the gradient exceeds the tolerance; sums over rows are taken on the engine in float32, chunk by chunk, and
 *  chunks are added in float64. */
import * as tf from "@tensorflow/tfjs-core";
import type { CompiledStep, Engine, Step } from "@lejepa/engine";
import { checkProbeData, rowCount, type ProbeData } from "./labelled-features.js";
import { minimise, type Evaluation } from "./lbfgs.js";
import { standardisation, standardise } from "./standardise.js";

/** Options of {@link linearProbe}. */
export interface LinearProbeOptions {
  /** Penalty on the squares of the weights, relative to the mean loss; 1e-4 when left out. */
  readonly l2?: number;
  /** Converged when no entry of the gradient is larger in magnitude; 1e-5 when left out. */
  readonly tolerance?: number;
  /** 1,000 when left out. */
  readonly maxIterations?: number;
}

/** What {@link linearProbe} found. */
export interface LinearProbeResult {
  /** Share of test rows whose class has the highest logit, 0 to 1. A test class without train rows is never right. */
  readonly accuracy: number;
  /** The same share on the train rows. */
  readonly trainAccuracy: number;
  /** Objective at the end, penalty included. */
  readonly loss: number;
  /** Largest magnitude in the gradient at the end. */
  readonly gradientNorm: number;
  /** Whether `gradientNorm` is within the tolerance. */
  readonly converged: boolean;
  /** L-BFGS iterations. */
  readonly iterations: number;
  /** The classes of the columns of W: the distinct train labels, ascending. */
  readonly classes: Int32Array;
  /** W, row-major [D, K], for standardised features. */
  readonly weight: Float32Array;
  /** b [K]. */
  readonly bias: Float32Array;
}

const rowsPerChunk = 8192;

/** Fits the probe on the train features and measures it on the test features.
 *  Labels may be any integers, with gaps. With a single train class every prediction is that class. A column that is
 *  constant in the train set is ignored. Of equal logits the smallest class wins.
 *  @throws LejepaError "no-features", "feature-shape", "non-finite-features" */
export async function linearProbe(
  engine: Engine,
  data: ProbeData,
  { l2 = 1e-4, tolerance = 1e-5, maxIterations = 1000 }: LinearProbeOptions = {},
): Promise<LinearProbeResult> {
  checkProbeData("linearProbe", data);
  const { train, test } = data;
  const { dim } = train;
  const classes = Int32Array.from(new Set(train.labels)).sort();
  const scaling = standardisation(train.features, dim);
  const trainFeatures = standardise(train.features, scaling);
  const testFeatures = standardise(test.features, scaling);

  const rows = Math.min(rowsPerChunk, rowCount(train));
  const chunks = chunked(trainFeatures, train.labels, { dim, classes, rows });
  const compiled = await engine.compile(softmaxLoss, {
    state: {},
    inputs: {
      features: { shape: [rows, dim] },
      targets: { shape: [rows, classes.length] },
      weight: { shape: [dim, classes.length] },
      bias: { shape: [classes.length] },
    },
  });
  try {
    const found = await minimise(
      (x) => evaluate(compiled, chunks, x, { count: rowCount(train), dim, l2 }),
      new Float64Array((dim + 1) * classes.length),
      { gradientTolerance: tolerance, maxIterations, valueRounding: 1e-7 },
    );
    const weight = Float32Array.from(found.x.subarray(0, dim * classes.length));
    const bias = Float32Array.from(found.x.subarray(dim * classes.length));
    const testChunks = chunked(testFeatures, test.labels, { dim, classes, rows });
    return {
      accuracy: await accuracy(compiled, testChunks, { weight, bias, classes }),
      trainAccuracy: await accuracy(compiled, chunks, { weight, bias, classes }),
      loss: found.value,
      gradientNorm: found.gradientNorm,
      converged: found.converged,
      iterations: found.iterations,
      classes,
      weight,
      bias,
    };
  } finally {
    await compiled.dispose();
  }
}

/** Loss and gradient summed over the rows of one chunk. A row of zero targets counts for nothing. */
const softmaxLoss: Step = (_state, inputs) => {
  const features = inputs["features"] as tf.Tensor2D; // [N, D]
  const targets = inputs["targets"]!; // [N, K], one 1 in each row
  const logits = tf.add(tf.matMul(features, inputs["weight"] as tf.Tensor2D), inputs["bias"]!);
  const highest = tf.max(logits, 1, true);
  const exponentials = tf.exp(tf.sub(logits, highest));
  const total = tf.sum(exponentials, 1, true);
  const counted = tf.sum(targets, 1, true);
  const logLikelihood = tf.sub(
    tf.sum(tf.mul(targets, tf.sub(logits, highest)), 1, true),
    tf.mul(counted, tf.log(total)),
  );
  const residual = tf.sub<tf.Tensor2D>(tf.mul(exponentials, tf.div(counted, total)), targets);
  return {
    state: {},
    outputs: {
      logits,
      losses: tf.neg(logLikelihood),
      weightGradient: tf.matMul(features, residual, true, false),
      biasGradient: tf.sum(residual, 0),
    },
  };
};

interface Chunk {
  /** [rows, D], padded with zeros. */
  readonly features: Float32Array;
  /** [rows, K], padded with zeros. */
  readonly targets: Float32Array;
  readonly labels: Int32Array;
}

/** Cuts rows into chunks of one shape. Only the last is copied, to be padded. */
function chunked(
  features: Float32Array,
  labels: Int32Array,
  { dim, classes, rows }: { dim: number; classes: Int32Array; rows: number },
): Chunk[] {
  const columnOf = new Map(Array.from(classes, (label, column) => [label, column]));
  const chunks: Chunk[] = [];
  for (let start = 0; start < labels.length; start += rows) {
    const here = labels.subarray(start, start + rows);
    let part = features.subarray(start * dim, (start + rows) * dim);
    if (here.length < rows) {
      const padded = new Float32Array(rows * dim);
      padded.set(part);
      part = padded;
    }
    const targets = new Float32Array(rows * classes.length);
    here.forEach((label, row) => {
      const column = columnOf.get(label);
      if (column !== undefined) targets[row * classes.length + column] = 1;
    });
    chunks.push({ features: part, targets, labels: here });
  }
  return chunks;
}

async function evaluate(
  compiled: CompiledStep,
  chunks: readonly Chunk[],
  x: Float64Array,
  { count, dim, l2 }: { count: number; dim: number; l2: number },
): Promise<Evaluation> {
  const classes = x.length / (dim + 1);
  const weights = dim * classes;
  const weight = Float32Array.from(x.subarray(0, weights));
  const bias = Float32Array.from(x.subarray(weights));
  const gradient = new Float64Array(x.length);
  let value = 0;
  for (const { features, targets } of chunks) {
    const out = await compiled.run({ features, targets, weight, bias });
    for (const loss of out["losses"]!.data) value += loss;
    out["weightGradient"]!.data.forEach((g, i) => (gradient[i]! += g));
    out["biasGradient"]!.data.forEach((g, k) => (gradient[weights + k]! += g));
  }
  let squares = 0;
  for (let i = 0; i < x.length; i++) {
    gradient[i]! /= count;
    if (i >= weights) continue;
    gradient[i]! += l2 * x[i]!;
    squares += x[i]! ** 2;
  }
  return { value: value / count + 0.5 * l2 * squares, gradient };
}

async function accuracy(
  compiled: CompiledStep,
  chunks: readonly Chunk[],
  { weight, bias, classes }: { weight: Float32Array; bias: Float32Array; classes: Int32Array },
): Promise<number> {
  let right = 0;
  let count = 0;
  for (const { features, targets, labels } of chunks) {
    const logits = (await compiled.run({ features, targets, weight, bias }))["logits"]!.data;
    labels.forEach((label, row) => {
      let best = 0;
      for (let k = 1; k < classes.length; k++) {
        const at = row * classes.length;
        if (logits[at + k]! > logits[at + best]!) best = k;
      }
      if (classes[best] === label) right++;
    });
    count += labels.length;
  }
  return right / count;
}
