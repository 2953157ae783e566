import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";

/** Counts the calls that change the disk, and makes the process "die" or one call fail at one of them. */
const disk = vi.hoisted(() => ({ calls: [] as string[], diesAt: Infinity, failsAt: Infinity }));
vi.mock("node:fs/promises", async (importOriginal) => {
  const real = await importOriginal<typeof import("node:fs/promises")>();
  const mortal =
    <A extends unknown[], R>(name: string, call: (...args: A) => Promise<R>) =>
    (...args: A): Promise<R> => {
      const n = disk.calls.push(name) - 1;
      if (n >= disk.diesAt) return Promise.reject(new Error("killed"));
      if (n === disk.failsAt)
        return Promise.reject(Object.assign(new Error("full"), { code: "ENOSPC" }));
      return call(...args);
    };
  return {
    ...real,
    mkdir: mortal("mkdir", real.mkdir),
    rename: mortal("rename", real.rename),
    rm: mortal("rm", real.rm),
    rmdir: mortal("rmdir", real.rmdir),
    async open(...args: Parameters<typeof real.open>) {
      const handle = await mortal("open", real.open)(...args);
      for (const name of ["writeFile", "sync"] as const)
        handle[name] = mortal(name, (handle[name] as () => Promise<void>).bind(handle));
      return handle;
    },
  };
});

const { readModel, readTraining, replaceCheckpoint } = await import("./checkpoint-folder.js");

let run = "";
beforeEach(async () => {
  run = await mkdtemp(join(tmpdir(), "lejepa-checkpoint-"));
});
afterEach(async () => {
  disk.diesAt = disk.failsAt = Infinity;
  await rm(run, { recursive: true });
});

/** Writes the checkpoint of a step; its files say which. */
function write(step: number, guard?: () => void): Promise<void> {
  const bytes = new TextEncoder().encode(String(step));
  return replaceCheckpoint(run, step, { model: bytes, training: bytes }, guard);
}

/** Steps that model and training are of. */
async function found(): Promise<[model: string, training: string] | "none"> {
  const text = (file: { bytes: Uint8Array } | undefined): string =>
    file === undefined ? "missing" : new TextDecoder().decode(file.bytes);
  const model = await readModel(run);
  if (model === undefined) return "none";
  return [text(model), text(await readTraining(model.path, Number(text(model))))];
}

const listed = () => readdirSync(join(run, "checkpoint")).sort();
const files = ["model.safetensors", "training.safetensors"];

test("a checkpoint replaces the one before and leaves nothing else behind", async () => {
  expect(await found()).toBe("none");
  await write(1);
  await write(2);
  expect(await found()).toEqual(["2", "2"]);
  expect(readdirSync(run)).toEqual(["checkpoint"]);
  expect(listed()).toEqual(files);
});

test("a process that dies at any moment of a write leaves the old checkpoint or the new one", async () => {
  await write(1);
  disk.calls = [];
  await write(1);
  const moments = disk.calls.length;
  expect(moments).toBeGreaterThanOrEqual(14);
  const seen: string[] = [];
  for (let moment = 0; moment < moments; moment++) {
    disk.calls = [];
    disk.diesAt = moment;
    // Leftovers are removed in silence, so that a death there may go unnoticed.
    await write(2).catch((error: Error) => expect(error.message).toBe("killed"));
    disk.diesAt = Infinity;
    seen.push(String(await found()));
    // The next process writes over whatever was left.
    await write(1);
    expect(await found()).toEqual(["1", "1"]);
    expect(listed()).toEqual(files);
  }
  expect(new Set(seen)).toEqual(new Set(["1,1", "2,2"]));
});

test("a second death in a row loses nothing, wherever the first was", async () => {
  await write(1);
  disk.calls = [];
  await write(1);
  const moments = disk.calls.length;
  for (let first = 0; first < moments; first++)
    for (let second = 0; second < moments; second++) {
      for (const [moment, step] of [
        [first, 2],
        [second, 3],
      ] as const) {
        disk.calls = [];
        disk.diesAt = moment;
        await write(step).catch(() => undefined);
        disk.diesAt = Infinity;
      }
      const [model, training] = await found();
      expect(training).toBe(model);
      expect(["1", "2", "3"]).toContain(model);
      await write(1);
    }
});

test("a disk that is full at any call leaves the old checkpoint alone, or has the new one", async () => {
  disk.calls = [];
  await write(1);
  const moments = disk.calls.length;
  for (const before of ["none", "1,1"])
    for (let moment = 0; moment < moments; moment++) {
      rmSync(join(run, "checkpoint"), { recursive: true, force: true });
      if (before !== "none") await write(1);
      disk.calls = [];
      disk.failsAt = moment;
      const failure = await write(2).then(
        () => undefined,
        (error: { code: string }) => error.code,
      );
      disk.failsAt = Infinity;
      const now = String(await found());
      if (now !== before) {
        expect(now).toBe("2,2");
        continue;
      }
      expect(failure).toBe("disk-full");
      if (before === "none") expect(existsSync(join(run, "checkpoint"))).toBe(false);
      else expect(listed()).toEqual(files);
    }
});

test("a process that is succeeded while it writes changes nothing that counts", async () => {
  for (const refusedAt of [1, 2, 3]) {
    rmSync(join(run, "checkpoint"), { recursive: true, force: true });
    await write(1);
    let asked = 0;
    const guard = (): void => {
      if (++asked === refusedAt) throw new Error("succeeded");
    };
    await expect(write(2, guard)).rejects.toThrow("succeeded");
    expect(await found()).toEqual(["1", "1"]);
    // The training file of its step may be its successor's by then.
    const left = refusedAt === 3 ? ["training-2.safetensors"] : [];
    expect(listed()).toEqual([...left, ...files].sort());
  }
});

test("what earlier versions leave when they die is read, and then replaced", async () => {
  await write(1);
  const [current, previous] = [join(run, "checkpoint"), join(run, "checkpoint.previous")];
  mkdirSync(join(run, "checkpoint.partial"));
  // Between their two renames.
  renameSync(current, previous);
  expect(await found()).toEqual(["1", "1"]);
  // And the next write of this version dies halfway.
  disk.calls = [];
  disk.diesAt = 6;
  await expect(write(2)).rejects.toThrow("killed");
  disk.diesAt = Infinity;
  expect(await found()).toEqual(["1", "1"]);
  await write(2);
  expect(await found()).toEqual(["2", "2"]);
  expect(readdirSync(run)).toEqual(["checkpoint"]);
  // After both renames.
  cpSync(current, previous, { recursive: true });
  await write(3);
  expect(await found()).toEqual(["3", "3"]);
  expect(readdirSync(run)).toEqual(["checkpoint"]);
});

test("a file that cannot be read is told, one that is missing is not", async () => {
  expect(await readTraining(join(run, "checkpoint", "model.safetensors"), 1)).toBeUndefined();
  mkdirSync(join(run, "checkpoint", "model.safetensors"), { recursive: true });
  await expect(readModel(run)).rejects.toMatchObject({ code: "corrupt-checkpoint" });
  await expect(readModel(run)).rejects.toThrow(/model\.safetensors cannot be used: it is a folder/);
  rmSync(join(run, "checkpoint"), { recursive: true });
  writeFileSync(join(run, "checkpoint"), "");
  await expect(readModel(run)).rejects.toMatchObject({ code: "corrupt-checkpoint" });
  await expect(readModel(run)).rejects.toThrow(/checkpoint is a file/);
});
