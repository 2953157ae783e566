import { readFileSync } from "node:fs";
import { createEngine, type Engine } from "@lejepa/engine";
import { afterAll, beforeEach, describe, expect, test } from "vitest";
import { needs } from "../../../tools/backends.js";
import { knnProbe } from "./knn-probe.js";

interface Reference {
  dim: number;
  k: number;
  train: { features: number[]; labels: number[] };
  test: { features: number[]; labels: number[] };
  knn: { accuracy: number; predictions: number[] };
}

const reference = JSON.parse(
  readFileSync(new URL("../test/reference/scikit-learn.json", import.meta.url), "utf8"),
) as Reference;

const set = (features: readonly number[], labels: readonly number[], dim: number) => ({
  features: Float32Array.from(features),
  labels: Int32Array.from(labels),
  dim,
});

/** Points spread evenly over the unit sphere, turn by turn of the golden angle. */
const sphere = (count: number): number[] =>
  Array.from({ length: count }, (_, i) => {
    const turn = i * Math.PI * (3 - Math.sqrt(5));
    const height = 1 - (2 * i + 1) / count;
    const radius = Math.sqrt(1 - height * height);
    return [radius * Math.cos(turn), radius * Math.sin(turn), height];
  }).flat();

describe.each(["eager", "onnx", "tensorflow"] as const)("on the %s engine", (name) => {
  let engine: Engine;
  beforeEach(async (context) => {
    needs(name, context);
    engine ??= await createEngine(name);
  });
  afterAll(() => engine?.dispose());

  test("every prediction is scikit-learn's", async () => {
    const { dim, k, knn } = reference;
    const found = await knnProbe(
      engine,
      {
        train: set(reference.train.features, reference.train.labels, dim),
        test: set(reference.test.features, reference.test.labels, dim),
      },
      { k },
    );
    expect([...found.predictions]).toEqual(knn.predictions);
    expect(found.accuracy).toBeCloseTo(knn.accuracy, 12);
    expect(found.neighbours).toBe(7);
  });

  test("over several blocks of queries and keys the predictions are those of a float64 search", async () => {
    const rows = 4100;
    const queryCount = 515;
    const labels = Array.from({ length: rows }, (_, i) => (i * 7) % 5);
    const train = set(sphere(rows), labels, 3);
    const testSet = set(sphere(queryCount), new Array<number>(queryCount).fill(0), 3);
    const found = await knnProbe(engine, { train, test: testSet }, { k: 1 });

    const axes = [0, 1, 2].map((d) => {
      const column = Array.from({ length: rows }, (_, i) => train.features[3 * i + d]!);
      const mean = column.reduce((a, b) => a + b) / rows;
      return { mean, std: Math.sqrt(column.reduce((a, b) => a + (b - mean) ** 2, 0) / rows) };
    });
    const direction = (features: Float32Array, i: number): number[] => {
      const row = axes.map(({ mean, std }, d) => (features[3 * i + d]! - mean) / std);
      return row.map((value) => value / Math.hypot(...row));
    };
    const keys = Array.from({ length: rows }, (_, i) => direction(train.features, i));
    for (let q = 0; q < queryCount; q++) {
      const query = direction(testSet.features, q);
      const cosines = keys.map((key) => key.reduce((sum, value, d) => sum + value * query[d]!, 0));
      expect(found.predictions[q]).toBe(labels[cosines.indexOf(Math.max(...cosines))]);
    }
  });

  test("features collapsed on a line keep their classes, over several blocks of keys", async () => {
    // Cosines differ by 1e-8 of 1 where float32 has steps of 6e-8: each row is told from the others by float64 alone.
    const line = (count: number, from: number) => {
      const labels = Array.from({ length: count }, (_, i) => (i + from) % 3);
      const features = labels.flatMap((label, i) => {
        const along = (1 + ((i * 7 + from) % 10) / 10) * (i % 2 === 0 ? 1 : -1);
        return Array.from({ length: 16 }, (_, d) => along * (1 + 1e-4 * Math.cos((label + 1) * d)));
      });
      return set(features, labels, 16);
    };
    const data = { train: line(5000, 0), test: line(60, 1) };
    const { accuracy } = await knnProbe(engine, data, { k: 5 });
    expect(accuracy).toBe(1);
  });

  test("nearer neighbours outvote more numerous ones, by the temperature", async () => {
    // One row of class 1 in the query's direction, two of class 0 at a right angle: votes e^(1/T) to 2.
    const train = set([1, 0, 0, 1, 0, -1, -1, 0], [1, 0, 0, 2], 2);
    const query = set([5, 0], [1], 2);
    const vote = async (temperature: number): Promise<number> =>
      (await knnProbe(engine, { train, test: query }, { k: 3, temperature })).predictions[0]!;
    expect(await vote(1)).toBe(1); // e > 2
    expect(await vote(2)).toBe(0); // e^(1/2) < 2
    expect(await vote(1e-6)).toBe(1); // no overflow
  });

  test("of equally similar rows the first is nearer, of equal votes the smaller class wins", async () => {
    // All four train rows are at a right angle to, or opposite, one another; the query lies between two.
    const train = set([1, 0, 0, 1, -1, 0, 0, -1], [8, 3, 5, 6], 2);
    const query = set([1, 1], [3], 2);
    const first = await knnProbe(engine, { train, test: query }, { k: 1 });
    expect(first.predictions[0]).toBe(8);
    const tie = await knnProbe(engine, { train, test: query }, { k: 2 });
    expect(tie.predictions[0]).toBe(3);
  });

  test("rows of one direction are equally similar, whatever their length", async () => {
    // Mean 0 and equal deviations, so standardising changes no direction; 1/sqrt(5) and 3/sqrt(45) differ in float64.
    const rows = [
      3, 6, 1, 2, 7, 14, -3, -6, -1, -2, -7, -14, 6, -3, 2, -1, 14, -7, -6, 3, -2, 1, -14, 7,
    ];
    const train = set(rows, [9, 4, 5, 0, 0, 0, 1, 1, 1, 2, 2, 2], 2);
    const query = (x: number, y: number) => set([x, y], [9], 2);
    const nearest = async (test: ReturnType<typeof set>, k: number) =>
      (await knnProbe(engine, { train, test }, { k })).predictions[0];
    for (const test of [query(1, 2), query(5, 10), query(1.1, 1.3), query(2, 1)]) {
      expect(await nearest(test, 1)).toBe(9);
      expect(await nearest(test, 3)).toBe(4);
    }
  });

  test("k beyond the train set lets every row vote", async () => {
    const train = set([1, -1, 1], [0, 4, 0], 1);
    const found = await knnProbe(engine, { train, test: set([-1, 3], [4, 0], 1) }, { k: 50 });
    expect(found).toMatchObject({ neighbours: 3, accuracy: 1 });
  });

  test("k beyond a block of keys, and beyond the train set, lets every row vote", async () => {
    // 2 of 3 rows are of class 4; the temperature makes all votes nearly equal.
    const labels = Array.from({ length: 4100 }, (_, i) => (i % 3 === 0 ? 1 : 4));
    const train = set(sphere(4100), labels, 3);
    const query = set([1, 0, 0, 0, 0, 1], [4, 4], 3);
    for (const k of [3000, 5000]) {
      const found = await knnProbe(engine, { train, test: query }, { k, temperature: 1e6 });
      expect(found).toMatchObject({ neighbours: Math.min(k, 4100), accuracy: 1 });
    }
  });

  test("an aborted signal ends it with its reason", async () => {
    const data = { train: set([1, 2], [0, 1], 1), test: set([1], [0], 1) };
    const signal = AbortSignal.abort(new Error("enough"));
    await expect(knnProbe(engine, data, { signal })).rejects.toThrow("enough");
  });

  test("a single class is always right about itself", async () => {
    const train = set([1, 2, 3], [-7, -7, -7], 1);
    const found = await knnProbe(engine, { train, test: set([1, 9], [-7, 0], 1) });
    expect(found.accuracy).toBe(0.5);
  });

  test("features that do not vary make all similarities 0: the first rows vote", async () => {
    const train = set([2, 2, 2], [1, 0, 0], 1);
    const found = await knnProbe(engine, { train, test: set([7], [1], 1) }, { k: 1 });
    expect(found.accuracy).toBe(1);
  });
});

test.each<[string, object]>([
  ["invalid-option", { k: 0 }],
  ["invalid-option", { k: 1.5 }],
  ["invalid-option", { temperature: 0 }],
  ["invalid-option", { temperature: Number.NaN }],
  ["invalid-option", { K: 3 }],
])("%s: %j", async (code, options) => {
  const data = { train: set([1, 2], [0, 1], 1), test: set([1], [0], 1) };
  await expect(knnProbe({} as Engine, data, options)).rejects.toMatchObject({ code });
});

test("a NaN feature is refused and named", async () => {
  const data = { train: set([1, 2, 3, Number.NaN], [0, 1], 2), test: set([1, 1], [0], 2) };
  const probe = knnProbe({} as Engine, data);
  await expect(probe).rejects.toMatchObject({ code: "non-finite-features" });
  await expect(probe).rejects.toThrow(/train feature 1 of row 1 is NaN/);
});
