/** Activations and their gradients beside float64, over -1e4 .. 1e4, both zeros, the smallest normal number, infinities
 *  and NaN. Differences are relative to the right value, or to 2^-118 where that is smaller: half of the smallest normal
 *  number, which a step on the way may be, is 0 in TensorFlow. The README says the same. */
import "@tensorflow/tfjs-backend-cpu";
import { gelu, geluTanh, quickGelu, silu } from "@lejepa/ops";
import { createEngine, type Engine, type EngineName, type Step } from "@lejepa/engine";
import * as tf from "@tensorflow/tfjs-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { namedBackends } from "../../../tools/backend-names.mjs";
import { needs } from "../../../tools/backends.js";

const names = ["onnx", "tensorflow"] as const;
const engines: Partial<Record<EngineName, Engine>> = {};
beforeAll(async () => {
  await tf.setBackend("cpu");
  for (const name of names)
    if (namedBackends.includes(name)) engines[name] = await createEngine(name);
});
afterAll(async () => {
  for (const engine of Object.values(engines)) await engine.dispose();
});

type Real = (x: number) => number;

const sigmoid: Real = (x) => (x >= 0 ? 1 / (1 + Math.exp(-x)) : Math.exp(x) / (1 + Math.exp(x)));
const softplus: Real = (x) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));
const rootPi = Math.sqrt(Math.PI);

/** erf by its series near 0. */
function erfSeries(x: number): number {
  let [sum, term] = [x, x];
  for (let n = 1; n < 120; n++) sum += (term *= (-x * x) / n) / (2 * n + 1);
  return (2 / rootPi) * sum;
}
/** 1 - erf, by the continued fraction away from 0. */
function erfc(x: number): number {
  if (x < 0) return 2 - erfc(-x);
  if (x < 2) return 1 - erfSeries(x);
  let rest = 0;
  for (let k = 120; k >= 1; k--) rest = k / 2 / (x + rest);
  return Math.exp(-x * x) / rootPi / (x + rest);
}
const erf: Real = (x) => (Math.abs(x) < 2 ? erfSeries(x) : Math.sign(x) * (1 - erfc(Math.abs(x))));
const normal: Real = (x) => erfc(-x / Math.SQRT2) / 2;
const density: Real = (x) => Math.exp((-x * x) / 2) / Math.sqrt(2 * Math.PI);
/** x s(g x) with s the sigmoid: its slope. */
const gateSlope = (x: number, z: number, dz: number): number =>
  sigmoid(z) + x * sigmoid(z) * sigmoid(-z) * dz;
/** The sizes of the two terms of that slope, which nearly cancel where y turns. */
const gateTerms = (x: number, z: number, dz: number): number =>
  sigmoid(z) + Math.abs(x * sigmoid(z) * sigmoid(-z) * dz);
const tanhForm = (x: number) => 2 * Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3);
const tanhSlope = (x: number) => 2 * Math.sqrt(2 / Math.PI) * (1 + 3 * 0.044715 * x * x);

interface Activation {
  readonly run: (x: tf.Tensor) => tf.Tensor;
  readonly value: Real;
  readonly slope?: Real;
  /** The largest difference of the value and of the slope, relative. */
  readonly within: readonly [value: number, slope: number];
  /** "absolute" where the form that float32 leaves, or a fast kernel, bounds the difference as it is. */
  readonly as?: readonly ["relative" | "absolute", "relative" | "absolute"];
  /** What a difference of the slope is relative to; the slope when left out. */
  readonly terms?: Real;
}

const absolute = ["absolute", "absolute"] as const;
/** The slope is y (1 - y) or the like, whose digits go as y nears 1. */
const fromResult = ["relative", "absolute"] as const;
const leak = Math.fround(0.2);
const scale = 1.0507009873554805;
const alpha = 1.6732632423543772;

const activations: Readonly<Record<string, Activation>> = {
  sigmoid: {
    run: tf.sigmoid,
    value: sigmoid,
    slope: (x) => sigmoid(x) * sigmoid(-x),
    within: [5e-7, 2e-7],
    as: fromResult,
  },
  softplus: { run: tf.softplus, value: softplus, slope: sigmoid, within: [5e-7, 5e-7] },
  logSigmoid: {
    run: tf.logSigmoid,
    value: (x) => -softplus(-x),
    slope: (x) => sigmoid(-x),
    within: [5e-7, 5e-7],
  },
  "log of sigmoid": {
    run: (x) => tf.log(tf.sigmoid(x)),
    value: (x) => -softplus(-x),
    slope: (x) => sigmoid(-x),
    within: [5e-7, 5e-7],
  },
  tanh: {
    run: tf.tanh,
    value: Math.tanh,
    slope: (x) => 4 * sigmoid(2 * x) * sigmoid(-2 * x),
    within: [5e-7, 1e-6],
    as: fromResult,
  },
  erf: {
    run: tf.erf,
    value: erf,
    slope: (x) => (2 / rootPi) * Math.exp(-x * x),
    // e^(-x^2) has the error of x^2, which is at most 88, in its exponent.
    within: [5e-7, 1e-5],
  },
  elu: { run: tf.elu, value: (x) => (x > 0 ? x : Math.expm1(x)), within: [5e-7, 0] },
  selu: {
    run: tf.selu,
    value: (x) => scale * (x > 0 ? x : alpha * Math.expm1(x)),
    within: [5e-7, 0],
  },
  relu: { run: tf.relu, value: (x) => Math.max(x, 0), slope: (x) => +(x > 0), within: [0, 0] },
  relu6: {
    run: tf.relu6,
    value: (x) => Math.min(Math.max(x, 0), 6),
    slope: (x) => +(x > 0 && x <= 6),
    within: [0, 0],
  },
  leakyRelu: {
    run: (x) => tf.leakyRelu(x, 0.2),
    value: (x) => (x > 0 ? x : leak * x),
    slope: (x) => (x > 0 ? 1 : leak),
    within: [1e-7, 0],
  },
  prelu: {
    run: (x) => tf.prelu(x, tf.fill(x.shape, 0.2)),
    value: (x) => (x > 0 ? x : leak * x),
    within: [1e-7, 0],
  },
  exp: { run: tf.exp, value: Math.exp, slope: Math.exp, within: [3e-7, 3e-7] },
  expm1: {
    run: tf.expm1,
    value: Math.expm1,
    slope: Math.exp,
    within: [5e-7, 3e-7],
    as: fromResult,
  },
  "log1p of the size": {
    run: (x) => tf.log1p(tf.abs(x)),
    value: (x) => Math.log1p(Math.abs(x)),
    slope: (x) => (x === 0 ? 0 : Math.sign(x) / (1 + Math.abs(x))),
    within: [5e-7, 3e-7],
  },
  sin: { run: tf.sin, value: Math.sin, slope: Math.cos, within: [5e-7, 5e-7] },
  cos: { run: tf.cos, value: Math.cos, slope: (x) => -Math.sin(x), within: [5e-7, 5e-7] },
  // 1 + erf loses its digits as erf nears -1, in PyTorch as here.
  gelu: {
    run: gelu,
    value: (x) => x * normal(x),
    slope: (x) => normal(x) + x * density(x),
    within: [1e-6, 1e-6],
    as: absolute,
  },
  geluTanh: {
    run: geluTanh,
    value: (x) => x * sigmoid(tanhForm(x)),
    slope: (x) => gateSlope(x, tanhForm(x), tanhSlope(x)),
    within: [4e-5, 4e-5],
    terms: (x) => gateTerms(x, tanhForm(x), tanhSlope(x)),
  },
  quickGelu: {
    run: quickGelu,
    value: (x) => x * sigmoid(1.702 * x),
    slope: (x) => gateSlope(x, 1.702 * x, 1.702),
    within: [1e-5, 1e-5],
    terms: (x) => gateTerms(x, 1.702 * x, 1.702),
  },
  silu: {
    run: silu,
    value: (x) => x * sigmoid(x),
    slope: (x) => gateSlope(x, x, 1),
    within: [1e-5, 1e-5],
    terms: (x) => gateTerms(x, x, 1),
  },
};

/** The smallest normal number, and what counts as 0 beside others. */
const [tiny, least] = [2 ** -126, 2 ** -118];
const points = Float32Array.from(
  new Set([
    ...[0, -0, Infinity, -Infinity, NaN, tiny, -tiny, 1e-30, -1e-30],
    ...Array.from({ length: 20001 }, (_, i) => (i - 10000) / 100 + 1e-3),
    ...Array.from({ length: 2001 }, (_, i) => 10 ** (-8 + (12 * i) / 2000)).flatMap((x) => [x, -x]),
  ]),
);

function expectWithin(
  found: Float32Array,
  right: Real,
  bound: number,
  as: "relative" | "absolute",
  size: Real = right,
): void {
  let [worst, at] = [0, NaN];
  points.forEach((x, i) => {
    const wanted = right(x);
    // Of x g(x) at infinity float32 and float64 make 0 times infinity.
    if (Number.isNaN(wanted)) expect(found[i], `at ${x}`).toBeNaN();
    else if (!Number.isFinite(Math.fround(wanted)))
      expect(found[i], `at ${x}`).toBe(Math.fround(wanted));
    else {
      const unit = as === "absolute" ? Math.max(1, Math.abs(wanted)) : Math.abs(size(x));
      const difference = Math.abs(found[i]! - wanted) / Math.max(unit, least);
      const vanishes = Math.abs(wanted) < least && Math.abs(found[i]!) < least;
      if (!(difference <= worst) && !vanishes) [worst, at] = [difference, x];
    }
  });
  expect(worst, `at ${at}`).toBeLessThanOrEqual(bound);
}

describe.each(names)("on %s", (name) => {
  test.for(Object.entries(activations))("%s", async ([, activation], context) => {
    needs(name, context);
    const { run, value, slope, terms, within, as = ["relative", "relative"] } = activation;
    const step: Step = (state, { x }) => ({
      state,
      outputs: { y: run(x!), ...(slope && { dx: tf.grad((x) => tf.sum(run(x)))(x!) }) },
    });
    const compiled = await engines[name]!.compile(step, {
      state: {},
      inputs: { x: { shape: [points.length] } },
    });
    const { y, dx } = await compiled.run({ x: points });
    await compiled.dispose();
    expectWithin(y!.data, value, within[0], as[0]);
    if (slope) expectWithin(dx!.data, slope, within[1], as[1], terms);
  });

  test("softmax, logSoftmax and logSumExp of rows that reach far", async (context) => {
    needs(name, context);
    const rows = [
      [0, -1000, -50, -80, -87, 1],
      [1e4, -1e4, 0, 9999, 9950, 9913],
      [-1e4, -1e4, -10001, -10010, -10050, -10087],
      [-Infinity, 0, 1, 2, 3, 4],
    ];
    const step: Step = (state, { x }) => ({
      state,
      outputs: {
        softmax: tf.softmax(x!),
        logSoftmax: tf.logSoftmax(x!),
        logSumExp: tf.logSumExp(x!, 1),
        slope: tf.grad((x) => tf.sum(tf.logSumExp(x, 1)))(x!),
      },
    });
    const shape = [rows.length, 6];
    const compiled = await engines[name]!.compile(step, { state: {}, inputs: { x: { shape } } });
    const found = await compiled.run({ x: Float32Array.from(rows.flat()) });
    await compiled.dispose();
    const close = (got: number, wanted: number, what: string): void => {
      if (got === wanted || (Math.abs(wanted) < least && Math.abs(got) < least)) return;
      expect(Math.abs(got - wanted) / Math.abs(wanted), what).toBeLessThan(2e-5);
    };
    rows.forEach((row, r) => {
      const most = Math.max(...row);
      const sum = row.reduce((all, x) => all + Math.exp(x - most), 0);
      close(found["logSumExp"]!.data[r]!, most + Math.log(sum), `logSumExp ${r}`);
      row.forEach((x, i) => {
        const share = Math.exp(x - most) / sum;
        close(found["softmax"]!.data[r * 6 + i]!, share, `softmax ${r}, ${i}`);
        close(found["slope"]!.data[r * 6 + i]!, share, `slope ${r}, ${i}`);
        close(found["logSoftmax"]!.data[r * 6 + i]!, x - most - Math.log(sum), `log ${r}, ${i}`);
      });
    });
    expect(rows.length).toBe(4);
  });
});
