import * as tf from "@tensorflow/tfjs-core";
import "@tensorflow/tfjs-backend-cpu";
import { expect, test } from "vitest";
import { faultsOf, functionsOf, works, type ArgumentRow } from "../../../tools/bad-arguments.js";
import * as ops from "./index.js";

const ones = <R extends tf.Rank>(...shape: number[]): tf.Tensor<R> => tf.ones(shape as never);
const anyOptions = ["nothing", "an object", "an object without prototype", "a date"];
const vector = ones(2);
const rows4 = ones<tf.Rank.R4>(2, 4, 4, 2);
const kernel = ones<tf.Rank.R4>(1, 1, 2, 2);
const running = { mean: tf.zeros([2]), variance: ones(2) };
const norm = { weight: vector, bias: vector, epsilon: 1e-5 };
const layer = { weight: ones(2, 2), bias: vector };
const scalar = tf.scalar(0.5);
const tokens = ones(1, 3, 2);
const unary = (name: "gelu" | "geluTanh" | "quickGelu" | "silu"): ArgumentRow => ({
  name,
  call: ops[name],
  args: [vector],
});
const normOptions = { mode: "train", epsilon: 1e-3, momentum: 0.1, activation: "relu" } as const;
const normAllowed = {
  epsilon: ["nothing", "1.5"],
  momentum: ["nothing"],
  activation: ["nothing"],
  residual: ["nothing"],
};
const geometryAllowed = { stride: ["nothing"], padding: ["nothing"] };

const rows: ArgumentRow[] = [
  { name: "activate", call: ops.activate, args: [vector, "gelu"] },
  ...(["gelu", "geluTanh", "quickGelu", "silu"] as const).map(unary),
  {
    name: "adamw",
    call: ops.adamw,
    args: [
      {
        ...{ parameter: vector, mean: vector, square: vector, gradient: vector },
        ...{ learningRate: scalar, correction1: scalar, correction2: scalar },
      },
      { beta1: 0.9, beta2: 0.99, epsilon: 1e-8, weightDecay: 0.1 },
    ],
    options: 1,
    allowed: { epsilon: ["1.5"], weightDecay: ["1.5"] },
  },
  {
    name: "allReduceMean",
    call: (x: tf.Tensor) =>
      ops.exchangingBy(
        () => undefined,
        () => ops.allReduceMean(x),
      ),
    args: [vector],
  },
  {
    name: "exchangingBy",
    call: ops.exchangingBy,
    args: [() => undefined, () => 1],
    allowed: { 0: ["a function"], 1: ["a function"] },
  },
  {
    name: "amongProcesses",
    call: ops.amongProcesses,
    args: [{ rank: 0, samples: [2, 2] }, () => 1],
    allowed: { 1: ["a function"] },
  },
  {
    name: "attention",
    call: ops.attention,
    args: [tokens, tokens, tokens, 2],
    allowed: { 3: ["nothing", "-1", "1.5"] },
  },
  {
    name: "multiHeadAttention",
    call: ops.multiHeadAttention,
    args: [tokens, tokens, tokens, 2, "LND"],
    allowed: { 4: ["nothing"] },
  },
  {
    name: "selfAttention",
    call: ops.selfAttention,
    args: [
      tokens,
      { weight: ones(2, 6), bias: ones(6) },
      1,
      { norm, output: layer, layout: "LND" },
    ],
    options: 3,
    allowed: {
      3: anyOptions,
      norm: ["nothing"],
      output: ["nothing"],
      layout: ["nothing"],
    },
  },
  {
    name: "batchNorm",
    call: ops.batchNorm,
    args: [rows4, vector, vector, running, { ...normOptions, residual: rows4 }],
    options: 4,
    allowed: normAllowed,
  },
  {
    name: "convBlock",
    call: ops.convBlock,
    args: [
      rows4,
      kernel,
      { weight: vector, bias: vector, running },
      { ...normOptions, residual: rows4, stride: 1, padding: 0 },
    ],
    options: 3,
    allowed: { ...normAllowed, ...geometryAllowed },
  },
  {
    name: "conv2d",
    call: ops.conv2d,
    args: [rows4, kernel, { stride: 1, padding: 0, dilation: 1, groups: 1, bias: vector }],
    options: 2,
    allowed: {
      2: anyOptions,
      ...geometryAllowed,
      dilation: ["nothing"],
      groups: ["nothing"],
      bias: ["nothing"],
    },
  },
  {
    name: "maxPool2d",
    call: ops.maxPool2d,
    args: [rows4, { window: 2, stride: 2, padding: 0 }],
    options: 1,
    allowed: geometryAllowed,
  },
  { name: "globalAveragePool", call: ops.globalAveragePool, args: [rows4] },
  {
    name: "characteristicMeans",
    call: ops.characteristicMeans,
    args: [vector, 0.1, [1, 2]],
    allowed: { 1: ["-1", "1.5"] },
  },
  {
    name: "harmonicProducts",
    call: ops.harmonicProducts,
    args: [{ step: 0.1, harmonics: [1, 2] }, 4],
  },
  { name: "dropPath", call: ops.dropPath, args: [rows4, ones(2), 0.5] },
  {
    name: "layerNorm",
    call: ops.layerNorm,
    args: [rows4, vector, vector, 1e-5],
    allowed: { 3: ["1.5"] },
  },
  {
    name: "layerNormLinear",
    call: ops.layerNormLinear,
    args: [rows4, norm, [layer]],
    allowed: { 2: ["an array"] },
  },
  {
    name: "linear",
    call: ops.linear,
    args: [rows4, layer.weight, vector],
    allowed: { 2: ["nothing"] },
  },
  { name: "mlp", call: ops.mlp, args: [rows4, { norm, fc1: layer, fc2: layer }, "gelu"] },
  {
    name: "normalizeRows",
    call: ops.normalizeRows,
    args: [ones(2, 2), { epsilon: 1e-5, readers: "any" }],
    options: 1,
    allowed: { epsilon: ["1.5"] },
  },
  {
    name: "patchEmbed",
    call: ops.patchEmbed,
    args: [rows4, ones(2, 2, 2, 3), ones(3), "LND"],
    allowed: { 2: ["nothing"], 3: ["nothing"] },
  },
  { name: "runningComposite", call: ops.runningComposite, args: [] },
  {
    name: "badShape",
    call: ops.badShape,
    args: [{ op: "f", argument: "x", expected: "[2]", got: [3] }],
    allowed: { 0: ["an object", "an object without prototype", "a date"] },
  },
  {
    name: "requireShape",
    call: ops.requireShape,
    args: ["f", "x", [2], [2]],
    allowed: { 0: ["a text"], 1: ["a text"] },
  },
];

/** What checks are made of, which refuse for others, and what stands in for kernels, which tfjs calls. */
const pieces = [
  ...["depthwiseFilterGradient", "depthwiseInputGradient", "registerTfjsGradients"],
  ...["nearestName", "numberFrom", "oneOf", "optional", "requireArgument", "requireOptions"],
  ...["requireTensors", "said", "typedArray", "wholeNumber"],
];

test("every function of the package has a row", () => {
  const named = [...rows.map(({ name }) => name), ...pieces];
  expect(named.sort()).toEqual(functionsOf(ops));
});

test.each(rows)(
  "$name refuses what is none of its arguments, by one sentence with a code",
  async (row) => {
    expect(await works(row)).toBe(true);
    expect(await faultsOf(row)).toEqual([]);
  },
);

test("parts of an argument are named by where they are", () => {
  const refusals: [() => unknown, string][] = [
    [
      () => ops.mlp(rows4, { fc1: layer, fc2: {} as never }, "gelu"),
      "mlp: fc2.weight should be a tensor, got nothing.",
    ],
    [
      () => ops.batchNorm(rows4, vector, vector, { mean: vector } as never, normOptions),
      "batchNorm: running.variance should be a tensor, got nothing.",
    ],
    [
      () => ops.layerNormLinear(rows4, norm, [layer, null as never]),
      "layerNormLinear: layers[1] should be an object, got null.",
    ],
    [
      () => ops.conv2d(rows4, kernel, { strides: 2 } as never),
      'conv2d: there is no option "strides"; did you mean "stride"? The names are stride, padding, dilation, groups, bias.',
    ],
  ];
  for (const [call, message] of refusals)
    expect(call).toThrow(expect.objectContaining({ name: "LejepaError", message }));
});
