import { readFileSync } from "node:fs";
import { createEngine, type Engine } from "@lejepa/engine";
import { afterAll, beforeEach, describe, expect, test } from "vitest";
import { needs } from "../../../tools/backends.js";
import { linearProbe } from "./linear-probe.js";

interface Reference {
  dim: number;
  l2: number;
  train: { features: number[]; labels: number[] };
  test: { features: number[]; labels: number[] };
  linear: {
    loss: number;
    accuracy: number;
    trainAccuracy: number;
    weight: number[];
    intercept: number[];
  };
}

const reference = JSON.parse(
  readFileSync(new URL("../test/reference/scikit-learn.json", import.meta.url), "utf8"),
) as Reference;

const set = (features: readonly number[], labels: readonly number[], dim: number) => ({
  features: Float32Array.from(features),
  labels: Int32Array.from(labels),
  dim,
});

describe.each(["eager", "onnx", "tensorflow"] as const)("on the %s engine", (name) => {
  let engine: Engine;
  beforeEach(async (context) => {
    needs(name, context);
    engine ??= await createEngine(name);
  });
  afterAll(() => engine?.dispose());

  test("loss, weights and accuracies are scikit-learn's", async () => {
    const { dim, l2, linear } = reference;
    const train = set(reference.train.features, reference.train.labels, dim);
    const found = await linearProbe(
      engine,
      { train, test: set(reference.test.features, reference.test.labels, dim) },
      { l2, tolerance: 1e-6 },
    );
    expect(found.converged).toBe(true);
    expect([...found.classes]).toEqual([-3, 2, 9]);
    expect(found.loss).toBeCloseTo(linear.loss, 6);
    expect(found.accuracy).toBeCloseTo(linear.accuracy, 12);
    expect(found.trainAccuracy).toBeCloseTo(linear.trainAccuracy, 12);
    expect(found.weight).toHaveLength(linear.weight.length);
    linear.weight.forEach((w, i) => expect(found.weight[i]).toBeCloseTo(w, 3));
    // Adding a constant to every bias changes nothing; scikit-learn's are centred in the reference.
    const shift = found.bias.reduce((sum, b) => sum + b, 0) / 3;
    linear.intercept.forEach((b, k) => expect(found.bias[k]! - shift).toBeCloseTo(b, 3));
  });

  test("the gradient of the float64 formula is zero at the weights found", async () => {
    const { dim, l2 } = reference;
    const train = set(reference.train.features, reference.train.labels, dim);
    const found = await linearProbe(engine, { train, test: train }, { l2, tolerance: 1e-6 });
    const { weight, bias, classes } = found;
    const n = train.labels.length;
    const gradient = Array.from(weight, (w) => l2 * w);
    const columns = Array.from({ length: dim }, (_, d) =>
      Array.from({ length: n }, (_, row) => train.features[row * dim + d]!),
    );
    const standard = columns.map((column) => {
      const mean = column.reduce((a, b) => a + b) / n;
      const std = Math.sqrt(column.reduce((a, b) => a + (b - mean) ** 2, 0) / n);
      return column.map((v) => (v - mean) / std);
    });
    for (let row = 0; row < n; row++) {
      const logits = Array.from(bias, (b, k) =>
        standard.reduce((sum, column, d) => sum + column[row]! * weight[d * 3 + k]!, b),
      );
      const total = logits.reduce((sum, l) => sum + Math.exp(l), 0);
      logits.forEach((logit, k) => {
        const residual = Math.exp(logit) / total - (classes[k] === train.labels[row] ? 1 : 0);
        standard.forEach((column, d) => (gradient[d * 3 + k]! += (residual * column[row]!) / n));
      });
    }
    expect(Math.max(...gradient.map(Math.abs))).toBeLessThan(3e-6);
    expect(Math.max(...weight.map(Math.abs))).toBeGreaterThan(0.5);
  });

  test("more rows than a chunk, the last one part full: as if they were one", async () => {
    // 8,192 + 8 rows; in every group of four, x = 1 is class 1 three times in four, x = -1 once in four.
    const features: number[] = [];
    const labels: number[] = [];
    for (let i = 0; i < 1025; i++) {
      features.push(1, 1, 1, 1, -1, -1, -1, -1);
      labels.push(1, 1, 1, 0, 0, 0, 0, 1);
    }
    const train = set(features, labels, 1);
    const found = await linearProbe(engine, { train, test: train }, { l2: 0, tolerance: 1e-6 });
    // Without penalty the model reproduces the shares: log odds = log 3 at x = 1.
    expect(found.weight[1]! - found.weight[0]!).toBeCloseTo(Math.log(3), 4);
    expect(found.loss).toBeCloseTo(-(0.75 * Math.log(0.75) + 0.25 * Math.log(0.25)), 6);
    expect(found.accuracy).toBe(0.75);
  });

  test("an aborted signal ends it with its reason", async () => {
    const data = { train: set([1, 2], [0, 1], 1), test: set([1], [0], 1) };
    const signal = AbortSignal.abort(new Error("enough"));
    await expect(linearProbe(engine, data, { signal })).rejects.toThrow("enough");
  });

  test("a single train class predicts itself", async () => {
    const train = set([1, 2, 3], [4, 4, 4], 1);
    const found = await linearProbe(engine, { train, test: set([1, 2], [4, 5], 1) });
    expect(found).toMatchObject({ accuracy: 0.5, trainAccuracy: 1, iterations: 0, loss: 0 });
  });

  test("a test class without train rows is counted wrong", async () => {
    const train = set([-1, -1.5, 1, 1.5], [0, 0, 7, 7], 1);
    const found = await linearProbe(engine, { train, test: set([-2, 2, 2, 2], [0, 7, 3, 5], 1) });
    expect(found.accuracy).toBe(0.5);
  });

  test("a constant column changes nothing, even where the test set varies in it", async () => {
    const train = set([-1, 3, -1.5, 3, 1, 3, 1.5, 3], [0, 0, 1, 1], 2);
    const found = await linearProbe(engine, { train, test: set([-2, 900, 2, -900], [0, 1], 2) });
    expect(found.accuracy).toBe(1);
    expect([...found.weight.subarray(2)]).toEqual([0, 0]);
  });

  test("of equal logits the smallest class wins", async () => {
    const train = set([2, 2], [5, 3], 1);
    const found = await linearProbe(engine, { train, test: set([2, 2, 2], [3, 3, 5], 1) });
    expect(found.accuracy).toBeCloseTo(2 / 3, 12);
  });

  test("too few iterations are reported as not converged", async () => {
    const train = set(reference.train.features, reference.train.labels, reference.dim);
    const found = await linearProbe(engine, { train, test: train }, { maxIterations: 2 });
    expect(found).toMatchObject({ converged: false, iterations: 2 });
  });
});

test.each([
  ["no-features", set([], [], 2), set([1, 2], [0], 2)],
  ["feature-shape", set([1, 2, 3], [0], 2), set([1, 2], [0], 2)],
  ["feature-shape", set([1, 2], [0], 2), set([1], [0], 1)],
  ["non-finite-features", set([1, Number.NaN], [0], 2), set([1, 2], [0], 2)],
  ["non-finite-features", set([1, 2], [0], 2), set([1, 2, Infinity, 0], [0, 1], 2)],
])("%s is refused before anything is compiled", async (code, train, testSet) => {
  const none = {} as Engine;
  await expect(linearProbe(none, { train, test: testSet })).rejects.toMatchObject({ code });
});
