import { arrayDataset, type ViewSpec } from "@lejepa/data";
import { convNet } from "@lejepa/encoders";
import { createEngine, type Engine } from "@lejepa/engine";
import * as evalPackage from "@lejepa/eval";
import { afterAll, beforeAll, expect, test } from "vitest";
import { faultsOf, functionsOf, works, type ArgumentRow } from "../../../tools/bad-arguments.js";

let engine: Engine;
beforeAll(async () => {
  engine = await createEngine("eager");
});
afterAll(() => engine.dispose());

const anyOptions = ["nothing", "an object", "an object without prototype", "a date"];
const part = { features: Float32Array.of(1, 2, 3, 4), dim: 1, labels: Int32Array.of(0, 1, 0, 1) };
const data = { train: part, test: part };
const { signal } = new AbortController();
const encoder = convNet({ imageSize: 8, channels: 1, widths: [2], head: "mean" });
const dataset = arrayDataset({ name: "two", images: new Uint8Array(128), shape: [2, 8, 8, 1] });
const views: ViewSpec = { count: 1, size: [8, 8], transforms: [] };

const rows = (): ArgumentRow[] => [
  {
    name: "knnProbe",
    call: evalPackage.knnProbe,
    args: [engine, data, { k: 3, temperature: 0.1, signal }],
    options: 2,
    allowed: {
      2: anyOptions,
      k: ["nothing"],
      temperature: ["nothing", "1.5"],
      signal: ["nothing"],
    },
  },
  {
    name: "linearProbe",
    call: evalPackage.linearProbe,
    args: [engine, data, { l2: 0.1, tolerance: 0.01, maxIterations: 5, signal }],
    options: 2,
    allowed: {
      2: anyOptions,
      l2: ["nothing", "1.5"],
      tolerance: ["nothing", "1.5"],
      maxIterations: ["nothing"],
      signal: ["nothing"],
    },
  },
  {
    name: "pca2d",
    call: evalPackage.pca2d,
    args: [part.features, 2],
  },
  {
    name: "embed",
    call: evalPackage.embed,
    args: [
      engine,
      encoder,
      encoder.init(0),
      dataset,
      { batchSize: 2, views, workers: 0, onProgress: () => undefined, signal },
    ],
    options: 4,
    allowed: {
      batchSize: ["nothing"],
      workers: ["nothing"],
      onProgress: ["nothing", "a function"],
      signal: ["nothing"],
    },
  },
];

test("every function of the package has a row", () => {
  expect(
    rows()
      .map(({ name }) => name)
      .sort(),
  ).toEqual(functionsOf(evalPackage));
});

test.each([0, 1, 2, 3])(
  "row %i refuses what is none of its arguments, by one sentence with a code",
  async (at) => {
    const row = rows()[at]!;
    expect(await works(row)).toBe(true);
    expect(await faultsOf(row)).toEqual([]);
  },
);

test.each(["train", "test"] as const)(
  "what is wrong in the %s set is refused by both probes",
  async (name) => {
    const wrong: [string, object][] = [
      ["invalid-features", { features: [1, 2, 3, 4] }],
      ["invalid-features", { features: Float64Array.of(1, 2, 3, 4) }],
      ["invalid-labels", { labels: [0, 1, 0, 1] }],
      ["invalid-labels", { labels: Float32Array.of(0, 1, 0.5, 1) }],
      ["invalid-labels", { labels: undefined }],
      ["feature-shape", { dim: 0 }],
      ["feature-shape", { dim: 2 }],
      ["feature-shape", { dim: undefined }],
      ["non-finite-features", { features: Float32Array.of(1, 2, NaN, 4) }],
      ["no-features", { features: new Float32Array(0), labels: new Int32Array(0) }],
    ];
    for (const [code, change] of wrong)
      for (const probe of [evalPackage.knnProbe, evalPackage.linearProbe]) {
        const changed = { ...data, [name]: { ...part, ...change } };
        await expect(probe(engine, changed)).rejects.toMatchObject({ name: "LejepaError", code });
      }
  },
);

test("a misspelt option is refused with the nearest one", async () => {
  await expect(evalPackage.knnProbe(engine, data, { K: 3 } as object)).rejects.toThrow(
    'did you mean "k"?',
  );
  await expect(evalPackage.linearProbe(engine, data, { tolerence: 3 } as object)).rejects.toThrow(
    'did you mean "tolerance"?',
  );
});

test("pca2d refuses numbers that are not finite, with their place", () => {
  for (const bad of [NaN, Infinity, -Infinity])
    expect(() => evalPackage.pca2d(Float32Array.of(1, 2, 3, bad), 2)).toThrow(
      /feature 1 of row 1 is/,
    );
});

test("an engine that compiles to nothing that runs is refused", async () => {
  const run = () => undefined;
  for (const made of [
    undefined,
    null,
    1,
    {},
    { run },
    { dispose: run },
    { entries: {}, dispose: run },
  ])
    for (const compile of [() => made, () => Promise.resolve(made)]) {
      const own = { compile } as unknown as Engine;
      for (const call of [
        () => evalPackage.knnProbe(own, data),
        () => evalPackage.linearProbe(own, data),
        () => evalPackage.embed(own, encoder, encoder.init(0), dataset, { views }),
      ])
        await expect(call()).rejects.toMatchObject({
          name: "LejepaError",
          code: "invalid-argument",
          message: expect.stringMatching(/engine\.compile.*createEngine/) as string,
        });
    }
});

test("embed has no views of its own, whose normalisation would be another training's", async () => {
  const { embed } = evalPackage;
  const without = embed(
    engine,
    encoder,
    encoder.init(0),
    dataset,
    {} as Parameters<typeof embed>[4],
  );
  await expect(without).rejects.toMatchObject({ name: "LejepaError", code: "invalid-option" });
  await expect(without).rejects.toThrow(/views.*plainView/);
});
