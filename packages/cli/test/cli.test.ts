import type { ChildProcess } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { train } from "@lejepa/trainer";
import { parse } from "npyjs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { namedBackends } from "../../../tools/backend-names.mjs";
import { needs } from "../../../tools/backends.js";
import { brokenTensorFlow } from "../../../tools/broken-tensorflow.js";
import { linearEncoder } from "../../trainer/test/own-encoder.js";
import { stripes } from "../../trainer/test/toy-dataset.js";
import { writeIdxFolder } from "./idx-folder.js";
import { outcome, start as startCommand, type Outcome } from "./lejepa.js";

const scratch = mkdtempSync(join(tmpdir(), "lejepa-cli-"));
const small = ["--batch-size", "8", "--views", "2", "--slices", "16", "--workers", "0"];
afterAll(() => rmSync(scratch, { recursive: true }));

/** A folder without a TensorFlow. What `auto` picks shall not depend on whether this machine has one. */
const noTensorFlow = join(scratch, "no-tensorflow");
mkdirSync(noTensorFlow);
const environment = { LEJEPA_TENSORFLOW_DIR: noTensorFlow };
/** Where the tensorflow engine is asked for by name, this machine's own. */
const environmentOf = (args: readonly string[]): NodeJS.ProcessEnv =>
  args.includes("tensorflow") ? {} : environment;

describe("help", () => {
  test.each([[], ["train"], ["eval"], ["embed"], ["graph"], ["setup"], ["doctor"]])(
    "%s --help exits with 0",
    async (...command) => {
      const { code, stdout, stderr } = await lejepa(...command, "--help");
      expect(stdout).toContain(["Usage: lejepa", ...command].join(" "));
      expect(stderr).toBe("");
      expect(code).toBe(0);
    },
  );

  test("no command at all shows the help and is wrong usage", async () => {
    const { code, stderr } = await lejepa();
    expect(stderr).toContain("Usage: lejepa");
    expect(code).toBe(2);
  });
});

test("a reader that closes its end is no fault", async () => {
  for (const args of [["--help"], ["graph", "--encoder", "conv_mnist", "--batch-size", "8"]]) {
    const child = start(args);
    const ended = outcome(child);
    child.stdout!.destroy();
    expect(await ended).toMatchObject({ code: 0, stderr: "" });
  }
});

describe("wrong usage is told in one line with exit code 2", () => {
  const run = join(scratch, "never-made");
  test.each([
    { args: ["train", "mnist", "--bacth-size", "8"], says: "--batch-size" },
    { args: ["tarin", "mnist"], says: "(Did you mean train?). The commands are train, eval," },
    { args: ["frobnicate"], says: "The commands are train, eval," },
    { args: ["frobnicate"], says: "see lejepa --help" },
    { args: ["train", "mnist", "--frobnicate"], says: "See lejepa train --help" },
    { args: ["doctor", "now"], says: "See lejepa doctor --help" },
    { args: ["train"], says: "source" },
    { args: ["train", "mnits", "--run", run], says: "mnist" },
    { args: ["train", "photos", "--run", run], says: "Known: mnist." },
    { args: ["train", "photos", "--run", run], says: "datasets: { train, test }" },
    { args: ["train", "mnist", "--run", run, "--extend", "--steps", "9"], says: "--resume" },
    { args: ["train", "mnist", "--run", run, "--allow-other-data"], says: "--resume" },
    { args: ["train", "mnist", "--run", run, "--resume", "--extend"], says: "--epochs" },
    { args: ["train", "mnist", "--run", run, "--encoder", "conv_mnits"], says: "conv_mnist" },
    { args: ["train", "mnist", "--steps", "0"], says: "--steps" },
    { args: ["train", "mnist", "--steps", "many"], says: "--steps" },
    { args: ["train", "mnist", "--steps", "2.5"], says: "--steps" },
    { args: ["train", "mnist", "--batch-size", "1"], says: "--batch-size" },
    {
      args: ["train", "mnist", "--run", run, "--workers", "10000"],
      says: "from 0 to 256, got 10000",
    },
    { args: ["train", "mnist", "--retrace-every", "-1"], says: "--retrace-every" },
    { args: ["train", "mnist", "--precision", "int8"], says: "--precision" },
    { args: ["train", "mnist", "--lambda", "1.5"], says: "--lambda" },
    { args: ["train", "mnist", "--lambda", "NaN"], says: "--lambda" },
    { args: ["train", "mnist", "--lr", "-1"], says: "--lr" },
    { args: ["train", "mnist", "--lr", "Infinity"], says: "--lr" },
    { args: ["train", "mnist", "--engine", "cuda"], says: "onnx" },
    { args: ["train", "mnist", "--integration", "romberg"], says: "simpson" },
    { args: ["train", "mnist", "--integration", "simpson", "--points", "1"], says: "--points" },
    {
      args: ["train", "mnist", "--run", run, "--integration", "simpson", "--points", "16"],
      says: "an odd number of points",
    },
    { args: ["train", "mnist", "--t-max", "0"], says: "--t-max" },
    { args: ["train", "mnist", "--rule", "whole"], says: "full-range" },
    { args: ["train", "mnist", "--processes", "0"], says: "--processes" },
    { args: ["train", "mnist", "--run", run, "--processes", "65"], says: "at most the 64 images" },
    { args: ["train", "mnist", "--steps", "5", "--epochs", "1"], says: "--steps" },
    {
      args: ["train", "mnist", "--run", run, "--precision", "bfloat16", "--engine", "onnx"],
      says: "float32",
    },
    {
      args: [
        "train",
        "mnist",
        "--run",
        run,
        "--image-size",
        "3",
        "--encoder",
        "vit_tiny_patch16_224",
      ],
      says: "patch",
    },
    { args: ["graph", "--encoder", "vit_tiny_patch16_224", "--image-size", "3"], says: "patch" },
    { args: ["train", "mnist", "--resume"], says: "--run" },
    { args: ["train", "mnist", "--resume", "--run", run], says: "not a run" },
    { args: ["train", "mnist", "--run", import.meta.dirname], says: "empty or a new folder" },
    { args: ["eval", scratch, "--dataset", "mnist"], says: "not a run" },
    { args: ["eval", scratch], says: "--dataset" },
    { args: ["eval", scratch, "--dataset", "mnist", "--probe", "knm"], says: "knn" },
    { args: ["embed", scratch, "--dataset", "mnist", "--out", "x.npz"], says: ".npy" },
    { args: ["embed", scratch, "--dataset", "mnist"], says: "--out" },
    { args: ["train", "mnist", "--run", ""], says: "'--run <dir>' argument '' is invalid" },
    { args: ["train", "mnist", "--run=", "--resume"], says: "It is empty; give a value." },
    { args: ["train", "mnist", "--run", run, "--folder", ""], says: "--folder" },
    { args: ["train", "mnist", "--run", run, "--engine", ""], says: "--engine" },
    { args: ["train", "", "--run", run], says: "source" },
    { args: ["eval", "", "--dataset", "mnist"], says: "argument 'run'" },
    { args: ["eval", scratch, "--dataset", ""], says: "--dataset" },
    { args: ["embed", scratch, "--dataset", "mnist", "--out", ""], says: "--out" },
    { args: ["graph", ""], says: "argument 'run'" },
    { args: ["graph", "--encoder", "conv_mnist", "--onnx", ""], says: "--onnx" },
    { args: ["setup", "tensorflow", "--from", ""], says: "--from" },
    { args: ["graph"], says: "--encoder" },
    { args: ["graph", scratch, "--encoder", "conv_mnist"], says: "--encoder" },
    { args: ["graph", scratch], says: "not a run" },
    { args: ["graph", scratch, "--views", "1"], says: "--views" },
    { args: ["graph", "--encoder", "conv_mnits"], says: "conv_mnist" },
    { args: ["graph", "--encoder", "conv_mnist", "--onnx", "x.json"], says: ".onnx" },
  ])("$args", async ({ args, says }) => {
    const { code, stdout, stderr } = await lejepa(...args);
    expect(stdout).toBe("");
    const message = stderr.trimEnd().split("\n").at(-1)!;
    expect(message).toMatch(/^lejepa: /);
    expect(message).toContain(says);
    expect(code).toBe(2);
    expect(existsSync(run)).toBe(false);
  });
});

test.each([
  { args: ["train", "mnist", "--lambda", "2"], code: "wrong-usage", exitCode: 2 },
  { args: ["fly"], code: "wrong-usage", exitCode: 2 },
  { args: ["eval", scratch, "--dataset", "mnist"], code: "not-a-run", exitCode: 2 },
  { args: ["graph", "--encoder", "conv_mnits"], code: "unknown-encoder", exitCode: 2 },
  {
    args: ["train", "mnist", "--folder", join(scratch, "none"), "--run", join(scratch, "j")],
    code: "missing-file",
    exitCode: 1,
  },
])("$args with --json ends in one JSON object that says why", async ({ args, ...why }) => {
  const { code, stdout, stderr } = await lejepa(...args, "--json");
  expect(stdout.trimEnd().split("\n")).toHaveLength(1);
  const told = JSON.parse(stdout) as { error: { code: string; message: string }; exitCode: number };
  expect({ code: told.error.code, exitCode: told.exitCode }).toEqual(why);
  expect(stderr.trimEnd().split("\n").at(-1)).toBe(`lejepa: ${told.error.message}`);
  expect(code).toBe(why.exitCode);
});

describe.each(["onnx", "tensorflow"] as const)("a run on the %s engine", (engine) => {
  const run = join(scratch, `run-on-${engine}`);
  const on = ["--engine", engine];
  // At a rate that leaves rounding as it is: by the first steps of Adam a gradient of nearly nothing moves as far as any.
  const slow = ["--lr", "1e-4"];
  let trained: Outcome;
  beforeAll(async () => {
    if (!namedBackends.includes(engine)) return;
    const args = ["--run", run, "--steps", "4", ...small, ...slow, ...on, "--json"];
    trained = await lejepa("train", "mnist", ...args);
  });

  test("ends with one JSON object on standard output and leaves its folder", (context) => {
    needs(engine, context);
    expect(trained.code).toBe(0);
    expect(JSON.parse(trained.stdout)).toMatchObject({
      run,
      steps: 4,
      engine,
      resumedFrom: null,
    });
    for (const file of ["config.json", "metrics.jsonl", "report.html", "checkpoint"])
      expect(existsSync(join(run, file))).toBe(true);
    expect(readFileSync(join(run, "metrics.jsonl"), "utf8").trim().split("\n")).toHaveLength(4);
  });

  test("shows steps, both loss terms, throughput and time left", (context) => {
    needs(engine, context);
    expect(trained.stderr).toMatch(
      /4\/4 \| prediction [\d.]+ \| sigreg [\d.]+ \| \d+ images\/s \| .* left/,
    );
  });

  test("is not overwritten", async (context) => {
    needs(engine, context);
    const before = readFileSync(join(run, "metrics.jsonl"));
    const { code, stderr } = await lejepa(
      "train",
      "mnist",
      "--run",
      run,
      "--steps",
      "4",
      ...small,
      ...on,
    );
    expect(stderr).toContain("already holds a run");
    expect(code).toBe(2);
    expect(readFileSync(join(run, "metrics.jsonl"))).toEqual(before);
  });

  test("that has finished is reported by --resume", async (context) => {
    needs(engine, context);
    const { code, stdout } = await lejepa(
      "train",
      "mnist",
      "--run",
      run,
      "--resume",
      ...on,
      "--json",
    );
    expect(code).toBe(0);
    expect(JSON.parse(lastLine(stdout))).toMatchObject({
      run,
      steps: 4,
      status: "already-finished",
    });
  });

  test("refuses a setting that contradicts the one it was begun with", async (context) => {
    needs(engine, context);
    const { code, stderr } = await lejepa(
      ...["train", "mnist", "--run", run, "--resume", "--lr", "1"],
      ...on,
    );
    expect(stderr).toContain("learningRate");
    expect(code).toBe(2);
  });

  test("is embedded as NumPy files", async (context) => {
    needs(engine, context);
    const out = join(scratch, "test.npy");
    const { code, stdout } = await lejepa(
      "embed",
      run,
      "--dataset",
      "mnist",
      "--out",
      out,
      ...on,
      "--json",
    );
    expect(code).toBe(0);
    expect(JSON.parse(lastLine(stdout))).toMatchObject({ out, shape: [10_000, 128] });
    const features = readArray(out);
    expect(features).toMatchObject({ shape: [10_000, 128], dtype: "f4" });
    const numbers = features.data as Float32Array;
    expect(numbers.every(Number.isFinite)).toBe(true);
    expect(new Set(numbers.subarray(0, 128)).size).toBeGreaterThan(100);
    const labels = readArray(join(scratch, "test.labels.npy"));
    expect(labels).toMatchObject({ shape: [10_000], dtype: "i4" });
    // The first test digits of MNIST.
    expect([...(labels.data as Int32Array).subarray(0, 5)]).toEqual([7, 2, 1, 0, 4]);
  });

  test("is evaluated by kNN", async (context) => {
    needs(engine, context);
    const args = ["eval", run, "--dataset", "mnist", "--probe", "knn", ...on, "--json"];
    const { code, stdout } = await lejepa(...args);
    expect(code).toBe(0);
    const { accuracy, knn, ...rest } = JSON.parse(lastLine(stdout)) as Record<string, number>;
    expect(rest.engine).toBe(engine);
    expect(knn).toBe(accuracy);
    expect(accuracy).toBeGreaterThan(0.85);
    expect(accuracy).toBeLessThan(1);
  });

  test("tells what its step costs, and writes the graph", async (context) => {
    needs(engine, context);
    const onnx = join(scratch, "made", "step.onnx");
    const { code, stdout } = await lejepa("graph", run, "--onnx", onnx, "--json");
    expect(code).toBe(0);
    const told = JSON.parse(lastLine(stdout)) as Record<string, unknown>;
    expect(told).toMatchObject({ encoder: "conv_mnist", batchSize: 8, views: 2, onnx, runs: 10 });
    expect(told.costs).not.toHaveLength(0);
    expect(told.memory).toHaveProperty("peakBytes");
    expect(readFileSync(onnx).includes("@lejepa/engine")).toBe(true);
  });

  test("in two processes has the losses of one, and says so", async (context) => {
    needs(engine, context);
    const shared = join(scratch, `shared-on-${engine}`);
    const settings = [
      "--run",
      shared,
      "--steps",
      "4",
      "--processes",
      "2",
      ...small,
      ...slow,
      ...on,
    ];
    const { code, stdout } = await lejepa("train", "mnist", ...settings);
    expect(stdout).toMatch(/Finished 4 steps on 2 processes, each with \S+ /);
    expect(code).toBe(0);
    const losses = (folder: string): number[] =>
      readFileSync(join(folder, "metrics.jsonl"), "utf8")
        .trim()
        .split("\n")
        .map((line) => (JSON.parse(line) as { loss: number }).loss);
    const alone = losses(run);
    expect(losses(shared)).toHaveLength(4);
    losses(shared).forEach((loss, i) => expect(loss).toBeCloseTo(alone[i]!, 4));
  });
});

describe("a run", () => {
  test("with a truncated checkpoint says which file is broken", async () => {
    const copy = join(scratch, "broken");
    await lejepa("train", "mnist", "--run", copy, "--steps", "1", ...small);
    truncateSync(join(copy, "checkpoint", "model.safetensors"), 1000);
    const { code, stderr } = await lejepa("eval", copy, "--dataset", "mnist");
    expect(lastLine(stderr)).toMatch(/^lejepa: .*model\.safetensors/);
    expect(code).toBe(1);
  });

  test("with a file in the place of its checkpoint says so", async () => {
    const copy = join(scratch, "no-checkpoint");
    await lejepa("train", "mnist", "--run", copy, "--steps", "1", ...small);
    rmSync(join(copy, "checkpoint"), { recursive: true });
    writeFileSync(join(copy, "checkpoint"), "");
    for (const args of [
      ["eval", copy, "--dataset", "mnist"],
      ["train", "mnist", "--run", copy, "--resume"],
    ]) {
      const { code, stdout } = await lejepa(...args, "--json");
      expect(JSON.parse(lastLine(stdout))).toMatchObject({
        error: {
          code: "corrupt-checkpoint",
          message: expect.stringMatching(/checkpoint is a file/) as string,
        },
      });
      expect(code).toBe(1);
    }
  });

  test("with a config that is no JSON says so", async () => {
    const copy = join(scratch, "no-json");
    await lejepa("train", "mnist", "--run", copy, "--steps", "1", ...small);
    writeFileSync(join(copy, "config.json"), "{");
    const { code, stderr } = await lejepa("eval", copy, "--dataset", "mnist");
    expect(lastLine(stderr)).toMatch(/^lejepa: .*config\.json/);
    expect(code).toBe(2);
  });
});

test("a loss that is not a number stops the run, names the step and keeps the last good checkpoint", async () => {
  const run = join(scratch, "diverged");
  const args = ["--lr", "1e30", "--steps", "30", "--checkpoint-every", "1", ...small];
  const { code, stderr } = await lejepa("train", "mnist", "--run", run, ...args);
  expect(lastLine(stderr)).toMatch(/^lejepa: .*(loss|checkpoint).* step \d+/);
  expect(code).toBe(1);
  const checkpoint = readFileSync(join(run, "checkpoint", "model.safetensors"));
  expect(checkpoint.length).toBeGreaterThan(1000);
});

test.for(["onnx", "tensorflow"] as const)(
  "Ctrl-C finishes the step on %s, writes a checkpoint, says how to resume, and resume ends the run",
  async (engine, context) => {
    needs(engine, context);
    const run = join(scratch, `interrupted on ${engine}`);
    const args = ["train", "mnist", "--run", run, "--steps", "400", ...small, "--engine", engine];
    const child = start(args);
    const ended = outcome(child);
    const metrics = join(run, "metrics.jsonl");
    while (!existsSync(metrics) || readFileSync(metrics).length === 0) {
      expect(child.exitCode).toBeNull();
      await pause(5);
    }
    // Some programs that run others pass on what the terminal has sent to all: still one press.
    child.kill("SIGINT");
    child.kill("SIGTERM");
    const { code, stdout } = await ended;
    expect(stdout).toContain(`lejepa train mnist --run '${run}' --resume\n`);
    expect(code).toBe(1);
    const steps = Number(/after (\d+) steps?;/.exec(stdout)![1]);
    expect(steps).toBeGreaterThanOrEqual(1);
    expect(steps).toBeLessThan(400);
    const on = ["--engine", engine];
    const resumed = await lejepa("train", "mnist", "--run", run, "--resume", ...on, "--json");
    expect(resumed.code).toBe(0);
    expect(JSON.parse(lastLine(resumed.stdout))).toMatchObject({ steps: 400, resumedFrom: steps });
  },
);

test.each([
  ["loading", "Opening the images", ["train", "mnist", "--steps", "400", ...small]],
  ["compiling", "Compiling the step", ["train", "mnist", "--steps", "400", ...small]],
  ["probing", "Probing", ["train", "mnist", "--steps", "1", ...small, "--probe"]],
])("Ctrl-C while %s ends the run, and resume takes it up", async (phase, sign, args) => {
  const run = join(scratch, `stopped-${phase}`);
  const { code, stdout, stderr } = await interrupted([...args, "--run", run], sign);
  expect(stderr).toContain("press Ctrl-C again to stop at once");
  expect(stdout).toMatch(phase === "probing" ? /after 1 step;/ : /after 0 steps;/);
  expect(stdout).toContain("--resume");
  expect(code).toBe(1);
  expect(existsSync(join(run, "checkpoint"))).toBe(true);
  expect(existsSync(join(run, "result.json"))).toBe(false);
});

test("Ctrl-C ends eval and embed with one line, and leaves no file", async () => {
  const run = join(scratch, "run-to-stop");
  await lejepa("train", "mnist", "--run", run, "--steps", "1", ...small);
  const out = join(scratch, "stopped.npy");
  for (const args of [
    ["eval", run, "--dataset", "mnist"],
    ["embed", run, "--dataset", "mnist", "--split", "train", "--out", out],
  ]) {
    const { code, stdout, stderr } = await interrupted(args, "images embedded");
    expect(lastLine(stderr)).toBe("lejepa: interrupted.");
    expect(stdout).toBe("");
    expect(code).toBe(1);
  }
  expect(existsSync(out)).toBe(false);
});

test("graph shows the step of an encoder that was never trained", async () => {
  const { code, stdout } = await lejepa("graph", "--encoder", "conv_mnist", "--batch-size", "8");
  expect(code).toBe(0);
  expect(stdout).toMatch(/^conv_mnist: a training step of 8 images x 4 views, 28 x 28 x 1/);
  expect(stdout).toMatch(/^operator +nodes +ms +share$/m);
  expect(stdout).toMatch(/^Memory at peak {2}[\d.]+ MB/m);
});

test.for(["onnx", "tensorflow"] as const)(
  "a run on %s that was killed and resumed has the losses of one that was not, bit for bit",
  async (engine, context) => {
    needs(engine, context);
    const folder = join(scratch, `idx-for-${engine}`);
    writeIdxFolder(folder, { train: 64, test: 10 });
    const [straight, killed] = ["straight", "killed"].map((name) =>
      join(scratch, `${name}-on-${engine}`),
    ) as [string, string];
    const lines = (run: string): string[] =>
      existsSync(join(run, "metrics.jsonl"))
        ? readFileSync(join(run, "metrics.jsonl"), "utf8").trimEnd().split("\n")
        : [];
    const args = (run: string): string[] => [
      ...["train", "mnist", "--folder", folder, "--run", run, "--engine", engine, "--steps", "120"],
      ...["--checkpoint-every", "7", ...small],
    ];
    expect(await lejepa(...args(straight))).toMatchObject({ code: 0 });
    const child = start(args(killed));
    const ended = outcome(child);
    while (lines(killed).length < 20) {
      expect(child.exitCode).toBeNull();
      await pause(2);
    }
    child.kill("SIGKILL");
    expect((await ended).code).toBeNull();
    expect(lines(killed).length).toBeLessThan(120);
    const { code, stdout } = await lejepa(...args(killed), "--resume", "--json");
    expect(code).toBe(0);
    const { resumedFrom } = JSON.parse(lastLine(stdout)) as { resumedFrom: number };
    expect(resumedFrom).toBeGreaterThanOrEqual(14);
    const losses = (run: string) =>
      lines(run).map((line) => (JSON.parse(line) as { step: number; loss: number }).loss);
    expect(losses(straight)).toHaveLength(120);
    expect(losses(killed)).toEqual(losses(straight));
    for (const file of ["model.safetensors", "training.safetensors"])
      expect(
        readFileSync(join(killed, "checkpoint", file)).equals(
          readFileSync(join(straight, "checkpoint", file)),
        ),
      ).toBe(true);
  },
);

describe("a run that was begun with 60 steps on 64 images", () => {
  const [folder, moved, other] = ["begun-idx", "moved-idx", "other-begun-idx"].map((name) =>
    join(scratch, name),
  ) as [string, string, string];
  const run = join(scratch, "begun");
  const resume = (...args: string[]): Promise<Outcome> =>
    lejepa("train", "mnist", "--run", run, "--resume", ...args);
  const learningRates = (): number[] =>
    readFileSync(join(run, "metrics.jsonl"), "utf8")
      .trimEnd()
      .split("\n")
      .map((line) => (JSON.parse(line) as { lr: number }).lr);
  beforeAll(async () => {
    writeIdxFolder(folder, { train: 64, test: 10 });
    writeIdxFolder(moved, { train: 64, test: 10 });
    writeIdxFolder(other, { train: 40, test: 10 });
    const args = ["--folder", folder, "--run", run, "--steps", "60", ...small];
    expect((await lejepa("train", "mnist", ...args)).code).toBe(0);
  });

  test.each([
    [["--steps", "80"], /a run of 60 steps, and 80 steps; .*--extend.*leave steps out/],
    [["--epochs", "2"], /of 60 steps, and 2 epochs of 64 images are 16 steps: .*leave epochs out/],
    [["--epochs", "9"], /9 epochs of 64 images are 72 steps; .*--extend/],
    [["--extend", "--steps", "59"], /and 59 steps: a run cannot become shorter/],
    [["--folder", other], /other images .*: 40 images instead of 64; .*--allow-other-data/],
  ])("is not resumed with %j, in one line and with exit code 2", async (flags, says) => {
    const before = readFileSync(join(run, "config.json"));
    const { code, stderr } = await resume(...flags);
    expect(lastLine(stderr)).toMatch(/^lejepa: /);
    expect(lastLine(stderr)).toMatch(says);
    expect(code).toBe(2);
    expect(readFileSync(join(run, "config.json")).equals(before)).toBe(true);
  });

  test("is extended from its end, then goes on with other data where that is allowed", async () => {
    const peak = learningRates()[6];
    const { code, stdout, stderr } = await resume(
      ...["--folder", moved, "--extend", "--steps", "80", "--json"],
    );
    expect(stderr).toMatch(/extended from 60 to 80 steps; its learning rate goes on at/);
    expect(code).toBe(0);
    expect(JSON.parse(lastLine(stdout))).toMatchObject({ steps: 80, resumedFrom: 60 });
    const rates = learningRates();
    // Half a cosine over the 74 steps after the warm-up of 6.
    expect(rates[60]! / peak!).toBeCloseTo(
      1e-3 + (0.999 * (1 + Math.cos((Math.PI * 54) / 74))) / 2,
      9,
    );
    expect(rates[60]).toBeGreaterThan(rates[59]!);

    const more = ["--extend", "--steps", "82", "--folder", other];
    expect((await resume(...more)).code).toBe(2);
    const allowed = await resume(...more, "--allow-other-data");
    expect(allowed.stderr).toMatch(/From step 80 on the run is trained on other images: 40 images/);
    expect(allowed.code).toBe(0);
    const { record } = JSON.parse(readFileSync(join(run, "config.json"), "utf8")) as {
      record: object;
    };
    expect(record).toMatchObject({
      data: [
        { fromStep: 0, train: { count: 64 } },
        { fromStep: 80, train: { count: 40 } },
      ],
      extensions: [
        { fromStep: 60, from: 60, to: 80 },
        { fromStep: 80, from: 80, to: 82 },
      ],
    });
    // Others may be looked at all the same.
    const evaluated = await lejepa(
      "embed",
      run,
      ...["--dataset", "mnist", "--folder", moved],
      ...["--out", "x.npy"],
    );
    expect(evaluated.code).toBe(0);
  });
});

test("a run with parts that were passed in code says which, whatever the command", async () => {
  const run = join(scratch, "own-parts");
  const encoder = linearEncoder();
  const settings = {
    preset: "mnist",
    steps: 2,
    batchSize: 8,
    workers: 0,
    engine: "eager",
  } as const;
  await train({ source: "stripes", ...settings }, { run, encoder, datasets: { train: stripes() } });
  for (const [args, lacks] of [
    [["eval", run, "--dataset", "mnist"], 'the encoder "linear"'],
    [["embed", run, "--dataset", "mnist", "--out", "never.npy"], 'the encoder "linear"'],
    [["graph", run], 'the encoder "linear"'],
    [
      ["train", "stripes", "--run", run, "--resume"],
      'the encoder "linear" and the images "stripes"',
    ],
  ] as const) {
    const { code, stdout, stderr } = await lejepa(...args);
    expect(lastLine(stderr)).toMatch(/^lejepa: /);
    expect(lastLine(stderr)).toContain(`${lacks} passed in code`);
    expect(stdout).toBe("");
    expect(code).toBe(2);
  }
  expect(existsSync(join(scratch, "never.npy"))).toBe(false);
});

describe("a folder of IDX files", () => {
  const [folder, other, run] = ["idx", "other-idx", "from-folder"].map((name) =>
    join(scratch, name),
  ) as [string, string, string];
  beforeAll(async () => {
    writeIdxFolder(folder, { train: 64, test: 10 });
    writeIdxFolder(other, { train: 64, test: 12 });
    const { code, stderr } = await lejepa(
      ...["train", "mnist", "--folder", "idx", "--run", run, "--steps", "1", ...small],
    );
    expect(stderr).toContain("1/1");
    expect(code).toBe(0);
  });

  test("is trained on, and remembered by the run", async () => {
    const config = JSON.parse(readFileSync(join(run, "config.json"), "utf8")) as object;
    expect(config).toMatchObject({ source: "mnist", folder });
    const out = join(scratch, "of-folder.npy");
    for (const [flags, images] of [
      [[], 10],
      [["--folder", other], 12],
    ] as const) {
      const { code } = await lejepa("embed", run, "--dataset", "mnist", "--out", out, ...flags);
      expect(code).toBe(0);
      expect(readArray(out).shape).toEqual([images, 128]);
    }
  });

  test("is what eval measures", async () => {
    const { code, stdout } = await lejepa("eval", run, "--dataset", "mnist", "--json");
    expect(code).toBe(0);
    const { knn } = JSON.parse(lastLine(stdout)) as { knn: number };
    // Shares of 10 test images.
    expect(10 * knn).toBeCloseTo(Math.round(10 * knn), 9);
  });

  test.each<[string, (folder: string) => void, RegExp]>([
    ["that is not there", (path) => rmSync(path, { recursive: true }), /is no folder/],
    [
      "with a file that is cut short",
      (path) => truncateSync(join(path, "train-images-idx3-ubyte"), 100),
      /train-images-idx3-ubyte: is cut off/,
    ],
    [
      "with a folder in the place of a file",
      (path) => {
        rmSync(join(path, "train-labels-idx1-ubyte"));
        mkdirSync(join(path, "train-labels-idx1-ubyte"));
      },
      /train-labels-idx1-ubyte: cannot be read: it is a folder/,
    ],
  ])("%s is told in one line", async (_name, breakIt, says) => {
    const broken = join(scratch, "broken-idx");
    writeIdxFolder(broken, { train: 64, test: 10 });
    breakIt(broken);
    const never = join(scratch, "never-trained");
    const args = ["train", "mnist", "--folder", broken, "--run", never, "--steps", "1"];
    const { code, stderr } = await lejepa(...args, ...small);
    expect(lastLine(stderr)).toMatch(/^lejepa: /);
    expect(lastLine(stderr)).toMatch(says);
    expect(stderr).not.toContain("    at ");
    expect(code).toBe(1);
    expect(existsSync(never)).toBe(false);
    rmSync(broken, { recursive: true, force: true });
  });
});

test("a file that cannot be made is told in one line, before any work", async () => {
  const file = join(scratch, "a-file");
  writeFileSync(file, "");
  for (const name of ["a-file.npy", "a-file.onnx"]) mkdirSync(join(scratch, name));
  const run = join(scratch, "run-for-embed");
  await lejepa("train", "mnist", "--run", run, "--steps", "1", ...small);
  for (const args of [
    ["train", "mnist", "--run", join(file, "run"), "--steps", "1", ...small],
    ["train", "mnist", "--run", file, "--steps", "1", ...small],
    ["embed", run, "--dataset", "mnist", "--out", join(file, "x.npy")],
    ["embed", run, "--dataset", "mnist", "--out", `${file}.npy`],
    ["embed", run, "--dataset", "mnist", "--out", "/proc/a-file.npy"],
    ["graph", run, "--onnx", `${file}.onnx`],
  ]) {
    const { code, stderr } = await lejepa(...args);
    expect(lastLine(stderr)).toMatch(/^lejepa: .*a-file/);
    if (args[0] !== "train") {
      expect(stderr).not.toMatch(/images embedded/);
      expect(lastLine(stderr)).toMatch(/cannot be written: .*; name a /);
    }
    expect(code).toBe(args[2] === "--run" && args[3] === file ? 2 : 1);
  }
});

test("embed makes the folder of its output", async () => {
  const run = join(scratch, "run-for-embed-2");
  await lejepa("train", "mnist", "--run", run, "--steps", "1", ...small);
  const out = join(scratch, "new", "folder", "x.npy");
  const { code } = await lejepa("embed", run, "--dataset", "mnist", "--out", out);
  expect(code).toBe(0);
  expect(readArray(out).shape).toEqual([10_000, 128]);
});

describe("doctor tells what is installed, and which engine would run and why", () => {
  const broken = join(scratch, "broken-tensorflow");
  mkdirSync(broken);
  const addon = brokenTensorFlow(broken);

  test.for([
    {
      title: "without TensorFlow",
      variables: environment,
      auto: "onnx",
      says: /auto runs onnx: .*lejepa setup tensorflow/,
    },
    {
      title: "with one that does not load",
      variables: { LEJEPA_TENSORFLOW_DIR: broken },
      auto: "onnx",
      says: new RegExp(`auto runs onnx: .*${addon}.* does not load .*--force`),
    },
    {
      title: "with TensorFlow",
      variables: {},
      auto: "tensorflow",
      says: /auto runs tensorflow: TensorFlow loads here/,
    },
  ])("$title", async ({ variables, auto, says }, context) => {
    if (auto === "tensorflow") needs("tensorflow", context);
    const { code, stdout } = await lejepaWith(variables, "doctor", "--json");
    expect(code).toBe(0);
    const report = JSON.parse(lastLine(stdout)) as { tensorflow: object };
    expect(report).toMatchObject({
      node: process.version,
      auto,
      datasets: { mnist: { available: true } },
      engines: [{ name: "tensorflow", available: auto === "tensorflow" }, { name: "onnx" }, {}],
    });
    expect((await lejepaWith(variables, "doctor")).stdout).toMatch(says);
  });
});

function lejepa(...args: string[]): Promise<Outcome> {
  return outcome(start(args));
}

function lejepaWith(variables: NodeJS.ProcessEnv, ...args: string[]): Promise<Outcome> {
  return outcome(start(args, variables));
}

/** Presses Ctrl-C when standard error shows `sign`. */
async function interrupted(args: readonly string[], sign: string): Promise<Outcome> {
  const child = start(args);
  const ended = outcome(child);
  let seen = "";
  child.stderr!.on("data", (chunk: Buffer) => {
    const before = seen.includes(sign);
    seen += chunk.toString();
    if (!before && seen.includes(sign)) child.kill("SIGINT");
  });
  return ended;
}

function start(args: readonly string[], env = environmentOf(args)): ChildProcess {
  return startCommand(args, { cwd: scratch, env });
}

function lastLine(text: string): string {
  return text.trimEnd().split("\n").at(-1)!;
}

function readArray(file: string) {
  const bytes = readFileSync(file);
  return parse(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
}
