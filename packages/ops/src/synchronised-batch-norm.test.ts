import * as tf from "@tensorflow/tfjs-core";
import { describe, expect, test } from "vitest";
import { backends, deviation, numbers } from "../test/differentiation.js";
import { lockstep } from "../test/lockstep.js";
import { amongProcesses } from "./among-processes.js";
import { batchNorm, type BatchNormOptions } from "./batch-norm.js";
import { convBlock } from "./conv-block.js";

interface Computed {
  /** The result, rows of samples first. */
  readonly y: Float32Array;
  readonly mean: Float32Array;
  readonly variance: Float32Array;
  /** Of sum(y * w) with respect to x, weight, bias and residual. */
  readonly gradients: readonly Float32Array[];
}

type Layer = (
  x: tf.Tensor,
  weight: tf.Tensor,
  bias: tf.Tensor,
  residual: tf.Tensor,
) => ReturnType<typeof batchNorm>;

/** Forward and backward of a layer over samples [from, to) of [N, 3, 4, 2]. */
function compute(layer: Layer, x: tf.Tensor, from: number, to: number): Computed {
  const part = (t: tf.Tensor): tf.Tensor => tf.slice(t, [from, 0, 0, 0], [to - from, -1, -1, -1]);
  const [weight, bias] = [tf.add(numbers([2], 2), 2), numbers([2], 3)];
  const [residual, upstream] = [part(numbers(x.shape, 4)), part(numbers(x.shape, 5))];
  let result!: Omit<Computed, "gradients">;
  const gradients = tf.grads((...args: tf.Tensor[]) => {
    const { y, updates } = layer(...(args as Parameters<Layer>));
    result = {
      y: y.dataSync() as Float32Array,
      mean: updates.mean.dataSync() as Float32Array,
      variance: updates.variance.dataSync() as Float32Array,
    };
    return tf.sum(tf.mul(y, upstream));
  })([part(x), weight, bias, residual]);
  return { ...result, gradients: gradients.map((g) => g.dataSync() as Float32Array) };
}

const running = () => ({ mean: numbers([2], 7), variance: tf.add(numbers([2], 8), 1.5) });
const norm =
  (options: Partial<BatchNormOptions>): Layer =>
  (x, weight, bias, residual) =>
    batchNorm(x, weight, bias, running(), { mode: "train", ...options, residual });
const block: Layer = (x, weight, bias, residual) =>
  convBlock(
    x as tf.Tensor4D,
    numbers([3, 3, 2, 2], 9) as tf.Tensor4D,
    { weight, bias, running: running() },
    { mode: "train", padding: 1, residual: residual as tf.Tensor4D },
  );
const layers: Record<string, Layer> = {
  "batch normalisation": norm({}),
  "batch normalisation with ReLU": norm({ activation: "relu", epsilon: 1e-3, momentum: 0.3 }),
  "a convolution block": block,
};

const join = (parts: readonly Float32Array[]): number[] => parts.flatMap((part) => [...part]);
const add = (parts: readonly Float32Array[]): Float32Array =>
  parts[0]!.map((_, i) => parts.reduce((total, part) => total + part[i]!, 0));

function onProcesses(layer: Layer, x: tf.Tensor, samples: readonly number[]): Computed[] {
  return lockstep(samples.length, (rank) => {
    const from = samples.slice(0, rank).reduce((a, b) => a + b, 0);
    return amongProcesses({ rank, samples }, () => compute(layer, x, from, from + samples[rank]!));
  });
}

describe.each(backends)("on the %s backend", (backend) => {
  describe.each(Object.entries(layers))("%s", (_name, layer) => {
    test.each([[[4, 4]], [[1, 5, 2]], [[8]]])(
      "of samples shared out as %j is that of the whole batch",
      async (samples) => {
        await tf.setBackend(backend);
        const x = numbers([8, 3, 4, 2], 1);
        const whole = compute(layer, x, 0, 8);
        const parts = onProcesses(layer, x, samples);
        expect(deviation(join(parts.map(({ y }) => y)), whole.y)).toBeLessThan(1e-5);
        for (const { mean, variance } of parts) {
          expect(deviation(mean, whole.mean)).toBeLessThan(1e-5);
          expect(deviation(variance, whole.variance)).toBeLessThan(1e-5);
        }
        const [dx, dweight, dbias, dresidual] = [0, 1, 2, 3].map((i) =>
          parts.map(({ gradients }) => gradients[i]!),
        );
        const expected = whole.gradients;
        expect(deviation(join(dx!), expected[0]!)).toBeLessThan(1e-4);
        expect(deviation(add(dweight!), expected[1]!)).toBeLessThan(1e-5);
        expect(deviation(add(dbias!), expected[2]!)).toBeLessThan(1e-5);
        expect(deviation(join(dresidual!), expected[3]!)).toBeLessThan(1e-5);
      },
    );

    test("left to each process is something else", async () => {
      await tf.setBackend(backend);
      const x = numbers([8, 3, 4, 2], 1);
      const [whole, half] = [compute(layer, x, 0, 8), compute(layer, x, 0, 4)];
      expect(deviation(half.y, whole.y.slice(0, half.y.length))).toBeGreaterThan(1e-2);
      expect(deviation(half.mean, whole.mean)).toBeGreaterThan(1e-3);
    });
  });

  test("a mean far from zero costs no precision beyond float32's own", async () => {
    await tf.setBackend(backend);
    const near = numbers([8, 3, 4, 2], 1);
    // Steps of float32 at 1000 are 6e-5: the differences that both see are those of the rounded numbers.
    const far = tf.add(near, 1000);
    const expected = compute(norm({}), tf.sub(far, 1000), 0, 8);
    const parts = onProcesses(norm({}), far, [3, 5]);
    expect(deviation(join(parts.map(({ y }) => y)), expected.y)).toBeLessThan(2e-3);
  });
});

test("one row in all is too few, one row of each process is not", async () => {
  await tf.setBackend("cpu");
  const run = (samples: number[]) =>
    lockstep(samples.length, (rank) =>
      amongProcesses({ rank, samples }, () =>
        batchNorm(tf.tensor2d([[rank]]), tf.ones([1]), tf.zeros([1]), running1(), {
          mode: "train",
        }),
      ),
    );
  const running1 = () => ({ mean: tf.zeros([1]), variance: tf.ones([1]) });
  expect(() => run([1])).toThrow(expect.objectContaining({ code: "too-few-rows" }));
  // Rows 0 and 1: mean 1/2, variance 1/4.
  expect(run([1, 1]).map(({ y }) => y.dataSync()[0]!.toFixed(3))).toEqual(["-1.000", "1.000"]);
});

test.each([
  [2, [1, 1]],
  [-1, [1]],
  [0, []],
  [0, [1, 0]],
  [0.5, [1, 1]],
])("rank %j of shares %j is refused", (rank, samples) => {
  expect(() => amongProcesses({ rank, samples }, () => 0)).toThrow(
    expect.objectContaining({ code: "bad-share" }),
  );
});

test("a share ends with its body, also when that fails", async () => {
  await tf.setBackend("cpu");
  const fail = () => {
    throw new Error("no");
  };
  expect(() => amongProcesses({ rank: 0, samples: [1, 1] }, fail)).toThrow("no");
  const x = numbers([8, 3, 4, 2], 1);
  expect(compute(norm({}), x, 0, 8).y).toHaveLength(192);
});
