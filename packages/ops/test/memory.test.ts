import * as ops from "@lejepa/ops";
import * as tf from "@tensorflow/tfjs-core";
import { describe, expect, test } from "vitest";
import { backends, numbers } from "./differentiation.js";

const norm = (dim: number) => ({
  weight: numbers([dim], 11),
  bias: numbers([dim], 12),
  epsilon: 1e-6,
});
const layer = (inputs: number, outputs: number) => ({
  weight: numbers([inputs, outputs], 13),
  bias: numbers([outputs], 14),
});
const running = () => ({ mean: numbers([4], 15), variance: tf.add(numbers([4], 16), 2) });

/** Each operation as a function of one tensor, the rest of what it takes made on the way. */
const operations: Record<string, { shape: number[]; run: (x: tf.Tensor) => tf.Tensor }> = {
  linear: { shape: [3, 4], run: (x) => ops.linear(x, layer(4, 5).weight, layer(4, 5).bias) },
  layerNorm: { shape: [3, 4], run: (x) => ops.layerNorm(x, norm(4).weight, norm(4).bias, 1e-6) },
  layerNormLinear: {
    shape: [3, 4],
    run: (x) => ops.layerNormLinear(x, norm(4), [layer(4, 5)])[0]!,
  },
  normalizeRows: {
    shape: [3, 4],
    run: (x) => ops.normalizeRows(x, { epsilon: 1e-6, readers: "any" }),
  },
  "batchNorm in train": {
    shape: [3, 4],
    run: (x) =>
      ops.batchNorm(x, norm(4).weight, norm(4).bias, running(), {
        mode: "train",
        residual: x,
        activation: "relu",
      }).y,
  },
  "batchNorm in eval": {
    shape: [3, 4],
    run: (x) => ops.batchNorm(x, norm(4).weight, norm(4).bias, running(), { mode: "eval" }).y,
  },
  attention: { shape: [2, 3, 4], run: (x) => ops.attention(x, x, x, 0.5) },
  multiHeadAttention: {
    shape: [2, 3, 4],
    run: (x) => ops.multiHeadAttention(x, x, x, 2, "LND"),
  },
  selfAttention: {
    shape: [2, 3, 4],
    run: (x) => ops.selfAttention(x, layer(4, 12), 2, { norm: norm(4), output: layer(4, 4) }),
  },
  mlp: {
    shape: [3, 4],
    run: (x) => ops.mlp(x, { norm: norm(4), fc1: layer(4, 6), fc2: layer(6, 4) }, "gelu_tanh"),
  },
  gelu: { shape: [5], run: ops.gelu },
  geluTanh: { shape: [5], run: ops.geluTanh },
  quickGelu: { shape: [5], run: ops.quickGelu },
  silu: { shape: [5], run: ops.silu },
  dropPath: { shape: [3, 4], run: (x) => ops.dropPath(x, tf.tensor([0, 0.5, 0.9]), 0.7) },
  globalAveragePool: { shape: [2, 3, 3, 4], run: ops.globalAveragePool },
};

describe.each(backends)("on %s", (backend) => {
  test.each(Object.entries(operations))(
    "%s leaves nothing behind but its result, with and without a gradient",
    async (_name, { shape, run }) => {
      await tf.setBackend(backend);
      const x = numbers(shape, 1);
      const before = tf.memory();
      tf.tidy(() => run(x)).dispose();
      expect(tf.memory().numTensors).toBe(before.numTensors);
      tf.tidy(() => tf.grad(run)(x)).dispose();
      expect(tf.memory().numTensors).toBe(before.numTensors);
      expect(tf.memory().numDataBuffers).toBe(before.numDataBuffers);
      x.dispose();
    },
  );
});

test("a kernel's extra outputs are gone at once where nothing tidies", async () => {
  await tf.setBackend("cpu");
  const x = numbers([3, 4], 1);
  const before = tf.memory().numTensors;
  const y = ops.silu(x);
  expect(tf.memory().numTensors).toBe(before + 1);
  tf.dispose([x, y]);
});

/** Run inside other kernels, whose gradients call them. */
const inner: readonly unknown[] = [
  ops.NormalizeColumns,
  ops.NormalizeColumnsGrad,
  ops.CharacteristicMeansGrad,
];

test("every composite kernel is named after the package and, unless run inside others, has a gradient", () => {
  const kernels = Object.values<unknown>({ ...ops }).filter((value) => typeof value === "string");
  expect(kernels.length).toBeGreaterThan(9);
  for (const kernelName of kernels) {
    expect(kernelName).toMatch(/^Lejepa[A-Z]/);
    expect(tf.getGradient(kernelName) != null, kernelName).toBe(!inner.includes(kernelName));
  }
});
