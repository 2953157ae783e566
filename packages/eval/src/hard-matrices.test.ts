import { readFileSync } from "node:fs";
import { createEngine, type Engine } from "@lejepa/engine";
import { afterAll, beforeEach, describe, expect, test } from "vitest";
import { needs } from "../../../tools/backends.js";
import { knnProbe } from "./knn-probe.js";
import { linearProbe } from "./linear-probe.js";
import { pca2d } from "./pca2d.js";

interface Case {
  name: string;
  dim: number;
  train: { features: number[]; labels: number[] };
  test: { features: number[]; labels: number[] };
  linear?: { accuracy: number; trainAccuracy: number };
  knn: { accuracy: number; predictions: number[] };
  pca: { explained: number[]; spread: number[] };
}

const { l2, k, cases } = JSON.parse(
  readFileSync(new URL("../test/reference/hard-matrices.json", import.meta.url), "utf8"),
) as { l2: number; k: number; cases: Case[] };

const dataOf = ({ dim, train, test }: Case) => {
  const [trainSet, testSet] = [train, test].map(({ features, labels }) => ({
    features: Float32Array.from(features),
    labels: Int32Array.from(labels),
    dim,
  }));
  return { train: trainSet!, test: testSet! };
};

describe.each(["eager", "onnx", "tensorflow"] as const)("on the %s engine", (name) => {
  let engine: Engine;
  beforeEach(async (context) => {
    needs(name, context);
    engine ??= await createEngine(name);
  });
  afterAll(() => engine?.dispose());

  test.each(cases)("kNN predicts as scikit-learn does in float64: $name", async (matrix) => {
    const found = await knnProbe(engine, dataOf(matrix), { k });
    expect([...found.predictions]).toEqual(matrix.knn.predictions);
    expect(found.accuracy).toBeCloseTo(matrix.knn.accuracy, 12);
  });

  test.each(cases.filter(({ linear }) => linear !== undefined))(
    "the linear probe is as accurate as scikit-learn's in float64: $name",
    async (matrix) => {
      const found = await linearProbe(engine, dataOf(matrix), { l2 });
      expect(found.converged).toBe(true);
      expect(found.accuracy).toBeCloseTo(matrix.linear!.accuracy, 12);
      expect(found.trainAccuracy).toBeCloseTo(matrix.linear!.trainAccuracy, 12);
    },
  );
});

test.each(cases)("principal components spread as scikit-learn's: $name", (matrix) => {
  const { features } = dataOf(matrix).train;
  const { points, explained } = pca2d(features, matrix.dim);
  matrix.pca.spread.forEach((spread, axis) => {
    const along = Array.from({ length: points.length / 2 }, (_, row) => points[2 * row + axis]!);
    // Relative to a first axis of any size, the second is known to the rounding of float64.
    const rounding = 1e-15 * matrix.pca.spread[0]!;
    const found = Math.sqrt(along.reduce((sum, x) => sum + x * x, 0) / along.length);
    expect(Math.abs(found - spread)).toBeLessThan(1e-6 * spread + rounding);
    expect(explained[axis]).toBeCloseTo(matrix.pca.explained[axis]!, 9);
  });
});
