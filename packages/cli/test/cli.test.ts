import { spawn, type ChildProcess } from "node:child_process";
import {
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { parse } from "npyjs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

const bin = join(import.meta.dirname, "../bin/lejepa.js");
const scratch = mkdtempSync(join(tmpdir(), "lejepa-cli-"));
const small = ["--batch-size", "8", "--views", "2", "--slices", "16", "--workers", "0"];
afterAll(() => rmSync(scratch, { recursive: true }));

describe("help", () => {
  test.each([[], ["train"], ["eval"], ["embed"], ["graph"], ["doctor"]])(
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

describe("wrong usage is told in one line with exit code 2", () => {
  const run = join(scratch, "never-made");
  test.each([
    { args: ["train", "mnist", "--bacth-size", "8"], says: "--batch-size" },
    { args: ["tarin", "mnist"], says: "train" },
    { args: ["train"], says: "source" },
    { args: ["train", "mnits", "--run", run], says: "mnist" },
    { args: ["train", "mnist", "--run", run, "--encoder", "conv_mnits"], says: "conv_mnist" },
    { args: ["train", "mnist", "--steps", "0"], says: "--steps" },
    { args: ["train", "mnist", "--steps", "many"], says: "--steps" },
    { args: ["train", "mnist", "--steps", "2.5"], says: "--steps" },
    { args: ["train", "mnist", "--batch-size", "1"], says: "--batch-size" },
    { args: ["train", "mnist", "--lambda", "1.5"], says: "--lambda" },
    { args: ["train", "mnist", "--lambda", "NaN"], says: "--lambda" },
    { args: ["train", "mnist", "--lr", "-1"], says: "--lr" },
    { args: ["train", "mnist", "--lr", "Infinity"], says: "--lr" },
    { args: ["train", "mnist", "--engine", "cuda"], says: "onnx" },
    { args: ["train", "mnist", "--steps", "5", "--epochs", "1"], says: "--steps" },
    { args: ["train", "mnist", "--resume"], says: "--run" },
    { args: ["train", "mnist", "--resume", "--run", run], says: "not a run" },
    { args: ["train", "mnist", "--run", import.meta.dirname], says: "empty or a new folder" },
    { args: ["eval", scratch, "--dataset", "mnist"], says: "not a run" },
    { args: ["eval", scratch], says: "--dataset" },
    { args: ["eval", scratch, "--dataset", "mnist", "--probe", "knm"], says: "knn" },
    { args: ["embed", scratch, "--dataset", "mnist", "--out", "x.npz"], says: ".npy" },
    { args: ["embed", scratch, "--dataset", "mnist"], says: "--out" },
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

describe("a run", () => {
  const run = join(scratch, "run");
  let trained: Outcome;
  beforeAll(async () => {
    trained = await lejepa("train", "mnist", "--run", run, "--steps", "4", ...small, "--json");
  });

  test("ends with one JSON object on standard output and leaves its folder", () => {
    expect(trained.code).toBe(0);
    expect(JSON.parse(trained.stdout)).toMatchObject({
      run,
      steps: 4,
      engine: "onnx",
      resumedFrom: null,
    });
    for (const file of ["config.json", "metrics.jsonl", "report.html", "checkpoint"])
      expect(existsSync(join(run, file))).toBe(true);
    expect(readFileSync(join(run, "metrics.jsonl"), "utf8").trim().split("\n")).toHaveLength(4);
  });

  test("shows steps, both loss terms, throughput and time left", () => {
    expect(trained.stderr).toMatch(
      /4\/4 \| prediction [\d.]+ \| sigreg [\d.]+ \| \d+ images\/s \| .* left/,
    );
  });

  test("is not overwritten", async () => {
    const before = readFileSync(join(run, "metrics.jsonl"));
    const { code, stderr } = await lejepa("train", "mnist", "--run", run, "--steps", "4", ...small);
    expect(stderr).toContain("already holds a run");
    expect(code).toBe(2);
    expect(readFileSync(join(run, "metrics.jsonl"))).toEqual(before);
  });

  test("that has finished is reported by --resume", async () => {
    const { code, stdout } = await lejepa("train", "mnist", "--run", run, "--resume", "--json");
    expect(code).toBe(0);
    expect(JSON.parse(lastLine(stdout))).toMatchObject({
      run,
      steps: 4,
      status: "already-finished",
    });
  });

  test("refuses a setting that contradicts the one it was begun with", async () => {
    const { code, stderr } = await lejepa("train", "mnist", "--run", run, "--resume", "--lr", "1");
    expect(stderr).toContain("learningRate");
    expect(code).toBe(2);
  });

  test("is embedded as NumPy files", async () => {
    const out = join(scratch, "test.npy");
    const { code, stdout } = await lejepa(
      "embed",
      run,
      "--dataset",
      "mnist",
      "--out",
      out,
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

  test("is evaluated by kNN", async () => {
    const args = ["eval", run, "--dataset", "mnist", "--probe", "knn", "--json"];
    const { code, stdout } = await lejepa(...args);
    expect(code).toBe(0);
    const { accuracy, knn } = JSON.parse(lastLine(stdout)) as Record<string, number>;
    expect(knn).toBe(accuracy);
    expect(accuracy).toBeGreaterThan(0.85);
    expect(accuracy).toBeLessThan(1);
  });

  test("tells what its step costs, and writes the graph", async () => {
    const onnx = join(scratch, "made", "step.onnx");
    const { code, stdout } = await lejepa("graph", run, "--onnx", onnx, "--json");
    expect(code).toBe(0);
    const told = JSON.parse(lastLine(stdout)) as Record<string, unknown>;
    expect(told).toMatchObject({ encoder: "conv_mnist", batchSize: 8, views: 2, onnx, runs: 10 });
    expect(told.costs).not.toHaveLength(0);
    expect(told.memory).toHaveProperty("peakBytes");
    expect(readFileSync(onnx).includes("@lejepa/engine")).toBe(true);
  });

  test("with a truncated checkpoint says which file is broken", async () => {
    const copy = join(scratch, "broken");
    await lejepa("train", "mnist", "--run", copy, "--steps", "1", ...small);
    truncateSync(join(copy, "checkpoint", "model.safetensors"), 1000);
    const { code, stderr } = await lejepa("eval", copy, "--dataset", "mnist");
    expect(lastLine(stderr)).toMatch(/^lejepa: .*model\.safetensors/);
    expect(code).toBe(1);
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

test("Ctrl-C finishes the step, writes a checkpoint, says how to resume, and resume ends the run", async () => {
  const run = join(scratch, "interrupted");
  const args = ["train", "mnist", "--run", run, "--steps", "400", ...small];
  const child = start(args);
  const ended = outcome(child);
  const metrics = join(run, "metrics.jsonl");
  while (!existsSync(metrics) || readFileSync(metrics).length === 0) {
    expect(child.exitCode).toBeNull();
    await pause(5);
  }
  child.kill("SIGINT");
  const { code, stdout } = await ended;
  expect(stdout).toContain(`lejepa train mnist --run ${run} --resume`);
  expect(code).toBe(1);
  const steps = Number(/after (\d+) steps/.exec(stdout)![1]);
  expect(steps).toBeGreaterThanOrEqual(1);
  expect(steps).toBeLessThan(400);
  const resumed = await lejepa("train", "mnist", "--run", run, "--resume", "--json");
  expect(resumed.code).toBe(0);
  expect(JSON.parse(lastLine(resumed.stdout))).toMatchObject({ steps: 400, resumedFrom: steps });
});

test("graph shows the step of an encoder that was never trained", async () => {
  const { code, stdout } = await lejepa("graph", "--encoder", "conv_mnist", "--batch-size", "8");
  expect(code).toBe(0);
  expect(stdout).toMatch(/^conv_mnist: a training step of 8 images x 4 views, 28 x 28 x 1/);
  expect(stdout).toMatch(/^operator +nodes +ms +share$/m);
  expect(stdout).toMatch(/^Memory at peak {2}[\d.]+ MB/m);
});

test("a file that cannot be made is told in one line", async () => {
  const file = join(scratch, "a-file");
  writeFileSync(file, "");
  const run = join(scratch, "run-for-embed");
  await lejepa("train", "mnist", "--run", run, "--steps", "1", ...small);
  for (const args of [
    ["train", "mnist", "--run", join(file, "run"), "--steps", "1", ...small],
    ["train", "mnist", "--run", file, "--steps", "1", ...small],
    ["embed", run, "--dataset", "mnist", "--out", join(file, "x.npy")],
  ]) {
    const { code, stderr } = await lejepa(...args);
    expect(lastLine(stderr)).toMatch(/^lejepa: .*a-file/);
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

test("doctor tells what is installed and which engine would run", async () => {
  const { code, stdout } = await lejepa("doctor", "--json");
  expect(code).toBe(0);
  expect(JSON.parse(lastLine(stdout))).toMatchObject({
    node: process.version,
    auto: "onnx",
    datasets: { mnist: { available: true } },
  });
  expect((await lejepa("doctor")).stdout).toContain("auto runs onnx");
});

interface Outcome {
  code: number | null;
  stdout: string;
  stderr: string;
}

function lejepa(...args: string[]): Promise<Outcome> {
  return outcome(start(args));
}

function start(args: readonly string[]): ChildProcess {
  return spawn(process.execPath, [bin, ...args], {
    cwd: scratch,
    stdio: ["ignore", "pipe", "pipe"],
  });
}

function outcome(child: ChildProcess): Promise<Outcome> {
  const text = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const)
    child[name]!.on("data", (chunk: Buffer) => (text[name] += chunk.toString()));
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => resolve({ code, ...text }));
  });
}

function lastLine(text: string): string {
  return text.trimEnd().split("\n").at(-1)!;
}

function readArray(file: string) {
  const bytes = readFileSync(file);
  return parse(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
}
