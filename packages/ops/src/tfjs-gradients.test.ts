import * as tf from "@tensorflow/tfjs-core";
import { describe, expect, test } from "vitest";
import {
  backends,
  expectSlopes,
  numbers,
  type Op,
  valueAndGradients,
} from "../test/differentiation.js";
import { gradientRules, registerTfjsGradients } from "./tfjs-gradients.js";

/** Numbers in 0.5..1.5, away from zeros, poles and kinks. */
const positive = (shape: number[], key: number) => tf.add(tf.mul(numbers(shape, key), 0.5), 1);
/** Numbers whose magnitude is in 0.5..1.5, of both signs, so that a small step crosses no kink at 0. */
const signed = (shape: number[], key: number) => {
  const x = numbers(shape, key);
  return tf.add(tf.mul(x, 0.5), tf.sign(x));
};
/** Different multiples of 0.37: no two are within a small step of each other. */
const apart = (shape: number[]) => {
  const size = shape.reduce((a, b) => a * b, 1);
  return tf.tensor(
    Float32Array.from({ length: size }, (_, i) => (((i * 7) % size) - size / 2) * 0.37),
    shape,
  );
};
interface Case {
  readonly kernel: string;
  readonly what?: string;
  readonly op: Op;
  readonly inputs: () => tf.Tensor[];
  /** Why a backend is left out. */
  readonly lacks?: { readonly backend: "wasm"; readonly reason: string };
}

const two = (a: number[], b: number[]) => () => [positive(a, 1), positive(b, 2)];
const one = (shape: number[]) => () => [signed(shape, 1)];
const noFilterGradient = {
  backend: "wasm",
  reason: "tfjs-backend-wasm 4.22 has no Conv2DBackpropFilter",
} as const;

const noNegativeMaxima = {
  backend: "wasm",
  reason: "tf.maxPool of tfjs-backend-wasm 4.22 has none; maxPool2d and the eager engine do",
} as const;
const wrongDepthwise = {
  backend: "wasm",
  reason: "tf.depthwiseConv2d of tfjs-backend-wasm 4.22 has wrong values by strides",
} as const;

const wrongRoundedUp = {
  backend: "wasm",
  reason: "tf.avgPool of tfjs-backend-wasm 4.22 has wrong values where it rounds up",
} as const;

type Pad = "same" | "valid" | number | tf.backend_util.ExplicitPadding;
type Pair = [number, number];
type Rounding = "floor" | "round" | "ceil";
const around = (rows: Pair, columns: Pair): Pad => [[0, 0], rows, columns, [0, 0]];

const averagePools: [what: string, Pair, Pair, Pad, Rounding?][] = [
  ["same", [2, 2], [1, 1], "same"],
  ["same by unequal strides", [3, 2], [2, 1], "same"],
  ["one number", [3, 3], [2, 2], 1],
  ["uneven paddings", [2, 3], [1, 2], around([1, 0], [0, 2])],
  ["rows left over", [3, 3], [3, 2], around([1, 0], [0, 1])],
  ["rounded up", [3, 3], [2, 2], 1, "ceil"],
  ["rounded down", [3, 3], [2, 2], 1, "floor"],
];

const depthwise: [
  what: string,
  [number, number, number, number],
  number | Pair,
  Pad,
  number | Pair,
  Rounding?,
][] = [
  ["3x3, same", [3, 3, 2, 1], 1, "same", 1],
  ["two filters for each channel", [2, 3, 2, 2], 1, "valid", 1],
  ["by 2, same, one row", [1, 2, 3, 1], 2, "same", 1],
  ["by 2, three filters for each channel", [3, 3, 2, 3], 2, 1, 1],
  ["unequal strides, uneven paddings", [3, 2, 2, 2], [2, 1], around([1, 0], [2, 1]), 1],
  ["rows left over", [2, 2, 2, 1], [3, 3], "valid", 1],
  ["rounded up", [2, 2, 2, 1], 2, 1, 1, "ceil"],
  ["dilated, valid", [3, 2, 2, 1], 1, "valid", 2],
  ["dilated unequally, same", [3, 3, 1, 2], 1, "same", [1, 3]],
  ["dilated, uneven paddings", [2, 2, 3, 1], 1, around([2, 0], [1, 3]), [3, 2]],
];

const broadcasts: [number[], number[]][] = [
  [
    [2, 3],
    [2, 3],
  ],
  [[2, 3], [3]],
  [
    [2, 1, 3],
    [4, 1],
  ],
  [[], [2, 2]],
];
const binaries: Record<string, Op> = {
  Add: (a, b) => tf.add(a, b),
  Sub: (a, b) => tf.sub(a, b),
  Multiply: (a, b) => tf.mul(a, b),
  RealDiv: (a, b) => tf.div(a, b),
  SquaredDifference: (a, b) => tf.squaredDifference(a, tf.mul(b, 2)),
  Pow: (a, b) => tf.pow(a, b),
};
const unaries: Record<string, Op> = {
  Abs: (x) => tf.abs(x),
  Cast: (x) => tf.mul(tf.cast(x, "float32"), x),
  Cos: (x) => tf.cos(x),
  Erf: (x) => tf.erf(x),
  Exp: (x) => tf.exp(x),
  Expm1: (x) => tf.expm1(x),
  Identity: (x) => tf.mul(tf.clone(x), 2),
  LeakyRelu: (x) => tf.leakyRelu(x, 0.3),
  Log: (x) => tf.log(tf.abs(x)),
  Log1p: (x) => tf.log1p(tf.abs(x)),
  Neg: (x) => tf.neg(x),
  Reciprocal: (x) => tf.reciprocal(x),
  Relu: (x) => tf.relu(x),
  Relu6: (x) => tf.relu6(tf.mul(x, 5)),
  Rsqrt: (x) => tf.rsqrt(tf.abs(x)),
  Sigmoid: (x) => tf.sigmoid(x),
  Sin: (x) => tf.sin(x),
  Softplus: (x) => tf.softplus(x),
  Sqrt: (x) => tf.sqrt(tf.abs(x)),
  Square: (x) => tf.square(x),
  Tanh: (x) => tf.tanh(x),
  // Constant almost everywhere: what is left is the slope of the other factor.
  Ceil: (x) => tf.mul(tf.ceil(tf.mul(x, 0.3)), x),
  Floor: (x) => tf.mul(tf.floor(tf.mul(x, 0.3)), x),
  Round: (x) => tf.mul(tf.round(tf.mul(x, 0.3)), x),
  Sign: (x) => tf.mul(tf.sign(x), x),
  Step: (x) => tf.mul(tf.step(x), x),
  OnesLike: (x) => tf.mul(tf.onesLike(x), x),
  ZerosLike: (x) => tf.add(tf.zerosLike(x), x),
};

const cases: Case[] = [
  ...Object.entries(binaries).flatMap(([name, op]) =>
    broadcasts.map(([a, b]) => ({
      kernel: name,
      what: `[${a.join()}] with [${b.join()}]`,
      op,
      inputs: two(a, b),
    })),
  ),
  ...Object.entries(unaries).map(([name, op]) => ({ kernel: name, op, inputs: one([3, 4]) })),
  {
    kernel: "Maximum",
    op: (a, b) => tf.maximum(a, b),
    inputs: () => [apart([3, 4]), tf.add(tf.reverse(apart([3, 4])), 0.11)],
  },
  {
    kernel: "Minimum",
    op: (a, b) => tf.minimum(a, b),
    inputs: () => [apart([3, 4]), tf.add(tf.reverse(apart([4])), 0.11)],
  },
  {
    kernel: "AddN",
    op: (a, b, c) => tf.addN([a, tf.mul(b, 2), c] as tf.Tensor[]),
    inputs: () => [1, 2, 3].map((key) => numbers([2, 3], key)),
  },
  {
    kernel: "ClipByValue",
    op: (x) => tf.clipByValue(x, -1.09, 1.03),
    inputs: () => [apart([3, 5])],
  },
  {
    kernel: "Select",
    op: (a, b) => tf.where(tf.greater(apart([2, 3]), 0), a, b),
    inputs: two([2, 3], [2, 3]),
  },
  { kernel: "Reshape", op: (x) => tf.reshape(x, [4, 3]), inputs: one([2, 6]) },
  { kernel: "ExpandDims", op: (x) => tf.expandDims(x, 1), inputs: one([2, 3]) },
  { kernel: "Transpose", op: (x) => tf.transpose(x, [2, 0, 1]), inputs: one([2, 3, 4]) },
  { kernel: "Reverse", op: (x) => tf.reverse(x, 1), inputs: one([2, 3]) },
  {
    kernel: "PadV2",
    op: (x) =>
      tf.pad(x, [
        [1, 0],
        [2, 3],
      ]),
    inputs: one([2, 3]),
  },
  { kernel: "Slice", op: (x) => tf.slice(x, [1, 0], [1, -1]), inputs: one([3, 2]) },
  { kernel: "Tile", op: (x) => tf.tile(x, [2, 1, 3]), inputs: one([2, 3, 1]) },
  {
    kernel: "Concat",
    op: (a, b) => tf.concat([a, b] as tf.Tensor[], -1),
    inputs: two([2, 3], [2, 1]),
  },
  {
    kernel: "SplitV",
    op: (x) => {
      const [a, b, c] = tf.split(x, [1, 2, 1], 1) as [tf.Tensor, tf.Tensor, tf.Tensor];
      return tf.concat([tf.mul(c, 3), b, tf.square(a)], 1);
    },
    inputs: one([2, 4]),
  },
  {
    kernel: "SplitV",
    what: "into one part",
    op: (x) => tf.square(tf.split(x, 1, 1)[0]!),
    inputs: one([2, 4]),
  },
  { kernel: "Pack", op: (a, b) => tf.stack([a, b] as tf.Tensor[], 1), inputs: two([2, 3], [2, 3]) },
  {
    kernel: "Unpack",
    op: (x) => {
      const [a, b] = tf.unstack(x, 1) as [tf.Tensor, tf.Tensor];
      return tf.add(tf.mul(a, 3), tf.square(b));
    },
    inputs: one([3, 2]),
  },
  {
    kernel: "Unpack",
    what: "an axis of length 1",
    op: (x) => tf.square(tf.unstack(x, 1)[0]!),
    inputs: one([3, 1]),
  },
  {
    kernel: "GatherV2",
    what: "axis 0, one index twice",
    op: (x) => tf.gather(x, tf.tensor1d([2, 0, 2], "int32")),
    inputs: one([4, 3]),
  },
  {
    kernel: "GatherV2",
    what: "axis 1, indices of rank 2",
    op: (x) =>
      tf.gather(
        x,
        tf.tensor2d(
          [
            [1, 0],
            [3, 1],
          ],
          [2, 2],
          "int32",
        ),
        1,
      ),
    inputs: one([2, 4, 3]),
  },
  {
    kernel: "GatherV2",
    what: "an axis of length 1",
    op: (x) => tf.gather(x, tf.tensor1d([0, 0], "int32"), 1),
    inputs: one([3, 1, 2]),
  },
  {
    kernel: "GatherV2",
    what: "indices for each of a batch",
    op: (x) => tf.gather(x, tf.tensor2d([2, 0, 0, 1], [2, 2], "int32"), 2, -1),
    inputs: one([2, 3, 4, 2]),
  },
  { kernel: "Sum", what: "all", op: (x) => tf.sum(x), inputs: one([2, 3]) },
  { kernel: "Sum", what: "one axis", op: (x) => tf.sum(x, 1), inputs: one([2, 3, 2]) },
  {
    kernel: "Sum",
    what: "axes from the end, kept",
    op: (x) => tf.sum(x, [-1, 0], true),
    inputs: one([2, 3, 2]),
  },
  { kernel: "Mean", what: "all", op: (x) => tf.mean(x), inputs: one([2, 3]) },
  { kernel: "Mean", what: "axes", op: (x) => tf.mean(x, [0, 2]), inputs: one([2, 3, 2]) },
  { kernel: "Max", op: (x) => tf.max(x, 1), inputs: () => [apart([3, 5])] },
  { kernel: "Max", what: "all", op: (x) => tf.max(x), inputs: () => [apart([3, 5])] },
  { kernel: "Min", op: (x) => tf.min(x, 0, true), inputs: () => [apart([3, 5])] },
  { kernel: "Cumsum", op: (x) => tf.cumsum(x, 1), inputs: one([2, 4]) },
  {
    kernel: "Cumsum",
    what: "exclusive, reverse",
    op: (x) => tf.cumsum(x, 0, true, true),
    inputs: one([3, 2]),
  },
  { kernel: "Softmax", op: (x) => tf.softmax(x), inputs: one([2, 4]) },
  ...[
    { what: "plain", a: [2, 3], b: [3, 4], ta: false, tb: false },
    { what: "a'", a: [3, 2], b: [3, 4], ta: true, tb: false },
    { what: "b'", a: [2, 3], b: [4, 3], ta: false, tb: true },
    { what: "a' b'", a: [3, 2], b: [4, 3], ta: true, tb: true },
    { what: "batch", a: [2, 2, 3], b: [2, 3, 4], ta: false, tb: false },
    { what: "one a for a batch of b", a: [1, 2, 3], b: [2, 3, 4], ta: false, tb: false },
  ].map(({ what, a, b, ta, tb }): Case => ({
    kernel: "BatchMatMul",
    what,
    op: (x, y) => tf.matMul(x, y, ta, tb),
    inputs: () => [numbers(a, 1), numbers(b, 2)],
  })),
  {
    kernel: "Conv2D",
    op: (x, w) =>
      tf.conv2d(x as tf.Tensor4D, w as tf.Tensor4D, 2, [
        [0, 0],
        [1, 0],
        [1, 1],
        [0, 0],
      ]),
    inputs: () => [numbers([2, 5, 4, 2], 1), numbers([3, 2, 2, 3], 2)],
    lacks: noFilterGradient,
  },
  {
    kernel: "Conv2DBackpropInput",
    op: (x, w) => tf.conv2dTranspose(x as tf.Tensor4D, w as tf.Tensor4D, [2, 6, 6, 2], 2, "same"),
    inputs: () => [numbers([2, 3, 3, 3], 1), numbers([3, 3, 2, 3], 2)],
    lacks: noFilterGradient,
  },
  {
    kernel: "MaxPool",
    op: (x) => tf.maxPool(x as tf.Tensor4D, 3, 2, 1),
    inputs: () => [apart([1, 5, 6, 2])],
  },
  {
    kernel: "MaxPool",
    what: "of numbers below zero",
    op: (x) => tf.maxPool(x as tf.Tensor4D, 2, 2, "valid"),
    inputs: () => [tf.sub(apart([1, 4, 6, 2]), 30)],
    lacks: noNegativeMaxima,
  },
  {
    kernel: "AvgPool",
    op: (x) => tf.avgPool(x as tf.Tensor4D, 2, 2, "valid"),
    inputs: () => [numbers([1, 4, 6, 2], 1)],
  },
  ...averagePools.map(([what, size, strides, pad, rounding]): Case => ({
    kernel: "AvgPool",
    what,
    op: (x) => tf.avgPool(x as tf.Tensor4D, size, strides, pad, rounding),
    inputs: () => [numbers([2, 7, 8, 2], 1)],
    ...(rounding === "ceil" ? { lacks: wrongRoundedUp } : {}),
  })),
  ...depthwise.map(([what, filter, strides, pad, dilations, rounding]): Case => ({
    kernel: "DepthwiseConv2dNative",
    what,
    op: (x, w) =>
      tf.depthwiseConv2d(
        x as tf.Tensor4D,
        w as tf.Tensor4D,
        strides,
        pad,
        "NHWC",
        dilations,
        rounding,
      ),
    inputs: () => [numbers([2, 7, 8, filter[2]], 1), numbers(filter, 2)],
    ...(strides === 1 ? {} : { lacks: wrongDepthwise }),
  })),
  {
    kernel: "FloorDiv",
    // Quotients half way between two jumps.
    op: (a, b) => tf.mul(tf.cast(tf.floorDiv(a, b), "float32"), a),
    inputs: () => [tf.tensor1d([0.5, 1.5, -0.5, 2.5]), tf.ones([4])],
  },
  ...(["reflect", "symmetric"] as const).map((mode): Case => ({
    kernel: "MirrorPad",
    what: mode,
    op: (x) =>
      tf.mirrorPad(
        x,
        [
          [1, 2],
          [2, 0],
          [0, 1],
        ],
        mode,
      ),
    inputs: one([3, 4, 2]),
  })),
];

describe.each(backends)("on %s", (backend) => {
  const runnable = cases.filter(({ lacks }) => lacks?.backend !== backend);
  test.each(runnable.map((c) => ({ ...c, title: `${c.kernel} ${c.what ?? ""}`.trim() })))(
    "the gradient of $title equals its central difference",
    async ({ op, inputs }) => {
      await tf.setBackend(backend);
      await tf.ready();
      const tensors = inputs();
      expectSlopes(op, tensors, valueAndGradients(op, tensors).grads);
    },
  );
});

test("every rule has a case", () => {
  expect([...new Set(cases.map((c) => c.kernel))].sort()).toEqual(
    Object.keys(gradientRules).sort(),
  );
});

test("a gradient of padded average pooling worked by hand", async () => {
  // Outputs (x1 + x2) / 2 and x2.
  for (const backend of backends) {
    await tf.setBackend(backend);
    const gradient = tf.grad((x) => tf.sum(tf.avgPool(x as tf.Tensor4D, 2, 1, "same")));
    expect([...gradient(tf.tensor4d([3, 5], [1, 1, 2, 1])).dataSync()]).toEqual([0.5, 1.5]);
  }
});

test("several extrema share the gradient", async () => {
  await tf.setBackend("cpu");
  const x = tf.tensor2d([
    [2, 1, 2],
    [0, 0, 0],
  ]);
  expect([
    ...tf
      .grad((t) => tf.sum(tf.max(t, 1)))(x)
      .dataSync(),
  ]).toEqual([0.5, 0, 0.5, ...[1 / 3, 1 / 3, 1 / 3].map(Math.fround)]);
  expect([
    ...tf
      .grad((t) => tf.min(t))(x)
      .dataSync(),
  ]).toEqual([0, 0, 0, ...[1 / 3, 1 / 3, 1 / 3].map(Math.fround)]);
});

test("a rule of tfjs that is wrong is replaced", () => {
  const own = tf.getGradient("MirrorPad");
  tf.unregisterGradient("MirrorPad");
  tf.registerGradient({ kernelName: "MirrorPad", gradFunc: () => ({}) });
  registerTfjsGradients();
  expect(tf.getGradient("MirrorPad").inputsToSave).toEqual(own.inputsToSave);
});

test("a wrong rule is noticed", async () => {
  await tf.setBackend("cpu");
  const x = signed([3, 4], 1);
  const { grads } = valueAndGradients((t) => tf.sin(t), [x]);
  expect(() => {
    expectSlopes((t) => tf.cos(t), [x], grads);
  }).toThrow("slope 0");
});

test("a rule that is registered already is left as it is", () => {
  const own = tf.getGradient("Sin");
  tf.unregisterGradient("Sin");
  tf.registerGradient({ ...own, gradFunc: () => ({ x: () => tf.scalar(7) }) });
  try {
    registerTfjsGradients();
    expect(
      tf
        .grad((x) => tf.sin(x))(tf.scalar(0))
        .dataSync()[0],
    ).toBe(7);
  } finally {
    tf.unregisterGradient("Sin");
    tf.registerGradient(own);
  }
});

test("a dilated tf.conv2d says which function has its gradient", async () => {
  await tf.setBackend("cpu");
  const gradient = () =>
    tf.grad((x) =>
      tf.conv2d(x as tf.Tensor4D, tf.ones<tf.Rank.R4>([2, 2, 1, 1]), 1, "valid", "NHWC", 2),
    )(tf.ones([1, 4, 4, 1]));
  expect(gradient).toThrow(
    expect.objectContaining({
      code: "no-gradient",
      message: expect.stringContaining("use conv2d of @lejepa/ops") as string,
    }),
  );
});
