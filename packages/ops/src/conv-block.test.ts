import * as tf from "@tensorflow/tfjs-core";
import { describe, expect, test } from "vitest";
import { deviation, expectSameAs, numbers } from "../test/differentiation.js";
import { batchNorm } from "./batch-norm.js";
import { convBlock, type ConvBlockOptions } from "./conv-block.js";
import { conv2d } from "./conv2d.js";

type Shape4 = [number, number, number, number];

const running = (channels: number) => ({
  mean: numbers([channels], 7),
  variance: tf.add(numbers([channels], 8), 1.5),
});

/** The block as its parts. */
function apart(
  [x, kernel, weight, bias]: readonly tf.Tensor[],
  { stride = 1, padding = 0, mode, residual, activation = "relu" }: ConvBlockOptions,
) {
  const u = conv2d(x as tf.Tensor4D, kernel as tf.Tensor4D, { stride, padding });
  const { y, updates } = batchNorm(u, weight!, bias!, running(u.shape[3]), { mode });
  const sum = residual === undefined ? y : tf.add(y, residual);
  return { y: activation === "relu" ? tf.relu(sum) : sum, updates };
}

const together = ([x, kernel, weight, bias]: readonly tf.Tensor[], options: ConvBlockOptions) =>
  convBlock(
    x as tf.Tensor4D,
    kernel as tf.Tensor4D,
    { weight: weight!, bias: bias!, running: running(bias!.shape[0]) },
    options,
  );

const geometries: readonly (readonly [Shape4, Shape4, Omit<ConvBlockOptions, "mode">])[] = [
  [[2, 5, 4, 3], [3, 3, 3, 4], { padding: 1 }],
  [[3, 7, 5, 1], [4, 3, 1, 2], { stride: 2, padding: { top: 1, bottom: 0, left: 0, right: 2 } }],
  [[2, 1, 1, 2], [1, 1, 2, 1], {}],
];

describe.each(geometries)("x of shape %j by %j, %j", (x, kernel, geometry) => {
  const outputs = kernel[3];
  const inputs = () => [
    numbers([...x], 1),
    numbers([...kernel], 2),
    tf.add(numbers([outputs], 3), 0.2),
    numbers([outputs], 4),
  ];
  const result = (mode: "train" | "eval") => apart(inputs(), { ...geometry, mode }).y.shape;

  test.each(["train", "eval"] as const)("%s: value and gradients equal the parts", async (mode) => {
    await expectSameAs(
      (...args) => together(args, { ...geometry, mode, activation: "none" }).y,
      (...args) => apart(args, { ...geometry, mode, activation: "none" }).y,
      inputs,
    );
  });

  test.each(["train", "eval"] as const)("%s: so they do with residual and ReLU", async (mode) => {
    await tf.setBackend("cpu");
    // Far enough from 0 that a central difference meets no kink.
    const residual = () => {
      const r = numbers(result(mode), 6);
      return tf.mul(tf.sign(r), tf.add(tf.abs(r), 4));
    };
    await expectSameAs(
      (...args) => together(args, { ...geometry, mode, residual: args[4] as tf.Tensor4D }).y,
      (...args) => apart(args, { ...geometry, mode, residual: args[4] as tf.Tensor4D }).y,
      () => [...inputs(), residual()],
    );
  });

  test("the running statistics move as those of the parts", async () => {
    await tf.setBackend("cpu");
    const options = { ...geometry, mode: "train" } as const;
    const [one, other] = [together(inputs(), options).updates, apart(inputs(), options).updates];
    expect(deviation(one.mean.dataSync(), other.mean.dataSync())).toBeLessThan(1e-6);
    expect(deviation(one.variance.dataSync(), other.variance.dataSync())).toBeLessThan(1e-6);
  });
});

test("a large mean costs no precision beyond that of the convolution", async () => {
  await tf.setBackend("cpu");
  const far = () => [
    tf.add(numbers([4, 6, 6, 2], 1), 1000),
    numbers([3, 3, 2, 3], 2),
    tf.ones([3]),
    tf.zeros([3]),
  ];
  const options = { mode: "train" } as const;
  const [one, other] = [together(far(), options).y, apart(far(), options).y];
  // Sums near 3,000 carry 2e-4 each, and so does what is left of them.
  expect(deviation(one.dataSync(), other.dataSync())).toBeLessThan(1e-3);
});

test("a residual of another shape and a single value are refused", () => {
  const inputs = [numbers([1, 3, 3, 1], 1), numbers([3, 3, 1, 2], 2), tf.ones([2]), tf.zeros([2])];
  expect(() => together(inputs, { mode: "eval", residual: tf.zeros([1, 3, 3, 2]) })).toThrow(
    "convBlock: residual should have shape [1, 1, 1, 2], got [1, 3, 3, 2].",
  );
  expect(() => together(inputs, { mode: "train" })).toThrow(
    "convBlock: training statistics need at least 2 values in each channel",
  );
});
