import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { cp, mkdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createEngine } from "@lejepa/engine";
import {
  decodeSafetensors,
  embedRun,
  encodeSafetensors,
  openRun,
  train,
  type StepMetrics,
  type TrainCallbacks,
  type TrainConfigInput,
  type TrainResult,
} from "@lejepa/trainer";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { needs } from "../../../tools/backends.js";
import { stripes, tiny } from "./toy-dataset.js";

let scratch = "";
beforeEach(() => {
  scratch = mkdtempSync(join(tmpdir(), "lejepa-train-"));
});
afterEach(() => rmSync(scratch, { recursive: true }));

const datasets = { train: stripes(), test: stripes(15) };

interface Extra {
  config?: Partial<TrainConfigInput>;
  resume?: boolean;
  callbacks?: TrainCallbacks;
  /** Aborts once this many steps are done. */
  abortAt?: number;
  train?: ReturnType<typeof stripes>;
}

function start(name: string, extra: Extra = {}): Promise<TrainResult> {
  const { config, resume = false, callbacks = {}, abortAt, train: trainSet } = extra;
  const controller = new AbortController();
  if (abortAt === 0) controller.abort();
  return train(
    { ...tiny, ...config },
    {
      run: join(scratch, name),
      resume,
      signal: controller.signal,
      datasets: { ...datasets, ...(trainSet && { train: trainSet }) },
      callbacks: {
        ...callbacks,
        onStep: (metrics) => {
          callbacks.onStep?.(metrics);
          if (metrics.step === abortAt) controller.abort();
        },
      },
    },
  );
}

const metricsOf = (name: string): StepMetrics[] =>
  readFileSync(join(scratch, name, "metrics.jsonl"), "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as StepMetrics);

/** Everything about the steps that does not depend on the clock. */
const computed = (name: string) =>
  metricsOf(name).map(({ step, loss, prediction, sigreg, lr }) => ({
    step,
    loss,
    prediction,
    sigreg,
    lr,
  }));

const checkpointBytes = (name: string, file: string): Buffer =>
  readFileSync(join(scratch, name, "checkpoint", file));

describe("a run", () => {
  test("leaves config, metrics, checkpoint, result and report", async () => {
    const phases: string[] = [];
    const checkpoints: number[] = [];
    let ended: TrainResult | undefined;
    const result = await start("a", {
      callbacks: {
        onPhase: (phase) => phases.push(phase),
        onCheckpoint: (step) => checkpoints.push(step),
        onEnd: (it) => (ended = it),
      },
    });
    expect(result).toMatchObject({
      status: "finished",
      run: join(scratch, "a"),
      steps: 12,
      engine: "eager",
      resumedFrom: null,
      probes: null,
    });
    expect(ended).toBe(result);
    expect(phases).toEqual(["load", "compile", "train", "probe"]);
    expect(checkpoints).toEqual([5, 10, 12]);
    expect(readdirSync(join(scratch, "a")).sort()).toEqual([
      "checkpoint",
      "config.json",
      "metrics.jsonl",
      "report.html",
      "result.json",
    ]);
    const lines = metricsOf("a");
    expect(lines.map(({ step }) => step)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
    expect(Object.keys(lines[0]!)).toEqual([
      "step",
      "loss",
      "prediction",
      "sigreg",
      "lr",
      "imagesPerSecond",
      "dataWaitSeconds",
      "seconds",
    ]);
    expect(lines[0]!.lr).toBeCloseTo(5e-3 / 3, 12);
    expect(lines.at(-1)!.loss).toBeLessThan(lines[0]!.loss);
  });

  test("computes SIGReg by the integral that its config names", async () => {
    const firstSigreg = async (name: string, config: Partial<TrainConfigInput>) => {
      await start(name, { config: { steps: 1, ...config } });
      return metricsOf(name)[0]!.sigreg;
    };
    // Two ways to the same number, and a coarse one.
    const whole = await firstSigreg("whole", { integration: "gauss-hermite", points: 24 });
    const wide = await firstSigreg("wide", { rule: "full-range", tMax: 8, points: 81 });
    const simpson = await firstSigreg("simpson", { integration: "simpson", tMax: 8, points: 41 });
    const coarse = await firstSigreg("coarse", { points: 3 });
    expect(wide / whole).toBeCloseTo(1, 4);
    expect(simpson / whole).toBeCloseTo(1, 4);
    expect(Math.abs(coarse / whole - 1)).toBeGreaterThan(0.01);
    const stored = readFileSync(join(scratch, "whole", "config.json"), "utf8");
    expect(JSON.parse(stored)).toMatchObject({ integration: "gauss-hermite", points: 24 });
    expect(stored).not.toContain("tMax");
  });

  test("tells how long it waited for images, step by step and in all", async () => {
    for (const workers of [0, 1]) {
      const { dataWaitSeconds, phases } = await start(`${workers}`, { config: { workers } });
      const waits = metricsOf(`${workers}`).map((line) => line.dataWaitSeconds);
      expect(Math.min(...waits)).toBeGreaterThanOrEqual(0);
      const sum = waits.reduce((total, wait) => total + wait);
      expect(dataWaitSeconds).toBeCloseTo(sum, 4);
      expect(dataWaitSeconds).toBeGreaterThan(0);
      expect(dataWaitSeconds).toBeLessThan(phases.train);
      const html = readFileSync(join(scratch, `${workers}`, "report.html"), "utf8");
      expect(html).toContain("of it waiting for images");
    }
  });

  test("with the same seed gives the same losses, with another seed others", async () => {
    await start("a");
    await start("b");
    await start("c", { config: { seed: 1 } });
    expect(computed("b")).toEqual(computed("a"));
    expect(computed("c")[0]!.loss).not.toBe(computed("a")[0]!.loss);
  });

  test("with probes reports the untrained encoder beside the trained one", async () => {
    const embedded: [number, number][] = [];
    const result = await start("a", {
      config: { probe: true, steps: 3 },
      callbacks: { onProbe: (done, total) => embedded.push([done, total]) },
    });
    const { untrained, trained } = result.probes!;
    for (const share of [untrained.linear, untrained.knn, trained.linear, trained.knn]) {
      expect(share).toBeGreaterThan(1 / 3);
      expect(share).toBeLessThanOrEqual(1);
    }
    expect(embedded.at(-1)).toEqual([110, 110]);
    const html = readFileSync(join(scratch, "a", "report.html"), "utf8");
    expect(html).toContain("diagonals");
    expect(html).toContain(`${(100 * trained.linear).toFixed(2)} %`);
    // Self-contained: nothing to fetch. The only address is the name of the SVG language.
    expect(html.replaceAll("http://www.w3.org/", "")).not.toMatch(
      /https?:|src=|@import|url\((?!#)|<link/,
    );
  });

  test("opens again with encoder and parameters, and embeds", async () => {
    await start("a");
    const run = await openRun(join(scratch, "a"));
    expect(run).toMatchObject({ step: 12, config: { encoder: "conv_mnist", steps: 12 } });
    expect(run.result!.status).toBe("finished");
    const engine = await createEngine("eager");
    const { features, dim, labels } = await embedRun(engine, run, datasets.test, { batchSize: 4 });
    await engine.dispose();
    expect([features.length, dim, labels!.length]).toEqual([15 * 128, 128, 15]);
    expect(features.every((value) => Number.isFinite(value))).toBe(true);
  });

  test("writes its encoder by timm's names in torch's layout", async () => {
    await start("a", { config: { steps: 1 } });
    const { tensors, metadata } = decodeSafetensors(checkpointBytes("a", "model.safetensors"), "m");
    expect(metadata).toEqual({ format: "pt", encoder: "conv_mnist", step: "1", seed: "0" });
    const { encoder } = await openRun(join(scratch, "a"));
    const inMemory = encoder.parameters.find(({ shape }) => shape.length === 4)!;
    const [height, width, input, output] = inMemory.shape;
    expect(tensors[inMemory.name]!.shape).toEqual([output, input, height, width]);
    expect(Object.keys(tensors).some((name) => name.startsWith("projector"))).toBe(false);
  });
});

describe.each(["eager", "onnx", "tensorflow"] as const)("resume on %s", (engine) => {
  test("a run that was stopped and resumed equals one that was not, bit for bit", async (context) => {
    needs(engine, context);
    await start("straight", { config: { engine } });
    const first = await start("parts", { config: { engine }, abortAt: 7 });
    expect(first).toMatchObject({ status: "interrupted", steps: 7 });
    expect(existsSync(join(scratch, "parts", "result.json"))).toBe(false);
    const second = await start("parts", { config: { engine }, resume: true });
    expect(second).toMatchObject({ status: "finished", steps: 12, resumedFrom: 7 });
    expect(computed("parts")).toEqual(computed("straight"));
    for (const file of ["model.safetensors", "training.safetensors"]) {
      expect(checkpointBytes("parts", file).equals(checkpointBytes("straight", file))).toBe(true);
    }
  });
});

describe("resume", () => {
  test("after a crash takes up the last checkpoint and drops the lines after it", async () => {
    await start("straight");
    const crash = start("crashed", {
      callbacks: {
        onStep: ({ step }) => {
          if (step === 8) throw new Error("power cut");
        },
      },
    });
    await expect(crash).rejects.toThrow("power cut");
    // A line that was being written when the power went.
    writeFileSync(join(scratch, "crashed", "metrics.jsonl"), '{"step":9,"lo', { flag: "a" });
    const result = await start("crashed", { resume: true });
    expect(result.resumedFrom).toBe(5);
    expect(computed("crashed")).toEqual(computed("straight"));
  });

  test("finds the checkpoint of a process that died between its two renames", async () => {
    await start("a", { abortAt: 7 });
    await cp(join(scratch, "a", "checkpoint"), join(scratch, "a", "checkpoint.partial"), {
      recursive: true,
    });
    truncateSync(join(scratch, "a", "checkpoint.partial", "model.safetensors"), 100);
    await cp(join(scratch, "a", "checkpoint"), join(scratch, "a", "checkpoint.previous"), {
      recursive: true,
    });
    rmSync(join(scratch, "a", "checkpoint"), { recursive: true });
    expect(await start("a", { resume: true })).toMatchObject({
      status: "finished",
      resumedFrom: 7,
    });
    expect(readdirSync(join(scratch, "a"))).not.toContain("checkpoint.previous");
  });

  test("of a run aborted before its first step begins at step 0", async () => {
    expect(await start("a", { abortAt: 0 })).toMatchObject({ status: "interrupted", steps: 0 });
    expect(await start("a", { resume: true })).toMatchObject({
      status: "finished",
      resumedFrom: 0,
    });
  });

  test("of a run without any checkpoint begins at step 0", async () => {
    const fail = (): never => {
      throw new Error("power cut");
    };
    await expect(start("a", { callbacks: { onStep: fail } })).rejects.toThrow("power cut");
    expect(await start("a", { resume: true })).toMatchObject({
      status: "finished",
      resumedFrom: 0,
    });
  });

  test("of a finished run reports it and touches nothing", async () => {
    const first = await start("a");
    const before = readFileSync(join(scratch, "a", "result.json"));
    const again = await start("a", { resume: true });
    expect(again).toEqual({ ...first, status: "already-finished" });
    expect(readFileSync(join(scratch, "a", "result.json")).equals(before)).toBe(true);
  });

  test("of a finished run that lost its checkpoint begins at step 0", async () => {
    await start("a");
    rmSync(join(scratch, "a", "checkpoint"), { recursive: true });
    expect(await start("a", { resume: true })).toMatchObject({
      status: "finished",
      resumedFrom: 0,
      steps: 12,
    });
  });

  test("of a finished run with probes asked for makes up for them", async () => {
    await start("a");
    const result = await start("a", { resume: true, config: { probe: true } });
    expect(result).toMatchObject({ status: "finished", resumedFrom: 12, steps: 12 });
    expect(result.probes).not.toBeNull();
    expect(metricsOf("a")).toHaveLength(12);
  });

  test.each<[string, (abort: () => void) => TrainCallbacks]>([
    ["before", (abort) => ({ onPhase: (phase) => phase === "probe" && abort() })],
    ["while the test set was embedded", (abort) => ({ onProbe: (done) => done > 40 && abort() })],
  ])("makes up for probes that were interrupted %s", async (_when, callbacks) => {
    const controller = new AbortController();
    const options = { run: join(scratch, "a"), datasets };
    const first = await train(
      { ...tiny, probe: true },
      { ...options, signal: controller.signal, callbacks: callbacks(() => controller.abort()) },
    );
    expect(first).toMatchObject({ status: "interrupted", steps: 12, probes: null });
    const second = await train({ ...tiny, probe: true }, { ...options, resume: true });
    expect(second.status).toBe("finished");
    expect(second.probes).not.toBeNull();
  });

  test("with other settings is refused, except those that change nothing computed", async () => {
    await start("a", { abortAt: 2 });
    const other = start("a", { resume: true, config: { learningRate: 0.1 } });
    await expect(other).rejects.toMatchObject({ code: "config-differs" });
    await expect(other).rejects.toThrow(/learningRate 0\.005, not 0\.1/);
    const same = await start("a", { resume: true, config: { checkpointEvery: 3, workers: 1 } });
    expect(same.status).toBe("finished");
    const config = readFileSync(join(scratch, "a", "config.json"), "utf8");
    expect(JSON.parse(config)).toMatchObject({ checkpointEvery: 3, workers: 1 });
  });
});

describe("refused", () => {
  test("a folder that already holds a run", async () => {
    await start("a", { config: { steps: 1 } });
    await expect(start("a")).rejects.toMatchObject({ code: "run-exists" });
  });

  test("a folder that holds something else", async () => {
    await mkdir(join(scratch, "a"));
    writeFileSync(join(scratch, "a", "thesis.txt"), "do not touch");
    await expect(start("a")).rejects.toMatchObject({ code: "not-a-run" });
    await expect(start("a", { resume: true })).rejects.toMatchObject({ code: "not-a-run" });
    await expect(openRun(join(scratch, "a"))).rejects.toMatchObject({ code: "not-a-run" });
  });

  test("a folder that cannot be made, before anything is loaded", async () => {
    writeFileSync(join(scratch, "file"), "");
    const phases: string[] = [];
    const run = start("file/a", { callbacks: { onPhase: (phase) => phases.push(phase) } });
    await expect(run).rejects.toMatchObject({ code: "not-writable" });
    expect(phases).toEqual([]);
  });

  test("resuming a folder that is not there, which stays so", async () => {
    await expect(start("gone", { resume: true })).rejects.toMatchObject({ code: "not-a-run" });
    expect(existsSync(join(scratch, "gone"))).toBe(false);
  });

  test.each([
    ["invalid-config", { steps: 0 }],
    ["invalid-config", { batchSize: 41 }],
    ["invalid-config", { channels: 3 as const }],
    ["unknown-encoder", { encoder: "conv_mnits" }],
    ["invalid-config", { augmentation: [{ name: "affine", degrees: "many" }] as never }],
  ])("%s: %j, and no folder is made", async (code, config) => {
    await expect(start("a", { config })).rejects.toMatchObject({ code });
    expect(existsSync(join(scratch, "a"))).toBe(false);
  });

  test("an unknown source", async () => {
    const run = train({ source: "mnits" }, { run: join(scratch, "a") });
    await expect(run).rejects.toMatchObject({ code: "unknown-dataset" });
  });

  test("probes without a test set", async () => {
    const run = train(
      { ...tiny, probe: true },
      { run: join(scratch, "a"), datasets: { train: stripes() } },
    );
    await expect(run).rejects.toMatchObject({ code: "invalid-config" });
  });
});

describe("faults", () => {
  test("a NaN pixel stops the run at its step and keeps the checkpoint before", async () => {
    const seen = await start("good", { config: { checkpointEvery: 1 } });
    expect(seen.status).toBe("finished");
    const broken = start("bad", { train: stripes(40, 17), config: { checkpointEvery: 1 } });
    await expect(broken).rejects.toMatchObject({ code: "loss-not-finite" });
    const steps = metricsOf("bad").length;
    await expect(broken).rejects.toThrow(new RegExp(`at step ${steps + 1};`));
    expect(steps).toBeGreaterThan(0);
    // What was trained before the fault is what a run without it has.
    expect(computed("bad")).toEqual(computed("good").slice(0, steps));
    const kept = await openRun(join(scratch, "bad"));
    expect(kept.step).toBe(steps);
    expect(Object.values(kept.parameters).every(({ data }) => data.every(Number.isFinite))).toBe(
      true,
    );
  });

  test("weights that overflow behind a finite loss are not written", async () => {
    // Beyond the largest float32: the first update makes the weights infinite.
    const config = { learningRate: 1e39, warmupSteps: 0, checkpointEvery: 1 };
    const run = start("a", { config });
    await expect(run).rejects.toMatchObject({ code: "state-not-finite" });
    await expect(run).rejects.toThrow(/step 1\b/);
    expect(existsSync(join(scratch, "a", "checkpoint"))).toBe(false);
  });

  const breakages: [string, (folder: string) => void, RegExp][] = [
    [
      "a truncated model file",
      (folder) => truncateSync(join(folder, "model.safetensors"), 3000),
      /model\.safetensors.*tensor/,
    ],
    [
      "a wrong header length",
      (folder) => {
        const file = join(folder, "training.safetensors");
        const bytes = readFileSync(file);
        bytes.writeBigUInt64LE(7n);
        writeFileSync(file, bytes);
      },
      /training\.safetensors/,
    ],
    ["a missing file", (folder) => rmSync(join(folder, "training.safetensors")), /missing/],
    [
      "a missing tensor",
      (folder) => {
        const file = join(folder, "training.safetensors");
        const { tensors, metadata } = decodeSafetensors(readFileSync(file), file);
        const { ["projector.0.weight"]: taken, ...rest } = tensors;
        expect(taken).toBeDefined();
        writeFileSync(file, encodeSafetensors(rest, metadata));
      },
      /training\.safetensors.*projector\.0\.weight/,
    ],
    [
      "a file of another step",
      (folder) => {
        const file = join(folder, "training.safetensors");
        const { tensors, metadata } = decodeSafetensors(readFileSync(file), file);
        writeFileSync(file, encodeSafetensors(tensors, { ...metadata, step: "3" }));
      },
      /of step 3 and model\.safetensors of step 7/,
    ],
    [
      "a config of another seed",
      (folder) => {
        const file = join(folder, "..", "config.json");
        const config = JSON.parse(readFileSync(file, "utf8")) as object;
        writeFileSync(file, JSON.stringify({ ...config, seed: 1234 }));
      },
      /of seed \d+ and config\.json says 1234/,
    ],
  ];
  test.each(breakages)("%s is noticed and named", async (_name, breakIt, says) => {
    await start("a", { abortAt: 7 });
    breakIt(join(scratch, "a", "checkpoint"));
    const resumed = start("a", { resume: true });
    await expect(resumed).rejects.toMatchObject({ code: "corrupt-checkpoint" });
    await expect(resumed).rejects.toThrow(says);
  });

  test("a config that is no JSON is noticed and named", async () => {
    await start("a", { config: { steps: 1 } });
    truncateSync(join(scratch, "a", "config.json"), 40);
    await expect(openRun(join(scratch, "a"))).rejects.toMatchObject({ code: "invalid-config" });
    await expect(openRun(join(scratch, "a"))).rejects.toThrow(/config\.json: .* \(line \d+/);
  });

  test("a config that is a folder, and one with a byte-order mark, are told apart from a broken one", async () => {
    await start("a", { config: { steps: 1 } });
    const file = join(scratch, "a", "config.json");
    const text = readFileSync(file, "utf8");
    writeFileSync(file, `\ufeff${text}`);
    expect((await openRun(join(scratch, "a"))).step).toBe(1);
    rmSync(file);
    mkdirSync(file);
    await expect(openRun(join(scratch, "a"))).rejects.toMatchObject({ code: "unreadable-file" });
  });

  test.each(["{", "null", "[]"])("a result that reads %s is noticed and named", async (text) => {
    await start("a");
    writeFileSync(join(scratch, "a", "result.json"), text);
    const resume = (): Promise<unknown> => start("a", { resume: true });
    for (const open of [() => openRun(join(scratch, "a")), resume]) {
      const opened = open();
      await expect(opened).rejects.toMatchObject({ code: "corrupt-result" });
      await expect(opened).rejects.toThrow(/result\.json/);
    }
  });
});
