import { execFileSync, type ChildProcess } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { parse } from "npyjs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { writeIdxFolder } from "./idx-folder.js";
import { outcome, start as startCommand, type Outcome } from "./lejepa.js";

const scratch = mkdtempSync(join(tmpdir(), "lejepa-two-"));
const images = join(scratch, "images");
beforeAll(() => writeIdxFolder(images, { train: 64, test: 10 }));
afterAll(() => rmSync(scratch, { recursive: true }));

const env = { LEJEPA_TENSORFLOW_DIR: scratch };
const start = (args: readonly string[], cwd = scratch): ChildProcess =>
  startCommand(args, { cwd, env });
const lejepa = (args: readonly string[], cwd?: string): Promise<Outcome> =>
  outcome(start(args, cwd));
const training = (run: string, steps: number, ...more: string[]): string[] => [
  ...["train", "mnist", "--folder", images, "--run", run, "--steps", String(steps)],
  ...["--batch-size", "8", "--views", "2", "--slices", "16", "--workers", "0"],
  ...["--engine", "onnx", "--checkpoint-every", "3", ...more],
];

const stepsOf = (run: string): number[] =>
  existsSync(join(run, "metrics.jsonl"))
    ? readFileSync(join(run, "metrics.jsonl"), "utf8")
        .split("\n")
        .filter((line) => line.endsWith("}"))
        .map((line) => (JSON.parse(line) as { step: number }).step)
    : [];
const upTo = (steps: number): number[] => Array.from({ length: steps }, (_, i) => i + 1);

/** A training that is at work, some steps into it. */
async function atWork(run: string): Promise<{ child: ChildProcess; ended: Promise<Outcome> }> {
  const child = start(training(run, 100_000));
  const ended = outcome(child);
  while (stepsOf(run).length < 4) {
    expect(child.exitCode).toBeNull();
    await pause(5);
  }
  return { child, ended };
}

const whole = ["checkpoint", "config.json", "metrics.jsonl", "report.html", "result.json"];

test("of two starts in one folder at once one trains, and the other says who does", async () => {
  const run = join(scratch, "twice");
  const seeds = [1, 2];
  const ends = await Promise.all(
    seeds.map((seed) => lejepa(training(run, 40, "--seed", `${seed}`, "--json"))),
  );
  const winner = ends.findIndex(({ code }) => code === 0);
  const loser = ends[1 - winner]!;
  expect(loser.code).toBeGreaterThan(0);
  expect(loser.stderr).toMatch(/is in use by process \d+ on|already holds a run/);
  const seed = seeds[winner];
  expect(JSON.parse(readFileSync(join(run, "config.json"), "utf8"))).toMatchObject({ seed });
  expect(stepsOf(run)).toEqual(upTo(40));
  for (const file of ["model", "training"])
    expect(readFileSync(join(run, "checkpoint", `${file}.safetensors`), "latin1")).toContain(
      `"step":"40","seed":"${seed}"`,
    );
  expect(readdirSync(run).sort()).toEqual(whole);
});

test("a second start and a second resume are refused while the first is at work, which goes on", async () => {
  const run = join(scratch, "busy");
  const { child, ended } = await atWork(run);
  for (const more of [[], ["--resume"]]) {
    const { code, stderr, stdout } = await lejepa(training(run, 100_000, ...more));
    expect(stderr.trimEnd().split("\n").at(-1)).toMatch(
      new RegExp(
        `^lejepa: .* is in use by process ${child.pid} on ${hostname()}, since .*last sign of life \\d+ s ago.*take over \\(--force-unlock, in code forceUnlock: true\\)`,
      ),
    );
    expect(stdout).toBe("");
    expect(code).toBe(1);
  }
  // Who only reads needs no lock.
  const read = await lejepa(["eval", run, "--dataset", "mnist", "--probe", "knn", "--json"]);
  expect(read).toMatchObject({ code: 0 });
  child.kill("SIGINT");
  expect((await ended).code).toBe(1);
  const steps = stepsOf(run);
  expect(steps).toEqual(upTo(steps.length));
  expect(readdirSync(run).some((name) => name.includes("lock"))).toBe(false);
});

test("of two resumes at once one goes on, and no line is lost", async () => {
  const run = join(scratch, "resumed");
  const { child, ended } = await atWork(run);
  child.kill("SIGKILL");
  await ended;
  const resume = ["train", "mnist", "--run", run, "--resume", "--engine", "onnx", "--json"];
  // It would go on for long; what is asked here is who may.
  const both = [start(resume), start(resume)];
  const ends = both.map(outcome);
  const first = await Promise.race(ends);
  expect(first.stderr).toMatch(/is in use by process \d+ on/);
  const other = both.find(({ exitCode }) => exitCode === null)!;
  const before = stepsOf(run).length;
  while (stepsOf(run).length < before + 5) await pause(5);
  other.kill("SIGINT");
  await Promise.all(ends);
  const steps = stepsOf(run);
  expect(steps).toEqual(upTo(steps.length));
});

test("--force-unlock takes a folder over from a process that turns out to live, which then stops", async () => {
  const run = join(scratch, "forced");
  const { child, ended } = await atWork(run);
  const second = start(training(run, 100_000, "--resume", "--force-unlock"));
  const secondEnded = outcome(second);
  const first = await ended;
  expect(first.stderr.trimEnd().split("\n").at(-1)).toMatch(/^lejepa: .* was taken over/);
  expect(first.code).toBe(1);
  expect(child.signalCode).toBeNull();
  const before = stepsOf(run).length;
  while (stepsOf(run).length < before + 5) {
    expect(second.exitCode).toBeNull();
    await pause(5);
  }
  second.kill("SIGINT");
  expect((await secondEnded).stdout).toContain("a checkpoint was written");
  const steps = stepsOf(run);
  expect(steps).toEqual(upTo(steps.length));
});

test("starts without --run in one second have a folder each", async () => {
  const cwd = join(scratch, "unnamed");
  mkdirSync(cwd);
  const args = training("x", 2, "--json").filter((arg) => arg !== "--run" && arg !== "x");
  const ends = await Promise.all([1, 2, 3].map(() => lejepa(args, cwd)));
  for (const { code } of ends) expect(code).toBe(0);
  const runs = ends.map(({ stdout }) => (JSON.parse(stdout) as { run: string }).run);
  expect(new Set(runs).size).toBe(3);
  for (const run of runs) expect(readdirSync(run).sort()).toEqual(whole);
  expect(readdirSync(join(cwd, "runs"))).toHaveLength(3);
});

test("a start without --run that is refused leaves no folder", async () => {
  const cwd = join(scratch, "refused");
  mkdirSync(cwd);
  const { code } = await lejepa(["train", "mnits"], cwd);
  expect(code).toBe(2);
  expect(readdirSync(cwd)).toEqual([]);
});

test("of two embeds into one file at once one writes, and both files are of one split", async () => {
  const [run, out] = [join(scratch, "embedded"), join(scratch, "x.npy")];
  await lejepa(training(run, 1));
  const embed = (split: string): Promise<Outcome> =>
    lejepa(["embed", run, "--dataset", "mnist", "--split", split, "--out", out]);
  const ends = await Promise.all([embed("train"), embed("test")]);
  expect(ends.some(({ code }) => code === 0)).toBe(true);
  for (const { code, stderr } of ends)
    if (code !== 0) expect(stderr).toMatch(/x\.npy is in use by process/);
  const rows = (file: string): number => {
    const bytes = readFileSync(join(scratch, file));
    return parse(new Uint8Array(bytes).buffer).shape[0]!;
  };
  expect(rows("x.labels.npy")).toBe(rows("x.npy"));
  const left = readdirSync(scratch).filter((name) => /lock|partial/.test(name));
  expect(left).toEqual([]);
});

test("embed on a full disk keeps the features and labels of before, and leaves nothing else", async (context) => {
  context.skip(process.platform !== "linux" || process.getuid?.() !== 0, "needs root on Linux");
  const [run, place] = [join(scratch, "embedded-2"), join(scratch, "disk")];
  await lejepa(training(run, 1));
  mkdirSync(place);
  execFileSync("mount", ["-t", "tmpfs", "-o", "size=64k", "tmpfs", place]);
  try {
    const embed = (split: string): Promise<Outcome> =>
      lejepa(["embed", run, "--dataset", "mnist", "--split", split, "--out", join(place, "x.npy")]);
    expect((await embed("test")).code).toBe(0);
    const files = ["x.labels.npy", "x.npy"];
    expect(readdirSync(place).sort()).toEqual(files);
    const bytes = () => files.map((file) => readFileSync(join(place, file), "base64"));
    const before = bytes();
    // 64 x 128 numbers are half of the disk, beside the filler too much.
    writeFileSync(join(place, "filler"), new Uint8Array(28 * 1024));
    const { code, stderr } = await embed("train");
    expect(stderr.trimEnd().split("\n").at(-1)).toMatch(/^lejepa: .*x\.npy.*the disk is full/);
    expect(code).toBe(1);
    expect(readdirSync(place).sort()).toEqual(["filler", ...files]);
    expect(bytes()).toEqual(before);
    rmSync(join(place, "filler"));
    expect((await embed("train")).code).toBe(0);
    expect(bytes()).not.toEqual(before);
  } finally {
    execFileSync("umount", [place]);
  }
});
