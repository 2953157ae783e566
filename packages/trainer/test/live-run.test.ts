import { spawn, type ChildProcessByStdio } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { setTimeout as pause } from "node:timers/promises";
import { decodeSafetensors, openRun } from "@lejepa/trainer";
import { afterEach, beforeEach, expect, test } from "vitest";

let scratch = "";
beforeEach(() => {
  scratch = mkdtempSync(join(tmpdir(), "lejepa-live-"));
});
afterEach(() => rmSync(scratch, { recursive: true }));

/** Starts one of the programs of this folder. Its errors are this process's. */
function start(
  name: string,
  run: string,
  steps: number,
  ...more: readonly string[]
): ChildProcessByStdio<null, Readable, null> {
  const script = join(import.meta.dirname, "programs", `${name}.ts`);
  return spawn(process.execPath, ["--import", "tsx", script, run, String(steps), ...more], {
    stdio: ["ignore", "pipe", "inherit"],
  });
}

test("who opens a run that writes checkpoints all the time sees one whole checkpoint or the next", async () => {
  const [run, steps] = [join(scratch, "run"), 300];
  const readers = [1, 2].map(() => text(start("read-run", run, steps).stdout));
  const writer = start("write-run", run, steps, "ends");
  const ended = once(writer, "close");
  writer.stdout.resume();
  let reads = 0;
  for (const output of await Promise.all(readers)) {
    const told = JSON.parse(output) as { reads: number; ends: number; faults: string[] };
    expect(told.faults).toEqual([]);
    expect(told.ends).toBeGreaterThan(0);
    reads += told.reads;
  }
  expect(await ended).toEqual([0, null]);
  expect(reads).toBeGreaterThan(500);
  console.log(`${reads} reads of ${steps} checkpoints`);
});

/** Numbers in [0, 1) that are the same each time. */
function random(seed: number): () => number {
  let state = seed;
  return () => (state = (state * 16_807) % 2_147_483_647) / 2_147_483_647;
}

/** On a busy machine it is two dozen starts of a process that take their time. */
const patience = 600_000;

test(
  "a process that is killed at any moment leaves one whole checkpoint",
  { timeout: patience },
  async () => {
    await Promise.all(
      [1, 2].map((seed) => killTimeAndAgain(join(scratch, `${seed}`), random(seed))),
    );
  },
);

async function killTimeAndAgain(run: string, draw: () => number): Promise<void> {
  let written = 0;
  for (let kills = 0; kills < 12; kills++) {
    const writer = start("write-run", run, 100_000);
    const ended = once(writer, "close");
    writer.stdout.on("data", (chunk: Buffer) => {
      written = Number(chunk.toString().trimEnd().split("\n").at(-1));
    });
    await once(writer.stdout, "data");
    await pause(60 * draw());
    writer.kill("SIGKILL");
    expect(await ended).toEqual([null, "SIGKILL"]);
    // The next writer looks at all of it, and ends with an error if something is wrong.
    const { step, parameters } = await openRun(run);
    expect(step).toBeGreaterThanOrEqual(written);
    for (const { data } of Object.values(parameters))
      expect(data.every((value) => value === step)).toBe(true);
  }
  const last = start("write-run", run, written + 2);
  last.stdout.resume();
  expect(await once(last, "close")).toEqual([0, null]);
  const file = join(run, "checkpoint", "training.safetensors");
  const { metadata } = decodeSafetensors(readFileSync(file), file);
  expect(metadata["step"]).toBe(String(written + 2));
  const files = ["model.safetensors", "training.safetensors"];
  expect(readdirSync(join(run, "checkpoint")).sort()).toEqual(files);
  const left = readdirSync(run).filter((name) => /partial|lock/.test(name));
  expect(left).toEqual([]);
}
