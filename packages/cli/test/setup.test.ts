import type { ChildProcess } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { afterAll, beforeEach, describe, expect, test } from "vitest";
import { needs } from "../../../tools/backends.js";
import { outcome, start } from "./lejepa.js";

const scratch = mkdtempSync(join(tmpdir(), "lejepa-cli-setup-"));
/** Where the stand-ins for the programs that the setup calls lie, and where TensorFlow would go. */
let bin: string;
let base: string;

beforeEach(() => {
  const home = mkdtempSync(join(scratch, "test-"));
  bin = join(home, "bin");
  base = join(home, "tensorflow");
  mkdirSync(bin);
});
afterAll(() => rmSync(scratch, { recursive: true }));

describe("wrong usage is told in one line with exit code 2", () => {
  test.each([
    { args: [], says: "what" },
    { args: ["pytorch"], says: "tensorflow" },
    { args: ["tensorflow", "--remove", "--gpu"], says: "--gpu" },
    { args: ["tensorflow", "--remove", "--from", "."], says: "--from" },
    { args: ["tensorflow", "--remove", "--force"], says: "--force" },
    { args: ["tensorflow", "--from", "."], says: "include/tensorflow/c/c_api.h" },
  ])("setup $args", async ({ args, says }) => {
    program("g++", "exit 0");
    const { code, stdout, stderr } = await outcome(setup(...args));
    expect(stderr).toContain(says);
    expect(stderr.trim().split("\n")).toHaveLength(1);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
  });
});

test.each([
  { missing: "a compiler", programs: [], says: "apt-get install g++" },
  { missing: "Python", programs: ["g++"], says: "apt-get install python3-pip" },
])("without $missing it says in one line what to install", async ({ programs, says }) => {
  for (const name of programs) program(name, "exit 0");
  const { code, stdout, stderr } = await outcome(setup("tensorflow"));
  expect(stderr).toMatch(/^lejepa: setup: .*\n$/);
  expect(stderr).toContain(says);
  expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
});

test("Ctrl-C while it fetches ends it with one line, and leaves nothing", async () => {
  program("g++", "exit 0");
  const sign = join(bin, "reached");
  program("python3", `case "$*" in *"pip download"*) echo > ${sign}; exec /bin/sleep 600 ;; esac`);
  const child = setup("tensorflow");
  const ended = outcome(child);
  while (!existsSync(sign)) await pause(20);
  child.kill("SIGINT");
  const { code, stdout, stderr } = await ended;
  expect(stderr).toContain("Fetching tensorflow-cpu 2.21.0");
  expect(stderr).toContain("press Ctrl-C again to stop at once");
  expect(stderr.trimEnd().split("\n").at(-1)).toBe("lejepa: interrupted.");
  expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
  expect(readdirSync(base).filter((name) => name !== "downloads")).toEqual([]);
});

test("there is nothing to remove where nothing was made", async () => {
  const told = await outcome(setup("tensorflow", "--remove"));
  expect(told).toEqual({ code: 0, stdout: "There was nothing to remove.\n", stderr: "" });
  const json = await outcome(setup("tensorflow", "--remove", "--json"));
  expect(JSON.parse(json.stdout)).toEqual({ directories: [], bytes: 0 });
});

test("doctor says how to have TensorFlow where it is not", async () => {
  const { stdout } = await outcome(
    start(["doctor"], { cwd: scratch, env: { LEJEPA_TENSORFLOW_DIR: base } }),
  );
  expect(stdout).toContain('then "lejepa setup tensorflow"');
});

test("what is set up here is told by setup, which keeps it, and by doctor", async (context) => {
  needs("tensorflow", context);
  const args = ["setup", "tensorflow"];
  const here = { cwd: scratch, env: {} };
  const { stdout } = await outcome(start([...args, "--json"], here));
  const result = JSON.parse(stdout) as { directory: string };
  expect(result).toMatchObject({ status: "kept", kind: "cpu", source: "setup" });
  const told = (await outcome(start(args, here))).stdout;
  for (const part of [result.directory, " MB", "lejepa setup tensorflow --remove"])
    expect(told).toContain(part);
  const doctor = (await outcome(start(["doctor", "--json"], here))).stdout;
  expect(JSON.parse(doctor.trimEnd().split("\n").at(-1)!)).toMatchObject({
    auto: "tensorflow",
    tensorflow: { available: true, detail: expect.stringContaining(result.directory) as string },
  });
});

/** Puts a shell script on the PATH. */
function program(name: string, script: string): void {
  writeFileSync(join(bin, name), `#!/bin/sh\n${script}\n`);
  chmodSync(join(bin, name), 0o755);
}

const setup = (...args: string[]): ChildProcess =>
  start(["setup", ...args], {
    cwd: scratch,
    env: { LEJEPA_TENSORFLOW_DIR: base, PATH: bin, CXX: "" },
  });
