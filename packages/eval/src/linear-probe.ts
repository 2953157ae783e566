/** Linear probe: multinomial logistic regression on frozen, standardised features.
 *    minimise over W [D, K], b [K]:   mean_n ( log sum_k exp(l_nk) - l_n,y(n) ) + (l2 / 2) sum W^2,   l = x W + b
 *  The bias is not penalised. N rows, D columns, K classes. The same problem as scikit-learn's
 *  LogisticRegression(C=1 / (l2 N)) after StandardScaler. L-BFGS in float64, started from zero, ended when no entry
 *  of the gradient exceeds the tolerance; sums over rows are taken on the engine in float32, chunk by chunk, and
 *  chunks are added in float64. Predictions are those of float64: where two logits of the engine are so near to each
 *  other that float32 could exchange them, both are computed again. */
import * as tf from "@tensorflow/tfjs-core";
import type { CompiledEntry, Engine, Step } from "@lejepa/engine";
import {
  abortSignal,
  numberFrom,
  optional,
  positiveNumber,
  requireOptions,
  wholeNumber,
} from "@lejepa/ops";
import { checkCompiled, checkProbeData, rowCount, type ProbeData } from "./labelled-features.js";
import { minimise, type Evaluation } from "./lbfgs.js";
import { LinearDecision } from "./linear-decision.js";
import { standardisation, standardise } from "./standardise.js";

/** Options of {@link linearProbe}. */
export interface LinearProbeOptions {
  /** Penalty on the squares of the weights, relative to the mean loss; 0 or more, 1e-4 when left out. */
  readonly l2?: number;
  /** Converged when no entry of the gradient is larger in magnitude; above 0, 1e-5 when left out. */
  readonly tolerance?: number;
  /** 0 or more; 1,000 when left out. */
  readonly maxIterations?: number;
  /** Ends early: the promise then rejects with the signal's reason. */
  readonly signal?: AbortSignal;
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

/** Pairs that L-BFGS keeps: 100 took 90 evaluations where 20 took 123, on 60,000 x 128 features of 10 classes. For large
 *  problems fewer, so that they stay within a hundred megabytes or so. */
const pairsFor = (variables: number): number =>
  Math.min(100, Math.max(20, Math.floor(6e6 / variables)));

/** Rows whose sums are taken in float32. */
const mostRowsPerChunk = 8192;

/** Fits the probe on the train features and measures it on the test features.
 *  Labels may be any integers, with gaps. With a single train class every prediction is that class. A column that is
 *  the same number in all rows of the train set is ignored. Of equal logits the smallest class wins.
 *  @throws LejepaError "no-features", "feature-shape", "invalid-features", "invalid-labels", "non-finite-features";
 *  "invalid-option" for options, "invalid-argument" for what is no engine */
export async function linearProbe(
  engine: Engine,
  data: ProbeData,
  options: LinearProbeOptions = {},
): Promise<LinearProbeResult> {
  requireOptions(
    "linearProbe",
    options,
    {
      l2: optional(numberFrom(0)),
      tolerance: optional(positiveNumber),
      maxIterations: optional(wholeNumber(0)),
      signal: optional(abortSignal),
    },
    "invalid-option",
  );
  const { l2 = 1e-4, tolerance = 1e-5, maxIterations = 1000, signal } = options;
  checkProbeData("linearProbe", engine, data);
  const { train, test } = data;
  const { dim } = train;
  const classes = Int32Array.from(new Set(train.labels)).sort();
  const scaling = standardisation(train.features, dim);
  // Of the train rows none is out of range: standardised, they are at most sqrt(N).
  const trainFeatures = standardise(train.features, scaling);
  const testFeatures = standardise(test.features, scaling);

  const chunks = chunksOf(train.labels, classes);
  const variables = (dim + 1) * classes.length;
  const weightShape = [dim, classes.length];
  const parameters = { weight: { shape: weightShape }, bias: { shape: [classes.length] } };
  // Features and targets are state, so that they lie at the engine and are not passed in at every evaluation.
  const program = await engine.compile(
    { objective: objective(chunks.length), logits: logits(chunks.length) },
    {
      state: {
        ...Object.fromEntries(
          chunks.flatMap(({ start, rows, targets }, chunk) => [
            [
              featuresName(chunk),
              {
                shape: [rows, dim],
                data: trainFeatures.rows.subarray(start * dim, (start + rows) * dim),
              },
            ],
            [targetsName(chunk), { shape: [rows, classes.length], data: targets }],
          ]),
        ),
        testFeatures: { shape: [rowCount(test), dim], data: testFeatures.rows },
        testShare: {
          shape: [rowCount(test), 1],
          data: Float32Array.from(testFeatures.divisor, (divisor) => 1 / divisor),
        },
      },
      inputs: { objective: parameters, logits: parameters },
    },
  );
  checkCompiled("linearProbe", program, ["entries.objective.run", "entries.logits.run", "dispose"]);
  try {
    const found = await minimise(
      (x) => {
        signal?.throwIfAborted();
        return evaluate(program.entries.objective, x, { count: rowCount(train), dim, l2 });
      },
      new Float64Array(variables),
      {
        gradientTolerance: tolerance,
        maxIterations,
        memory: pairsFor(variables),
        valueRounding: 1e-7,
      },
    );
    const weight = Float32Array.from(found.x.subarray(0, dim * classes.length));
    const bias = Float32Array.from(found.x.subarray(dim * classes.length));
    const logits = await program.entries.logits.run({ weight, bias });
    const decision = new LinearDecision({ scaling, weight, bias, classes });
    return {
      accuracy: decision.accuracy(test, testFeatures, logits["test"]!.data),
      trainAccuracy: decision.accuracy(train, trainFeatures, logits["train"]!.data),
      loss: found.value,
      gradientNorm: found.gradientNorm,
      converged: found.converged,
      iterations: found.iterations,
      classes,
      weight,
      bias,
    };
  } finally {
    await program.dispose();
  }
}

/** Some rows of the train set. */
interface Chunk {
  readonly start: number;
  readonly rows: number;
  /** [rows, K], one 1 in each row. */
  readonly targets: Float32Array;
}

/** Cuts the train rows into chunks, all of one size but the last. */
function chunksOf(labels: Int32Array, classes: Int32Array): readonly Chunk[] {
  const columnOf = new Map(Array.from(classes, (label, column) => [label, column]));
  const count = Math.ceil(labels.length / mostRowsPerChunk);
  const size = Math.ceil(labels.length / count);
  return Array.from({ length: Math.ceil(labels.length / size) }, (_, chunk) => {
    const here = labels.subarray(chunk * size, (chunk + 1) * size);
    const targets = new Float32Array(here.length * classes.length);
    here.forEach((label, row) => (targets[row * classes.length + columnOf.get(label)!] = 1));
    return { start: chunk * size, rows: here.length, targets };
  });
}

/** Names in the state. */
const featuresName = (chunk: number): string => `features${chunk}`;
const targetsName = (chunk: number): string => `targets${chunk}`;

/** Loss of every row [N], and gradients summed over the rows of each of C chunks: of the weight transposed [C, K, D],
 *  since a product of few rows is faster than one of few columns, and of the bias [C, K]. */
function objective(chunks: number): Step {
  return (state, { weight, bias }) => {
    const parts = Array.from({ length: chunks }, (_, chunk) => {
      const features = state[featuresName(chunk)] as tf.Tensor2D; // [R, D]
      const targets = state[targetsName(chunk)]!; // [R, K]
      const logits = tf.add(tf.matMul(features, weight as tf.Tensor2D), bias!);
      const shifted = tf.sub(logits, tf.max(logits, 1, true));
      const exponentials = tf.exp(shifted);
      const total = tf.sum(exponentials, 1, true);
      const residual = tf.sub<tf.Tensor2D>(tf.div(exponentials, total), targets);
      return {
        losses: tf.sub(tf.log(tf.squeeze(total, [1])), tf.sum(tf.mul(targets, shifted), 1)),
        weightGradient: tf.matMul(residual, features, true, false),
        biasGradient: tf.sum(residual, 0),
      };
    });
    return {
      state,
      outputs: {
        losses: tf.concat(parts.map(({ losses }) => losses)),
        weightGradients: tf.stack(parts.map(({ weightGradient }) => weightGradient)),
        biasGradients: tf.stack(parts.map(({ biasGradient }) => biasGradient)),
      },
    };
  };
}

/** Logits of all train rows and of all test rows, each [rows, K]; those of a test row divided by what its features were. */
function logits(chunks: number): Step {
  return (state, { weight, bias }) => {
    const of = (features: tf.Tensor, bias: tf.Tensor): tf.Tensor2D =>
      tf.add(tf.matMul(features as tf.Tensor2D, weight as tf.Tensor2D), bias);
    const train = Array.from({ length: chunks }, (_, chunk) =>
      of(state[featuresName(chunk)]!, bias!),
    );
    const test = of(state["testFeatures"]!, tf.mul(state["testShare"]!, bias!));
    return { state, outputs: { train: tf.concat(train), test } };
  };
}

async function evaluate(
  compiled: CompiledEntry,
  x: Float64Array,
  { count, dim, l2 }: { count: number; dim: number; l2: number },
): Promise<Evaluation> {
  const classes = x.length / (dim + 1);
  const weights = dim * classes;
  const out = await compiled.run({
    weight: Float32Array.from(x.subarray(0, weights)),
    bias: Float32Array.from(x.subarray(weights)),
  });
  let value = 0;
  for (const loss of out["losses"]!.data) value += loss;
  const gradient = new Float64Array(x.length);
  const weightGradients = out["weightGradients"]!.data;
  for (let at = 0; at < weightGradients.length; at++) {
    const [k, d] = [Math.floor(at / dim) % classes, at % dim];
    gradient[d * classes + k]! += weightGradients[at]!;
  }
  out["biasGradients"]!.data.forEach((g, at) => (gradient[weights + (at % classes)]! += g));
  let squares = 0;
  for (let i = 0; i < x.length; i++) {
    gradient[i]! /= count;
    if (i >= weights) continue;
    gradient[i]! += l2 * x[i]!;
    squares += x[i]! ** 2;
  }
  return { value: value / count + 0.5 * l2 * squares, gradient };
}
