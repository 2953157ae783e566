/** Calls of the composite operations of @lejepa/ops, to be compared with tfjs's cpu backend as `samples` are: values
 *  and gradients, whether the engine has a row for the kernel or records what it is composed of. */
import {
  Attention,
  attention,
  BatchNorm,
  batchNorm,
  DropPath,
  dropPath,
  Gate,
  Gelu,
  gelu,
  geluTanh,
  GlobalAveragePool,
  globalAveragePool,
  LayerNorm,
  layerNorm,
  layerNormLinear,
  Linear,
  linear,
  mlp,
  MultiHeadAttention,
  multiHeadAttention,
  NormalizeRows,
  normalizeRows,
  quickGelu,
  ScaleShift,
  selfAttention,
  silu,
} from "@lejepa/ops";
import * as tf from "@tensorflow/tfjs-core";
import type { Sample, SampleInput } from "./sample.js";

const f = (...shape: number[]): SampleInput => ({ shape });

const rows: readonly (readonly [title: string, rows: number, dim: number])[] = [
  ["several rows", 5, 7],
  ["one row", 1, 6],
  ["one column", 4, 1],
  ["as many as a vision transformer has", 128, 48],
];

const normalized = (readers: "any" | "centred"): Sample[] =>
  rows.map(([title, count, dim]) => ({
    title: `${title}, for ${readers} readers`,
    inputs: [f(count, dim)],
    run: (x) => {
      const normal = normalizeRows(x, { epsilon: 1e-3, readers });
      if (readers === "any") return normal;
      // A reader whose gradient has rows that sum to 0.
      const weight = tf.reshape(tf.sin(tf.range(0, dim * 3)), [dim, 3]);
      return tf.matMul(normal, tf.sub(weight, tf.mean(weight, 0, true)));
    },
    tolerance: 5e-5,
  }));

const running = (channels: number) => ({
  mean: tf.fill([channels], 0.25),
  variance: tf.fill([channels], 1.5),
});

type Call = readonly [title: string, inputs: readonly SampleInput[], run: Sample["run"]];

const layouts = ["NLD", "LND"] as const;

const calls: Readonly<Record<string, readonly Call[]>> = {
  [Linear]: [
    ["with bias", [f(5, 3), f(3, 4), f(4)], (x, w, b) => linear(x, w, b)],
    ["one row, without bias", [f(1, 3), f(3, 1)], (x, w) => linear(x, w)],
    ["large", [f(512, 16), f(16, 256), f(256)], (x, w, b) => linear(x, w, b)],
    [
      "two behind one norm",
      [f(5, 7), f(7), f(7), f(7, 3), f(3), f(7, 2)],
      (x, w, b, w1, b1, w2) =>
        layerNormLinear(x, { weight: w, bias: b, epsilon: 1e-2 }, [
          { weight: w1, bias: b1 },
          { weight: w2 },
        ]),
    ],
  ],
  [LayerNorm]: [
    ["of a matrix", [f(5, 7), f(7), f(7)], (x, w, b) => layerNorm(x, w, b, 1e-2)],
    ["of one row of tokens", [f(1, 1, 5), f(5), f(5)], (x, w, b) => layerNorm(x, w, b, 1e-2)],
  ],
  [BatchNorm]: [
    [
      "with residual",
      [f(6, 5), f(5), f(5), f(6, 5)],
      (x, w, b, residual) =>
        batchNorm(x, w, b, running(5), { mode: "train", residual: residual }).y,
    ],
    [
      "of 48 rows, three times 16",
      [f(3, 4, 4, 5), f(5), f(5)],
      (x, w, b) => batchNorm(x, w, b, running(5), { mode: "train" }).y,
    ],
    [
      "of 37 rows, which nothing divides",
      [f(37, 5), f(5), f(5)],
      (x, w, b) => batchNorm(x, w, b, running(5), { mode: "train" }).y,
    ],
  ],
  [ScaleShift]: [
    [
      "with residual and ReLU",
      [f(6, 5), f(5), f(5), f(6, 5)],
      (x, w, b, residual) =>
        batchNorm(x, w, b, running(5), {
          mode: "eval",
          residual: residual,
          activation: "relu",
        }).y,
    ],
  ],
  [Attention]: [
    ["of one head", [f(2, 3, 4), f(2, 5, 4), f(2, 5, 3)], (q, k, v) => attention(q, k, v, 0.7)],
  ],
  [MultiHeadAttention]: layouts.flatMap((layout): Call[] => [
    [
      `of heads of 16 in ${layout}`,
      [f(5, 4, 32), f(5, 4, 32), f(5, 4, 32)],
      (q, k, v) => multiHeadAttention(tf.mul(q, 0.3), k, v, 2, layout),
    ],
    [
      `of one token in ${layout}`,
      [f(1, 1, 6), f(1, 1, 6), f(1, 1, 6)],
      (q, k, v) => multiHeadAttention(q, k, v, 3, layout),
    ],
    [
      `of enough to gather rows in ${layout}`,
      [f(32, 64, 32), f(32, 64, 32), f(32, 64, 32)],
      (q, k, v) => multiHeadAttention(tf.mul(q, 0.3), k, v, 2, layout),
    ],
    [
      `with norm and output projection in ${layout}`,
      [f(3, 2, 4), f(4, 12), f(12), f(4), f(4), f(4, 4), f(4)],
      (x, weight, bias, w, b, weightOut, biasOut) =>
        selfAttention(x, { weight: tf.mul(weight, 0.3), bias }, 2, {
          norm: { weight: w, bias: b, epsilon: 1e-2 },
          output: { weight: weightOut, bias: biasOut },
          layout,
        }),
    ],
  ]),
  [Gelu]: [
    ["exact", [f(3, 5)], (x) => gelu(x)],
    ["tanh form", [f(3, 5)], (x) => geluTanh(x)],
    ["sigmoid form", [f(3, 5)], (x) => quickGelu(x)],
  ],
  [Gate]: [
    ["silu", [f(3, 5)], (x) => silu(x)],
    ...(["relu", "gelu", "gelu_tanh", "quick_gelu", "silu"] as const).map((activation): Call => [
      `a perceptron with ${activation}`,
      [f(5, 3), f(3, 4), f(4), f(4, 2), f(2)],
      (x, w1, b1, w2, b2) =>
        mlp(x, { fc1: { weight: w1, bias: b1 }, fc2: { weight: w2, bias: b2 } }, activation),
    ]),
  ],
  [DropPath]: [
    ["of samples of which one goes", [f(3, 4)], (x) => dropPath(x, tf.tensor([0, 0.3, 0.6]), 0.5)],
  ],
  [GlobalAveragePool]: [["of maps", [f(2, 3, 2, 4)], (x) => globalAveragePool(x)]],
};

/** By kernel; the engine has rows of its own for some. */
export const compositeSamples: Readonly<Record<string, readonly Sample[]>> = {
  [NormalizeRows]: [...normalized("any"), ...normalized("centred")],
  ...Object.fromEntries(
    Object.entries(calls).map(([name, own]) => [
      name,
      own.map(([title, inputs, run]): Sample => ({ title, inputs, run, tolerance: 5e-5 })),
    ]),
  ),
};
