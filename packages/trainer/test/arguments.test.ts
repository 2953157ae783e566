import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { projector } from "@lejepa/encoders";
import { createEngine, type Engine } from "@lejepa/engine";
import * as trainer from "@lejepa/trainer";
import { afterAll, beforeAll, expect, test } from "vitest";
import { faultsOf, functionsOf, works, type ArgumentRow } from "../../../tools/bad-arguments.js";
import { linearEncoder } from "./own-encoder.js";
import { stripes, tiny } from "./toy-dataset.js";

const { train } = trainer;
const home = process.cwd();
const scratch = mkdtempSync(join(tmpdir(), "lejepa-arguments-"));
const run = join(scratch, "run");
let engine: Engine;
let opened: trainer.Run;
beforeAll(async () => {
  // Where what is a path by chance lands.
  process.chdir(scratch);
  engine = await createEngine("eager");
  await train({ ...tiny, steps: 1 }, { run, datasets });
  opened = await trainer.openRun(run);
});
afterAll(async () => {
  process.chdir(home);
  await engine.dispose();
  rmSync(scratch, { recursive: true });
});

const dataset = stripes(8);
const datasets = { train: dataset, test: dataset };
const anyOptions = ["nothing", "an object", "an object without prototype", "a date"];
const optional = (...names: string[]) =>
  Object.fromEntries(names.map((name) => [name, ["nothing"]]));
const encoder = linearEncoder();
const schedule = { peak: 1, warmupSteps: 1, steps: 3, finalFraction: 0.1 };
const tensors = { a: { shape: [1], data: Float32Array.of(1) } };
const stopped = AbortSignal.abort();
const noop = (): void => undefined;

/** A run that ends before its first step. It is begun anew each time. */
const begin = async (config: unknown, options: unknown): Promise<unknown> => {
  for (const name of ["begun", "no such word"])
    rmSync(join(scratch, name), { recursive: true, force: true });
  return train(config as trainer.TrainConfigInput, options as trainer.TrainOptions);
};
const options = { run: join(scratch, "begun"), datasets, signal: stopped };
const config = { ...tiny, batchSize: 4, folder: join(scratch, "images") };

const rows = (): ArgumentRow[] => [
  {
    name: "train",
    call: begin,
    args: [
      config,
      {
        ...options,
        ...{ resume: false, extend: false, allowOtherData: false, forceUnlock: false },
        callbacks: { onStep: noop },
        encoder,
      },
    ],
    options: 1,
    allowed: {
      run: ["a text"],
      signal: ["nothing"],
      callbacks: anyOptions,
      forceUnlock: ["nothing", "true"],
      ...optional("resume", "extend", "allowOtherData", "encoder"),
    },
  },
  {
    name: "train",
    call: begin,
    args: [
      {
        ...config,
        ...{ encoder: "conv_mnist", channels: 1, augmentation: [], lambda: 0.5 },
        ...{ combine: "convex", sigreg: "pooled", integration: "trapezoid", points: 5, tMax: 2 },
        ...{ rule: "half-range", learningRate: 0.1, finalFraction: 0.1, weightDecay: 0.1 },
        ...{ seed: 1, processes: 1, retraceEvery: 1, precision: "float32", probe: false },
      },
      options,
    ],
    options: 0,
    allowed: {
      ...optional(
        "folder",
        "preset",
        "encoder",
        "imageSize",
        "channels",
        "projector",
        "batchSize",
        "views",
      ),
      ...optional("slices", "warmupSteps", "workers", "checkpointEvery", "engine", "combine"),
      ...optional("sigreg", "integration", "points", "rule", "processes", "retraceEvery"),
      ...optional("precision", "steps"),
      source: ["a text"],
      folder: ["nothing", "a text"],
      augmentation: ["nothing", "an array"],
      lambda: ["nothing"],
      tMax: ["nothing", "1.5"],
      learningRate: ["nothing", "1.5"],
      finalFraction: ["nothing"],
      weightDecay: ["nothing", "1.5"],
      seed: ["nothing", "-1"],
      probe: ["nothing", "true"],
    },
  },
  { name: "openRun", call: trainer.openRun, args: [run, {}], allowed: { 1: anyOptions } },
  {
    name: "embedRun",
    call: trainer.embedRun,
    args: [
      engine,
      opened,
      dataset,
      { batchSize: 4, workers: 0, onProgress: noop, signal: undefined },
    ],
    options: 3,
    allowed: {
      3: anyOptions,
      ...optional("batchSize", "workers", "signal"),
      onProgress: ["nothing", "a function"],
    },
  },
  {
    name: "embedRun",
    call: (parts: object) =>
      trainer.embedRun(engine, { ...opened, ...parts }, dataset, { batchSize: 4 }),
    args: [{ config: opened.config, encoder: opened.encoder, parameters: opened.parameters }],
    options: 0,
    // What the run has beside them is its own affair.
    allowed: { 0: "all", "an unknown option": "all" },
  },
  {
    name: "labelled",
    call: trainer.labelled,
    args: [{ features: new Float32Array(4), dim: 2, labels: new Int32Array(2) }, { name: "two" }],
    options: 0,
    allowed: { "an unknown option": "all" },
  },
  {
    name: "claimOutput",
    call: async (...paths: [string, string]) => (await trainer.claimOutput(...paths)).release(),
    args: [join(scratch, "x.npy"), join(scratch, "x.labels.npy")],
    allowed: { 0: ["a text"], 1: ["nothing", "a text"] },
  },
  {
    name: "decodeSafetensors",
    call: trainer.decodeSafetensors,
    args: [trainer.encodeSafetensors(tensors), "x.safetensors"],
    allowed: { 1: ["a text"] },
  },
  {
    name: "encodeSafetensors",
    call: trainer.encodeSafetensors,
    args: [tensors, { step: "1" }],
    options: 0,
    allowed: {
      0: ["an object", "an object without prototype"],
      1: ["nothing", "an object", "an object without prototype"],
    },
  },
  {
    name: "lejepaStep",
    call: trainer.lejepaStep,
    args: [
      {
        encoder,
        projector: projector({ inputDim: encoder.dim }),
        batch: { images: 4, groups: [{ views: 2 }] },
        share: { rank: 0, samples: [2, 2] },
        slices: 8,
        loss: { lambda: 0.1 },
        optimizer: { beta1: 0.9 },
      },
    ],
    options: 0,
    allowed: { share: ["nothing"], slices: ["nothing"], loss: anyOptions, optimizer: anyOptions },
  },
  {
    name: "stepOf",
    call: trainer.stepOf,
    args: [opened.config, opened.encoder, { rank: 0, samples: [4, 4] }],
    options: 0,
    allowed: {
      2: ["nothing"],
      source: ["a text"],
      encoder: ["a text"],
      ...optional("folder", "tMax", "rule", "integration", "processes", "precision", "target"),
      tMax: ["nothing", "1.5"],
      augmentation: ["an array"],
      learningRate: ["1.5"],
      weightDecay: ["1.5"],
      seed: ["-1"],
      probe: ["true"],
      retraceEvery: ["nothing"],
    },
  },
  {
    name: "warmupCosine",
    call: trainer.warmupCosine,
    args: [schedule, 1],
    options: 0,
    allowed: { peak: ["1.5"] },
  },
  {
    name: "replaceFile",
    call: trainer.replaceFile,
    args: [join(scratch, "file"), "content", noop],
    allowed: { 0: ["a text"], 1: ["a text", "a Uint8Array"], 2: ["nothing", "a function"] },
  },
  {
    name: "makeFolder",
    call: trainer.makeFolder,
    args: [join(scratch, "folder")],
    allowed: { 0: ["a text"] },
  },
  {
    name: "removeEmptyFolders",
    call: trainer.removeEmptyFolders,
    args: [[join(scratch, "folder")]],
    allowed: { 0: ["an array", "an array of texts"] },
  },
];

test("every function of the package has a row", () => {
  expect([...new Set(rows().map(({ name }) => name))].sort()).toEqual(functionsOf(trainer));
});

test("no row takes what is none of its arguments, and each says so by one sentence with a code", async () => {
  for (const row of rows()) {
    expect(await works(row), row.name).toBe(true);
    expect.soft(await faultsOf(row), row.name).toEqual([]);
  }
});

test.each([
  ["the config", { source: "stripes", steps: 10n }, {}, /steps should be .*got the bigint 10/],
  [
    "a projector",
    { projector: { hidden: [1n], outputDim: 2 } },
    {},
    /projector\.hidden\.0 should be/,
  ],
  ["a transform", { augmentation: [{ name: 1n }] }, {}, /augmentation/],
  ["the preset", { preset: 1n }, {}, /preset should be one of mnist, got the bigint 1/],
  ["the encoder's size", { imageSize: 1n }, { encoder }, /imageSize should be 8.*the bigint 1/],
])("a bigint in %s is told like any other value", async (_where, change, others, says) => {
  const began = train({ ...tiny, ...change } as object as trainer.TrainConfigInput, {
    ...options,
    ...others,
  });
  await expect(began).rejects.toMatchObject({ name: "LejepaError" });
  await expect(began).rejects.toThrow(says);
});

test("more worker threads than a loader takes are refused before a run begins, or goes on", async () => {
  const never = join(scratch, "never");
  const many = { ...tiny, workers: 10_000 };
  await expect(train(many, { run: never, datasets })).rejects.toMatchObject({
    name: "LejepaError",
    code: "invalid-option",
  });
  expect(existsSync(never)).toBe(false);
  const before = readFileSync(join(run, "config.json"));
  const extended = { run, datasets, resume: true, extend: true };
  await expect(train({ ...many, steps: 2 }, extended)).rejects.toThrow(/workers.* got 10000/);
  expect(readFileSync(join(run, "config.json")).equals(before)).toBe(true);
});

test("what is refused leaves no folder", async () => {
  const never = join(scratch, "never");
  for (const given of [
    { signal: "x" },
    { resume: "yes" },
    { callbacks: { onStep: 1 } },
    { callbacks: { onStpe: noop } },
    { datasets: { train: dataset, tset: dataset } },
    { encoder: { ...encoder, parameters: [{ name: "w", shape: [2], role: "weight" }] } },
  ])
    await expect(
      train(tiny, { run: never, datasets, ...given } as object as trainer.TrainOptions),
    ).rejects.toMatchObject({ name: "LejepaError", code: "invalid-option" });
  for (const given of [null, 1, {}, { ...tiny, folder: NaN }])
    await expect(
      train(given as trainer.TrainConfigInput, { run: never, datasets }),
    ).rejects.toMatchObject({ code: "invalid-config" });
  expect(existsSync(never)).toBe(false);
});

test.each([
  ["encoder", {}, "name"],
  ["projector", {}, "inputDim"],
  ["batch", { views: 0, size: 4 }, "views"],
  ["optimizer", { beta1: 1 }, "beta1"],
  ["optimizer", { lr: 1 }, "lr"],
])("a step refuses its %s %j and names %s", (name, value, says) => {
  const step = {
    encoder,
    projector: projector({ inputDim: encoder.dim }),
    batch: { images: 4, groups: [{ views: 2 }] },
  };
  expect(() => trainer.lejepaStep({ ...step, [name]: value })).toThrow(
    expect.objectContaining({
      code: "invalid-option",
      message: expect.stringContaining(says) as string,
    }),
  );
});
