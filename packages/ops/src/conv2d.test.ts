import * as tf from "@tensorflow/tfjs-core";
import { expect, test } from "vitest";
import { expectSameAs, numbers } from "../test/differentiation.js";
import { conv2d, type Conv2dOptions } from "./conv2d.js";
import type { Padding } from "./padding.js";

/** The definition, tap by tap: every step is a tfjs-core op with a gradient of its own. */
function byDefinition(
  x: tf.Tensor,
  weight: tf.Tensor,
  { stride = 1, padding = 0, dilation = 1, groups = 1 }: Conv2dOptions,
): tf.Tensor {
  const side = (p: Padding, name: "top" | "bottom" | "left" | "right") =>
    typeof p === "number" ? p : p[name];
  const padded = tf.pad(x, [
    [0, 0],
    [side(padding, "top"), side(padding, "bottom")],
    [side(padding, "left"), side(padding, "right")],
    [0, 0],
  ]);
  const [batch, height, width, channels] = padded.shape as [number, number, number, number];
  const [kh, kw, inputs, outputs] = weight.shape as [number, number, number, number];
  const rows = Math.floor((height - dilation * (kh - 1) - 1) / stride) + 1;
  const columns = Math.floor((width - dilation * (kw - 1) - 1) / stride) + 1;
  const parts: tf.Tensor[] = [];
  for (let g = 0; g < groups; g++) {
    let sum: tf.Tensor = tf.zeros([batch, rows, columns, outputs / groups]);
    for (let a = 0; a < kh; a++) {
      for (let b = 0; b < kw; b++) {
        const ys = tf.tensor1d(
          Array.from({ length: rows }, (_, i) => i * stride + a * dilation),
          "int32",
        );
        const xs = tf.tensor1d(
          Array.from({ length: columns }, (_, i) => i * stride + b * dilation),
          "int32",
        );
        const met = tf.slice(
          tf.gather(tf.gather(padded, ys, 1), xs, 2),
          [0, 0, 0, (g * channels) / groups],
          [batch, rows, columns, channels / groups],
        );
        const tap = tf.reshape(
          tf.slice(weight, [a, b, 0, (g * outputs) / groups], [1, 1, inputs, outputs / groups]),
          [inputs, outputs / groups],
        );
        const product = tf.matMul(tf.reshape(met, [-1, inputs]), tap);
        sum = tf.add(sum, tf.reshape(product, sum.shape));
      }
    }
    parts.push(sum);
  }
  return parts.length === 1 ? (parts[0] as tf.Tensor) : tf.concat(parts, 3);
}

const cases: { name: string; x: number[]; weight: number[]; options: Conv2dOptions }[] = [
  { name: "3x3", x: [2, 5, 6, 2], weight: [3, 3, 2, 3], options: { padding: 1 } },
  {
    name: "4x4 stride 2",
    x: [2, 8, 8, 1],
    weight: [4, 4, 1, 3],
    options: { stride: 2, padding: 1 },
  },
  {
    name: "3x3 stride 2 on odd sizes",
    x: [1, 7, 5, 2],
    weight: [3, 3, 2, 2],
    options: { stride: 2, padding: 1 },
  },
  {
    name: "3x3 stride 2 that leaves a row",
    x: [1, 8, 6, 2],
    weight: [3, 3, 2, 2],
    options: { stride: 2, padding: 1 },
  },
  { name: "1x1 stride 2", x: [2, 5, 5, 3], weight: [1, 1, 3, 4], options: { stride: 2 } },
  {
    name: "7x7 stride 2",
    x: [1, 9, 9, 1],
    weight: [7, 7, 1, 2],
    options: { stride: 2, padding: 3 },
  },
  {
    name: "2x3 with a padding for each side",
    x: [1, 4, 5, 2],
    weight: [2, 3, 2, 2],
    options: { padding: { top: 1, bottom: 0, left: 2, right: 1 } },
  },
  {
    name: "dilation 2",
    x: [1, 7, 6, 2],
    weight: [3, 2, 2, 2],
    options: { dilation: 2, padding: 2 },
  },
  {
    name: "dilation 2, stride 2",
    x: [1, 8, 7, 2],
    weight: [3, 3, 2, 2],
    options: { dilation: 2, stride: 2, padding: 1 },
  },
  { name: "2 groups", x: [1, 5, 5, 4], weight: [3, 3, 2, 6], options: { groups: 2, padding: 1 } },
  {
    name: "depthwise",
    x: [1, 5, 5, 3],
    weight: [3, 3, 1, 3],
    options: { groups: 3, padding: 1, stride: 2 },
  },
];

test.each(cases)(
  "$name: value and gradients equal the definition",
  async ({ x, weight, options }) => {
    await expectSameAs(
      (x, w) => conv2d(x as tf.Tensor4D, w as tf.Tensor4D, options),
      (x, w) => byDefinition(x, w, options),
      () => [numbers(x, 1), numbers(weight, 2)],
    );
  },
);

test("the bias is added to every position and receives its gradient", async () => {
  await expectSameAs(
    (x, w, bias) => conv2d(x as tf.Tensor4D, w as tf.Tensor4D, { padding: 1, bias: bias }),
    (x, w, bias) => tf.add(byDefinition(x, w, { padding: 1 }), bias),
    () => [numbers([2, 4, 3, 2], 1), numbers([3, 3, 2, 3], 2), numbers([3], 3)],
  );
});

test("arguments that do not fit are named", () => {
  const x = tf.zeros<tf.Rank.R4>([1, 4, 4, 4]);
  const call = (weight: [number, number, number, number], options: Conv2dOptions) => () =>
    conv2d(x, tf.zeros<tf.Rank.R4>(weight), options);
  expect(call([3, 3, 2, 4], {})).toThrow(
    "conv2d: weight should have shape [*, *, 4, *], got [3, 3, 2, 4].",
  );
  expect(call([3, 3, 4, 4], { groups: 3 })).toThrow(
    expect.objectContaining({ code: "bad-groups" }),
  );
  expect(call([3, 3, 4, 4], { stride: 0 })).toThrow(
    expect.objectContaining({ code: "bad-stride" }),
  );
  expect(call([3, 3, 4, 4], { padding: -1 })).toThrow(
    expect.objectContaining({ code: "bad-padding" }),
  );
  expect(call([5, 5, 4, 4], {})).toThrow(
    "conv2d: x should have shape [N, H >= 5, W >= 5, C], got [1, 4, 4, 4]. The window is larger than the padded image.",
  );
  expect(call([3, 3, 4, 4], { bias: tf.zeros([3]) })).toThrow(
    "conv2d: bias should have shape [4], got [3].",
  );
});
