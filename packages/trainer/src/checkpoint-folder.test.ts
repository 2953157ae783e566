import { mkdir, mkdtemp, readFile, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";

/** Counts the calls that change the disk, and makes the process "die" at one of them. */
const disk = vi.hoisted(() => ({ calls: 0, diesAt: Infinity }));
vi.mock("node:fs/promises", async (importOriginal) => {
  const real = await importOriginal<typeof import("node:fs/promises")>();
  const mortal =
    <A extends unknown[], R>(call: (...args: A) => Promise<R>) =>
    (...args: A): Promise<R> =>
      disk.calls++ >= disk.diesAt ? Promise.reject(new Error("killed")) : call(...args);
  return { ...real, open: mortal(real.open), rename: mortal(real.rename), rm: mortal(real.rm) };
});

const { findCheckpoint, readCheckpointFile, replaceCheckpoint } =
  await import("./checkpoint-folder.js");

let run = "";
beforeEach(async () => {
  disk.diesAt = Infinity;
  run = await mkdtemp(join(tmpdir(), "lejepa-checkpoint-"));
});
afterEach(async () => {
  disk.diesAt = Infinity;
  await rm(run, { recursive: true });
});

const files = (version: string) => ({
  "a.bin": new TextEncoder().encode(`a ${version}`),
  "b.bin": new TextEncoder().encode(`b ${version}`),
});

/** Both files of the last complete checkpoint. */
async function found(): Promise<string> {
  const folder = await findCheckpoint(run);
  if (folder === undefined) return "none";
  return `${await readFile(join(folder, "a.bin"), "utf8")}, ${await readFile(join(folder, "b.bin"), "utf8")}`;
}

test("a checkpoint replaces the one before and leaves nothing else behind", async () => {
  expect(await found()).toBe("none");
  await replaceCheckpoint(run, files("1"));
  await replaceCheckpoint(run, files("2"));
  expect(await found()).toBe("a 2, b 2");
  expect(await readdir(run)).toEqual(["checkpoint"]);
});

test("a process that dies at any moment of a write leaves the old checkpoint or the new one", async () => {
  await replaceCheckpoint(run, files("old"));
  disk.calls = 0;
  await replaceCheckpoint(run, files("old"));
  const moments = disk.calls;
  expect(moments).toBeGreaterThanOrEqual(8);
  const seen: string[] = [];
  for (let moment = 0; moment < moments; moment++) {
    disk.calls = 0;
    disk.diesAt = moment;
    await expect(replaceCheckpoint(run, files("new"))).rejects.toThrow("killed");
    disk.diesAt = Infinity;
    seen.push(await found());
    // The next process writes over whatever was left.
    await replaceCheckpoint(run, files("old"));
    expect(await found()).toBe("a old, b old");
    expect(await readdir(run)).toEqual(["checkpoint"]);
  }
  expect(new Set(seen)).toEqual(new Set(["a old, b old", "a new, b new"]));
});

test("two deaths in a row between the renames lose nothing", async () => {
  await replaceCheckpoint(run, files("old"));
  disk.calls = 0;
  disk.diesAt = 6; // after `checkpoint` became `checkpoint.previous`
  for (const version of ["new", "newer"]) {
    await expect(replaceCheckpoint(run, files(version))).rejects.toThrow("killed");
    expect(await found()).toBe("a old, b old");
    disk.calls = 0;
    disk.diesAt = 4; // the rename into place, now that there is nothing to move away
  }
  expect((await readdir(run)).sort()).toEqual(["checkpoint.partial", "checkpoint.previous"]);
});

test("a missing file reads as undefined, an unreadable one throws", async () => {
  expect(await readCheckpointFile(join(run, "gone"))).toBeUndefined();
  await mkdir(join(run, "folder"));
  await expect(readCheckpointFile(join(run, "folder"))).rejects.toThrow(/EISDIR/);
});
