import * as tf from "@tensorflow/tfjs-core";
import { describe, expect, test } from "vitest";
import { deviation, expectSameAs, numbers } from "../test/differentiation.js";
import { batchNorm } from "./batch-norm.js";

const statistics = (channels: number) => ({
  mean: numbers([channels], 7),
  variance: tf.add(numbers([channels], 8), 1.5),
});

describe.each([[[5, 3]], [[2, 3, 4, 2]], [[3, 3, 5]]])("x of shape %j", (shape) => {
  const channels = shape.at(-1) as number;
  const inputs = () => [numbers(shape, 1), numbers([channels], 2), numbers([channels], 3)];
  const axes = shape.slice(0, -1).map((_, i) => i);

  test("training: value and gradients equal the composed form", async () => {
    await expectSameAs(
      (x, w, b) => batchNorm(x, w, b, statistics(channels), { mode: "train", epsilon: 1e-3 }).y,
      (x, w, b) => {
        const { mean, variance } = tf.moments(x, axes);
        return tf.add(tf.mul(tf.mul(tf.sub(x, mean), tf.rsqrt(tf.add(variance, 1e-3))), w), b);
      },
      inputs,
    );
  });

  test("evaluation: value and gradients equal the composed form", async () => {
    await expectSameAs(
      (x, w, b) => batchNorm(x, w, b, statistics(channels), { mode: "eval" }).y,
      (x, w, b) => {
        const { mean, variance } = statistics(channels);
        return tf.add(tf.mul(tf.mul(tf.sub(x, mean), tf.rsqrt(tf.add(variance, 1e-5))), w), b);
      },
      inputs,
    );
  });
});

test("running statistics move as torch.nn.BatchNorm1d moves them", async () => {
  await tf.setBackend("cpu");
  const x = tf.tensor([[1], [3], [8]]); // mean 4, unbiased variance (9 + 1 + 16) / 2 = 13
  const running = { mean: tf.tensor([10]), variance: tf.tensor([3]) };
  const { updates } = batchNorm(x, tf.tensor([1]), tf.tensor([0]), running, { mode: "train" });
  expect(deviation(updates.mean.dataSync(), [9.4])).toBeLessThan(1e-6);
  expect(deviation(updates.variance.dataSync(), [4])).toBeLessThan(1e-6);
  expect([...running.mean.dataSync(), ...running.variance.dataSync()]).toEqual([10, 3]);
});

test("evaluation leaves the running statistics as they are", () => {
  const running = { mean: tf.tensor([10]), variance: tf.tensor([3]) };
  const { updates } = batchNorm(tf.tensor([[1], [3]]), tf.tensor([1]), tf.tensor([0]), running, {
    mode: "eval",
  });
  expect(updates).toEqual(running);
});

test("a mean far from zero costs no precision beyond float32's own", async () => {
  await tf.setBackend("cpu");
  const x = tf.add(numbers([64, 2], 1), 1000);
  const y = batchNorm(
    x,
    tf.ones([2]),
    tf.zeros([2]),
    { mean: tf.zeros([2]), variance: tf.ones([2]) },
    { mode: "train" },
  ).y;
  const { mean, variance } = tf.moments(y, 0);
  expect(deviation(variance.dataSync(), [1, 1])).toBeLessThan(1e-3);
  expect(Math.max(...mean.dataSync().map(Math.abs))).toBeLessThan(1e-3);
});

test("one value in a channel has no training statistics", () => {
  const running = { mean: tf.zeros([3]), variance: tf.ones([3]) };
  expect(() =>
    batchNorm(tf.zeros([1, 3]), tf.ones([3]), tf.zeros([3]), running, { mode: "train" }),
  ).toThrow(expect.objectContaining({ name: "LejepaError", code: "too-few-rows" }));
});

test("shapes that do not fit are named", () => {
  const running = { mean: tf.zeros([3]), variance: tf.ones([2]) };
  expect(() =>
    batchNorm(tf.zeros([4, 3]), tf.ones([3]), tf.zeros([3]), running, { mode: "eval" }),
  ).toThrow("batchNorm: running.variance should have shape [3], got [2].");
});

test.each(["train", "eval"] as const)(
  "residual and ReLU in one with the norm equal them apart in %s",
  async (mode) => {
    const running = () => ({ mean: tf.tensor([0.1, -0.2, 0]), variance: tf.tensor([0.5, 1, 2]) });
    // Shifts that keep each channel on one side of the kink.
    const shift = tf.tensor([6, -6, 6]);
    await expectSameAs(
      (x, w, b, residual) =>
        batchNorm(x, w, tf.add(b, tf.tensor(shift.dataSync())), running(), {
          mode,
          residual,
          activation: "relu",
        }).y,
      (x, w, b, residual) => {
        const { y } = batchNorm(x, w, tf.add(b, tf.tensor(shift.dataSync())), running(), { mode });
        return tf.maximum(tf.add(y, residual), 0);
      },
      () => [numbers([4, 2, 3], 1), numbers([3], 2), numbers([3], 3), numbers([4, 2, 3], 4)],
      5e-5,
    );
  },
);

test("a residual of another shape is named", () => {
  const [ones, residual] = [tf.ones([3]), tf.zeros([2, 4])];
  const running = { mean: tf.zeros([3]), variance: ones };
  expect(() =>
    batchNorm(tf.zeros([2, 3]), ones, ones, running, { mode: "eval", residual }),
  ).toThrow("batchNorm: residual should have shape [2, 3], got [2, 4].");
});
