/** Holds the gradient of every sample of a lowered kernel to central differences, in float64. The samples' test holds every
 *  engine to the same values and gradients. */
import "@tensorflow/tfjs-backend-cpu";
import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, test } from "vitest";
import { registerRightKernels } from "../src/eager-kernels/right-kernels.js";
import type { Sample } from "./kernels/sample.js";
import { differentiable, valuesOf } from "./kernels/sample-values.js";
import { samples } from "./kernels/samples.js";

/** Samples that lie where there is no derivative. */
const kinks = new Set([
  ...["Atan2: on the axes", "Cast: float32 to bool and back", "MaxPool: equal maxima"],
  ...["Round: halves to even", "Sign: with zero", "Step: at 0 and around", "Step: with a slope"],
]);

/** Samples that rules of others fail, by "kernel: title" or kernel, and how. */
type Known = Readonly<Record<string, string>>;

/** Numbers without pattern, for weights and directions. */
const dense = (length: number, seed: number): number[] =>
  Array.from({ length }, (_, i) => Math.cos(1.7 * i + seed) + 0.3 * Math.sin(seed * i * i + 1));

const inner = (a: ArrayLike<number>, b: ArrayLike<number>): number =>
  Array.from(a).reduce((sum, value, i) => sum + value * b[i]!, 0);

const size = (a: ArrayLike<number>): number => Math.sqrt(inner(a, a));

type Losses = (...inputs: tf.Tensor[]) => tf.Scalar;

/** Sum of all results, weighted so that elements are told apart. */
const lossOf =
  (sample: Sample, given: readonly tf.Tensor[]): Losses =>
  (...floats) => {
    const rest = [...floats];
    const all = given.map((input) => (input.dtype === "float32" ? rest.shift()! : input));
    const results = [sample.run(...all)].flat().filter(({ dtype }) => dtype === "float32");
    return tf.addN(
      results.map((y, k) => {
        // Of a window beyond the image there is no mean and no maximum.
        const isFinite = tf.tensor(Array.from(y.dataSync(), Number.isFinite), y.shape, "bool");
        const finite = tf.where(isFinite, y, tf.zerosLike(y));
        return tf.sum(tf.mul(finite, tf.tensor(dense(y.size, k + 2), y.shape)));
      }),
    );
  };

/** Slopes along a few directions of each input, by the gradient and by a fourth-order central difference. */
function slopesOf(loss: Losses, inputs: readonly tf.Tensor[], seeds: readonly number[]) {
  const gradients = tf.grads(loss)([...inputs]);
  const step = 1e-5;
  return inputs.flatMap((input, i) =>
    seeds.map((seed) => {
      const direction = dense(input.size, seed);
      const along = tf.tensor(direction, input.shape);
      const at = (h: number): number =>
        tf.tidy(
          () =>
            loss(
              ...inputs.map((x, k) => (k === i ? tf.add(x, tf.mul(along, h)) : x)),
            ).dataSync()[0]!,
        );
      const difference =
        (8 * (at(step) - at(-step)) - (at(2 * step) - at(-2 * step))) / (12 * step);
      const gradient = gradients[i]!.dataSync();
      const scale = (size(gradient) * size(direction)) / Math.sqrt(input.size) + 1e-3;
      return { input: i, predicted: inner(gradient, direction), difference, scale };
    }),
  );
}

/** Tests of all samples with the rules that are registered. */
export function holdGradients(rules: string, known: Known = {}): void {
  beforeAll(async () => {
    await tf.setBackend("cpu");
    await registerRightKernels("cpu");
    expect(tf.tensor([0.1]).dataSync()[0]).toBe(0.1);
  });

  describe(`the gradient by the rules of ${rules} is the derivative of the value`, () => {
    for (const [kernel, rows] of Object.entries(samples))
      for (const sample of rows)
        if (differentiable(kernel, sample) && !kinks.has(`${kernel}: ${sample.title}`))
          test(`${kernel}: ${sample.title}`, (context) => {
            const reason = known[kernel] ?? known[`${kernel}: ${sample.title}`];
            if (reason !== undefined) context.skip(reason);
            tf.tidy(() => {
              const given = sample.inputs.map((input, i) =>
                tf.tensor(
                  Array.from(valuesOf(input, i)),
                  [...input.shape],
                  input.dtype ?? "float32",
                ),
              );
              const floats = given.filter(({ dtype }) => dtype === "float32");
              const slopes = slopesOf(lossOf(sample, given), floats, [1, 2]);
              expect(slopes.length).toBeGreaterThan(0);
              for (const { input, predicted, difference, scale } of slopes)
                expect(
                  Math.abs(predicted - difference) <= 1e-4 * scale,
                  `input ${input}: the gradient says ${predicted}, the differences ${difference}`,
                ).toBe(true);
            });
          });
  });
}

/** Functions at points where they have no derivative, and which values the gradient may have: the rule is in the name. */
const ties: readonly (readonly [rule: string, f: (x: tf.Tensor) => tf.Tensor, x: number[]])[] = [
  ["the largest share dy evenly", (x) => tf.max(x), [1, 3, 3, 0, 3]],
  ["the smallest share dy evenly", (x) => tf.min(x), [1, 0, 3, 0, 3]],
  ["dy goes to the first maximum of a window", pooled(2, 2), [2, 2, 1, 1, 0, 0, 2, 1]],
  ["and to that of each overlapping window", pooled(3, 1), [2, 2, 1, 2, 2, 0, 2, 2]],
  ["of equals the first operand has dy (maximum)", (x) => tf.sum(tf.maximum(x, 1)), [1, 2, 0]],
  ["of equals the first operand has dy (minimum)", (x) => tf.sum(tf.minimum(x, 1)), [1, 2, 0]],
  ["relu is flat at 0", (x) => tf.sum(tf.relu(x)), [0, 1, -1]],
  ["relu6 is flat at 0", (x) => tf.sum(tf.relu6(x)), [0]],
  ["relu6 rises at 6", (x) => tf.sum(tf.relu6(x)), [6]],
  ["leakyRelu has its slope at 0", (x) => tf.sum(tf.leakyRelu(x, 0.2)), [0, 1, -1]],
  ["the magnitude is flat at 0", (x) => tf.sum(tf.abs(x)), [0, 1, -1]],
  ["clipping passes dy at its low end", (x) => tf.sum(tf.clipByValue(x, 0, 1)), [0]],
  ["clipping passes dy at its high end", (x) => tf.sum(tf.clipByValue(x, 0, 1)), [1]],
];

function pooled(window: number, stride: number): (x: tf.Tensor) => tf.Tensor {
  return (x) =>
    tf.sum(tf.maxPool(tf.reshape<tf.Rank.R4>(x, [1, 1, x.size, 1]), [1, window], stride, "valid"));
}

/** Tests that the slope along any direction lies between those to both sides, as a subgradient's does. */
export function holdSubgradients(): void {
  describe("where there is no derivative the gradient is a subgradient", () => {
    test.each(ties.map(([rule, f, x]) => ({ rule, f, x })))("$rule", ({ f, x }) => {
      const gradient = tf
        .grad((t) => f(t))(tf.tensor(x))
        .dataSync();
      const at = (h: number, direction: readonly number[]): number =>
        f(tf.tensor(x.map((value, i) => value + h * direction[i]!))).dataSync()[0]!;
      const step = 1e-6;
      for (let seed = 1; seed <= 20; seed++) {
        const direction = dense(x.length, seed);
        const ahead = (at(step, direction) - at(0, direction)) / step;
        const behind = (at(0, direction) - at(-step, direction)) / step;
        const slope = inner(gradient, direction);
        expect(slope).toBeGreaterThanOrEqual(Math.min(ahead, behind) - 1e-6);
        expect(slope).toBeLessThanOrEqual(Math.max(ahead, behind) + 1e-6);
      }
    });
  });
}
