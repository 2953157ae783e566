import * as tf from "@tensorflow/tfjs-core";
import { describe, expect, test } from "vitest";
import { backends, expectSameAs, numbers } from "../test/differentiation.js";
import { characteristicMeans } from "./characteristic-means.js";

/** The definition. */
const direct = (step: number, harmonics: readonly number[]) => (x: tf.Tensor) =>
  tf.concat(
    harmonics.flatMap((h) => [
      tf.mean(tf.cos(tf.mul(x, h * step)), -1, true),
      tf.mean(tf.sin(tf.mul(x, h * step)), -1, true),
    ]),
    -1,
  );

const upTo = (highest: number) => Array.from({ length: highest }, (_, i) => i + 1);

test.each([
  { title: "the sixteen knots of SIGReg", shape: [3, 9], harmonics: upTo(16) },
  { title: "odd harmonics", shape: [2, 7], harmonics: [1, 3, 5, 7, 9, 11, 13, 15, 17, 19] },
  { title: "one knot", shape: [2, 5], harmonics: [1] },
  { title: "two knots, in any order", shape: [2, 5], harmonics: [2, 1] },
  { title: "leading axes", shape: [2, 3, 4], harmonics: upTo(5) },
  { title: "samples alone", shape: [6], harmonics: upTo(4) },
])("$title: value and gradient are those of the definition", async ({ shape, harmonics }) => {
  const step = 0.1875;
  await expectSameAs(
    (x) => characteristicMeans(x, step, harmonics),
    direct(step, harmonics),
    () => [tf.mul(numbers(shape, 1), 3)],
  );
});

test("rows in several blocks, the last one shorter, are those of one block", async () => {
  // 16 rows of 2048 samples fill a block.
  await expectSameAs(
    (x) => characteristicMeans(x, 0.25, [1, 2, 3]),
    direct(0.25, [1, 2, 3]),
    () => [numbers([35, 2048], 2)],
    1e-4,
  );
});

describe.each(backends)("characteristicMeans on %s", (backend) => {
  test("a sample at zero has cosines of one and sines of zero", async () => {
    await tf.setBackend(backend);
    const means = characteristicMeans(tf.zeros([1, 4]), 0.5, [1, 2]);
    expect([...means.dataSync()]).toEqual([1, 0, 1, 0]);
  });

  test("sines of samples just below zero keep their digits", async () => {
    await tf.setBackend(backend);
    const means = characteristicMeans(tf.fill([1, 4], -(2 ** -10)), 1, [1, 16]).dataSync();
    [1, 16].forEach((harmonic, j) => {
      const sine = Math.sin(-harmonic * 2 ** -10);
      expect(Math.abs(means[2 * j + 1]! / sine - 1)).toBeLessThan(1e-6);
    });
  });

  test("leaves only its result behind", async () => {
    await tf.setBackend(backend);
    const x = numbers([40, 1024], 3);
    const before = tf.memory().numTensors;
    const means = characteristicMeans(x, 0.5, [1, 2, 3]);
    expect(tf.memory().numTensors).toBe(before + 1);
    const gradient = tf.grad((y: tf.Tensor) => characteristicMeans(y, 0.5, [1, 2, 3]))(x);
    expect(tf.memory().numTensors).toBe(before + 2);
    tf.dispose([means, gradient, x]);
  });
});

test("a scalar and harmonics that are no positive whole numbers are refused", () => {
  expect(() => characteristicMeans(tf.scalar(1), 0.5, [1])).toThrow(
    "characteristicMeans: x should have shape of rank 1 or more, got [].",
  );
  for (const harmonics of [[], [0], [1.5], [-1]]) {
    expect(() => characteristicMeans(tf.ones([2]), 0.5, harmonics)).toThrow(
      /^characteristicMeans: harmonics should be positive whole numbers/,
    );
  }
});
