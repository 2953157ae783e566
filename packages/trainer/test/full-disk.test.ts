import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statfsSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { stripes, tiny } from "./toy-dataset.js";

/** Counts the calls that write, and makes one of them, or that and all after it, fail as on a full disk. */
const disk = vi.hoisted(() => {
  const plan = { calls: 0, failsAt: Infinity, staysFull: false };
  return Object.assign(plan, {
    /** A full disk still removes and renames. */
    check(needsSpace: boolean): void {
      const n = plan.calls++;
      if (n === plan.failsAt || (n > plan.failsAt && plan.staysFull && needsSpace))
        throw Object.assign(new Error("ENOSPC: no space left on device"), { code: "ENOSPC" });
    },
  });
});
vi.mock("node:fs/promises", async (importOriginal) => {
  const real = await importOriginal<typeof import("node:fs/promises")>();
  const checked =
    <A extends unknown[], R>(call: (...args: A) => Promise<R>, needsSpace: boolean) =>
    async (...args: A): Promise<R> => {
      disk.check(needsSpace);
      return call(...args);
    };
  const open: typeof real.open = async (path, flags, ...rest) => {
    if (flags !== "r" && flags !== "r+") disk.check(true);
    const handle = await real.open(path, flags, ...rest);
    const [writeFile, sync] = [handle.writeFile.bind(handle), handle.sync.bind(handle)];
    handle.writeFile = async (content: unknown, ...others: unknown[]) => {
      try {
        disk.check(true);
      } catch (error) {
        // What fits is there.
        await handle.write(Buffer.from(content as Uint8Array).subarray(0, 100));
        throw error;
      }
      return writeFile(content as Uint8Array, ...(others as []));
    };
    handle.sync = checked(sync, true);
    return handle;
  };
  return {
    ...real,
    open,
    mkdir: checked(real.mkdir as (path: string) => Promise<void>, true),
    link: checked(real.link, true),
    rename: checked(real.rename, false),
    unlink: checked(real.unlink, false),
    rm: checked(real.rm, false),
    rmdir: checked(real.rmdir, false),
  };
});
vi.mock("node:fs", async (importOriginal) => {
  const real = await importOriginal<typeof import("node:fs")>();
  const writeSync = (file: number, bytes: Uint8Array): number => {
    try {
      disk.check(true);
    } catch (error) {
      real.writeSync(file, bytes.subarray(0, 10));
      throw error;
    }
    return real.writeSync(file, bytes);
  };
  const fdatasync = (file: number, done: (error: Error | null) => void): void => {
    try {
      disk.check(true);
      real.fdatasync(file, done);
    } catch (error) {
      done(error as Error);
    }
  };
  return { ...real, writeSync, fdatasync };
});
const { train } = await import("@lejepa/trainer");

let scratch = "";
beforeEach(() => {
  scratch = mkdtempSync(join(tmpdir(), "lejepa-full-"));
});
afterEach(() => {
  disk.failsAt = Infinity;
  rmSync(scratch, { recursive: true });
});

const config = { ...tiny, steps: 2, checkpointEvery: 1 };
const datasets = { train: stripes() };

/** Goes on with the run if there is one, else starts it. */
async function goOn(run: string): Promise<void> {
  const resume = existsSync(join(run, "config.json"));
  await train(config, { run, resume, datasets });
}

/** All that a run leaves which does not depend on the clock. */
function left(run: string): unknown {
  const lines = readFileSync(join(run, "metrics.jsonl"), "utf8").trimEnd().split("\n");
  return {
    files: readdirSync(run).sort(),
    losses: lines.map((line) => (JSON.parse(line) as { loss: number }).loss),
    checkpoint: readdirSync(join(run, "checkpoint")).map((name) => [
      name,
      createHash("sha256")
        .update(readFileSync(join(run, "checkpoint", name)))
        .digest("hex"),
    ]),
  };
}

test.each([
  ["is full at one call", false],
  ["is full from one call on", true],
])(
  "a disk that %s, whichever, leaves a run that goes on or that can be started anew",
  async (_name, staysFull) => {
    const whole = join(scratch, "whole");
    disk.staysFull = staysFull;
    disk.calls = 0;
    await goOn(whole);
    const { calls } = disk;
    const expected = left(whole);
    expect(calls).toBeGreaterThan(40);
    let failures = 0;
    for (let call = 0; call < calls; call++) {
      const run = join(scratch, `${call}`);
      disk.calls = 0;
      disk.failsAt = call;
      try {
        await goOn(run);
      } catch (error) {
        failures++;
        expect(error).toMatchObject({ name: "LejepaError" });
        expect(["disk-full", "not-writable"]).toContain((error as { code: string }).code);
      }
      disk.failsAt = Infinity;
      const files = existsSync(run) ? readdirSync(run) : [];
      // Locks and files written aside are gone, unless to remove them was what failed.
      const litter = files.filter((name) => /lock|partial/.test(name));
      expect(litter.length, `call ${call}: ${litter.join()}`).toBeLessThanOrEqual(1);
      await goOn(run);
      expect(left(run), `call ${call}`).toEqual(expected);
      rmSync(run, { recursive: true });
    }
    // All but calls that tidy up.
    expect(failures).toBeGreaterThan(0.6 * calls);
  },
  // Some hundred short runs.
  600_000,
);

test("a real disk that is full, sooner or later, leaves the same", async (context) => {
  context.skip(process.platform !== "linux" || process.getuid?.() !== 0, "needs root on Linux");
  const whole = join(scratch, "whole");
  await goOn(whole);
  const expected = left(whole);
  const place = join(scratch, "disk");
  mkdirSync(place);
  execFileSync("mount", ["-t", "tmpfs", "-o", "size=8m", "tmpfs", place]);
  try {
    let failures = 0;
    // Kilobytes that are free: for a lock, for the config, for parts of a first checkpoint, of a second one.
    for (const free of [0, 4, 8, 12, 16, 20, 64, 400, 800, 1200, 1600, 2000, 2400, 3200]) {
      const [run, filler] = [join(place, "run"), join(place, "filler")];
      const { bavail, bsize } = statfsSync(place);
      writeFileSync(filler, new Uint8Array(bavail * bsize - free * 1024));
      try {
        await goOn(run);
      } catch (error) {
        failures++;
        expect(["disk-full", "not-writable"]).toContain((error as { code: string }).code);
        const litter = existsSync(run) ? readdirSync(run).join(" ") : "";
        expect(litter, `${free} kB`).not.toMatch(/lock|partial/);
      }
      rmSync(filler);
      if (!existsSync(join(run, "result.json"))) await goOn(run);
      expect(left(run), `${free} kB`).toEqual(expected);
      rmSync(run, { recursive: true });
    }
    expect(failures).toBeGreaterThan(5);
    expect(failures).toBeLessThan(14);
  } finally {
    execFileSync("umount", [place]);
  }
});
