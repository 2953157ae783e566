import { spawn, type ChildProcess } from "node:child_process";
import {
  existsSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as pause } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";

/** Whether the disk makes links. */
const disk = vi.hoisted(() => ({ links: true }));
vi.mock("node:fs/promises", async (importOriginal) => {
  const real = await importOriginal<typeof import("node:fs/promises")>();
  const link: typeof real.link = (...args) =>
    disk.links
      ? real.link(...args)
      : Promise.reject(Object.assign(new Error("no links here"), { code: "EPERM" }));
  return { ...real, link };
});
const { acquireLock } = await import("../src/owner-lock.js");

const timing = { beat: 100, silence: 500, watch: 300 };

let folder = "";
let place = "";
const children: ChildProcess[] = [];
beforeEach(() => {
  disk.links = true;
  folder = mkdtempSync(join(tmpdir(), "lejepa-lock-"));
  place = join(folder, "run");
});
afterEach(() => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
  rmSync(folder, { recursive: true });
});

const acquire = (force = false) => acquireLock(place, { what: folder, force, timing });
const lockFile = (generation = 1) => `${place}-${generation}.lock`;

/** What the lock says, changed. */
function alter(changes: Record<string, unknown>): void {
  const owner = JSON.parse(readFileSync(lockFile(), "utf8")) as object;
  writeFileSync(lockFile(), `${JSON.stringify({ ...owner, ...changes })}\n`);
}

/** A lock of this process that it does not keep alive, altered. */
async function plant(changes: Record<string, unknown>): Promise<void> {
  const lock = await acquire();
  const text = readFileSync(lockFile());
  await lock.release();
  writeFileSync(lockFile(), text);
  alter(changes);
}

/** Another process, and the words that it says. */
function start(mode: string, itsTiming = timing) {
  const script = join(import.meta.dirname, "programs/hold-lock.ts");
  const child = spawn(
    process.execPath,
    ["--import", "tsx", script, place, JSON.stringify(itsTiming), mode],
    { stdio: ["pipe", "pipe", "inherit"] },
  );
  children.push(child);
  const words = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const said = async (): Promise<string | undefined> =>
    ((await words.next()) as { value?: string }).value;
  return {
    child,
    said,
    ask: (word = "") => {
      child.stdin.write(`${word}\n`);
      return said();
    },
    ended: new Promise<void>((resolve) => child.once("close", () => resolve())),
  };
}

test("has one owner, says who it is, and leaves nothing", async () => {
  const lock = await acquire();
  const second = acquire();
  await expect(second).rejects.toMatchObject({ name: "LejepaError", code: "locked" });
  const who = `process ${process.pid} on ${hostname()}, since 20`;
  await expect(second).rejects.toThrow(who);
  await expect(second).rejects.toThrow(/last sign of life \d+ s ago.*--force-unlock/);
  lock.assertHeld();
  expect(readdirSync(folder)).toEqual(["run-1.lock"]);
  await lock.release();
  expect(readdirSync(folder)).toEqual([]);
  await (await acquire()).release();
});

test("of many calls at once one is the owner", async () => {
  const calls = await Promise.allSettled(Array.from({ length: 20 }, () => acquire()));
  const locks = calls.flatMap((call) => (call.status === "fulfilled" ? [call.value] : []));
  expect(locks).toHaveLength(1);
  locks[0]!.assertHeld();
  for (const call of calls)
    if (call.status === "rejected") expect(call.reason).toMatchObject({ code: "locked" });
  expect(readdirSync(folder)).toEqual(["run-1.lock"]);
  await locks[0]!.release();
});

test("locks of other places in the folder, and other files, do not matter", async () => {
  writeFileSync(join(folder, "run-x.lock"), "");
  writeFileSync(join(folder, "runner-1.lock"), "");
  const other = await acquireLock(join(folder, "x.npy"), { what: "x", timing });
  await (await acquire()).release();
  await other.release();
  expect(readdirSync(folder).sort()).toEqual(["run-x.lock", "runner-1.lock"]);
});

describe("a lock that is left over", () => {
  test("by a process that was killed is taken over at once", async () => {
    const { child, said, ended } = start("hold");
    expect(await said()).toBe("held");
    await expect(acquire()).rejects.toThrow(`process ${child.pid} on`);
    child.kill("SIGKILL");
    await ended;
    expect(existsSync(lockFile())).toBe(true);
    const lock = await acquire();
    lock.assertHeld();
    expect(readdirSync(folder)).toEqual(["run-2.lock"]);
    await lock.release();
    expect(readdirSync(folder)).toEqual([]);
  });

  test.skipIf(process.platform !== "linux")(
    "by a process whose number another one has now is taken over at once (start times: Linux)",
    async () => {
      await plant({ processStart: "1" });
      await (await acquire()).release();
      expect(readdirSync(folder)).toEqual([]);
    },
  );

  test.skipIf(process.platform !== "linux")(
    "by a process that ended, and that its parent did not ask for, is taken over at once (Linux)",
    async () => {
      // The shell becomes a program that knows nothing of the child.
      const parent = spawn("sh", ["-c", "sleep 0.2 & echo $!; exec sleep 30"]);
      children.push(parent);
      const lines = createInterface({ input: parent.stdout })[Symbol.asyncIterator]();
      const { value: line } = (await lines.next()) as { value: string };
      const stat = () => readFileSync(`/proc/${line}/stat`, "latin1").split(" ");
      await plant({ pid: Number(line), processStart: stat()[21] });
      await expect(acquire()).rejects.toMatchObject({ code: "locked" });
      while (stat()[2] !== "Z") await pause(20);
      await (await acquire()).release();
      expect(readdirSync(folder)).toEqual([]);
    },
  );

  test("by another machine holds until it has been silent, then is taken over", async () => {
    await plant({ host: "elsewhere", system: "another boot" });
    await expect(acquire()).rejects.toThrow("on elsewhere");
    await pause(timing.silence);
    await (await acquire()).release();
    expect(readdirSync(folder)).toEqual([]);
  });

  test.each([
    ["nothing", ""],
    ["half of what it should", '{"pid":12'],
    ["null", "null"],
  ])("and says %s holds until it has been silent, then is taken over", async (_name, text) => {
    writeFileSync(lockFile(), text);
    const early = acquire();
    await expect(early).rejects.toMatchObject({ code: "locked" });
    await expect(early).rejects.toThrow("run-1.lock");
    await pause(timing.silence);
    await (await acquire()).release();
    expect(readdirSync(folder)).toEqual([]);
  });

  test.each([-86_400_000, 86_400_000])(
    "%i ms from now, by a clock that jumped, is taken over if it does not stir",
    async (jump) => {
      await plant({ system: "another boot" });
      const then = new Date(Date.now() + jump);
      utimesSync(lockFile(), then, then);
      await (await acquire()).release();
      expect(readdirSync(folder)).toEqual([]);
    },
  );

  test("is taken over by one of many calls at once", async () => {
    for (let round = 0; round < 20; round++) {
      await plant({ pid: 2 ** 22 + 1 });
      const calls = await Promise.allSettled(Array.from({ length: 20 }, () => acquire()));
      const locks = calls.flatMap((call) => (call.status === "fulfilled" ? [call.value] : []));
      expect(locks).toHaveLength(1);
      locks[0]!.assertHeld();
      await locks[0]!.release();
      expect(readdirSync(folder)).toEqual([]);
    }
  });

  test("is taken over by one of many, time and again, as they are killed", async () => {
    const contenders = [5, 6, 7, 8].map((times) => start(String(times)));
    await Promise.all(contenders.map(({ ended }) => ended));
    for (const { said } of contenders) expect(await said()).toBeUndefined();
    await (await acquire()).release();
    expect(readdirSync(folder)).toEqual([]);
  });
});

describe("a lock that is held", () => {
  test("by another machine whose clock differs is not taken over", async () => {
    const lock = await acquire();
    const text = readFileSync(lockFile());
    alter({ system: "another boot" });
    let isOver = false;
    const beats = (async () => {
      for (let n = 0; !isOver; n++) {
        // As a machine does whose clock is a day behind, then one ahead.
        const then = new Date(Date.now() + (n < 8 ? -86_400_000 : 86_400_000) + n);
        utimesSync(lockFile(), then, then);
        await pause(timing.beat);
      }
    })();
    await expect(acquire()).rejects.toMatchObject({ code: "locked" });
    await pause(9 * timing.beat);
    await expect(acquire()).rejects.toMatchObject({ code: "locked" });
    isOver = true;
    await beats;
    writeFileSync(lockFile(), text);
    await lock.release();
  });

  test("gives signs of life while its owner computes", async () => {
    const { said, child } = start("hold");
    expect(await said()).toBe("held");
    const before = statSync(lockFile()).mtimeMs;
    child.stdin.write("block\n");
    await pause(700);
    expect(statSync(lockFile()).mtimeMs).toBeGreaterThan(before + 400);
    expect(await said()).toBe("held");
  });

  test("by a process that stands still is not taken over on its machine, and said to be quiet", async () => {
    const { said, child, ask } = start("hold");
    expect(await said()).toBe("held");
    child.kill("SIGSTOP");
    await pause(2 * timing.silence);
    const second = acquire();
    await expect(second).rejects.toMatchObject({ code: "locked" });
    await expect(second).rejects.toThrow("may be suspended");
    child.kill("SIGCONT");
    expect(await ask()).toBe("held");
  });

  test("by a process that stands still is taken over from elsewhere, and it learns so before it goes on", async () => {
    const { said, child, ask, ended } = start("hold");
    expect(await said()).toBe("held");
    child.kill("SIGSTOP");
    // Its process cannot be looked up any more.
    const kept = readFileSync(lockFile(), "utf8");
    const elsewhere = kept.replace(/"system":"./, '"system":"?');
    expect(elsewhere).toHaveLength(kept.length);
    writeFileSync(lockFile(), elsewhere);
    await pause(timing.silence);
    const lock = await acquire();
    expect(readdirSync(folder)).toEqual(["run-2.lock"]);
    child.kill("SIGCONT");
    expect(await ask()).toBe("lock-lost");
    expect(await ask("release")).toBeUndefined();
    await ended;
    // Its end took nothing of its successor's.
    lock.assertHeld();
    await lock.release();
    expect(readdirSync(folder)).toEqual([]);
  });

  test("is taken over by force, by one of several, and its owner learns so", async () => {
    const { said, ask } = start("hold");
    expect(await said()).toBe("held");
    const calls = await Promise.allSettled([1, 2, 3, 4].map(() => acquire(true)));
    const locks = calls.flatMap((call) => (call.status === "fulfilled" ? [call.value] : []));
    // Calls that began after the first was through succeed that one.
    expect(locks.filter(isHeld)).toHaveLength(1);
    expect(await ask()).toBe("lock-lost");
    for (const lock of locks) await lock.release();
    expect(readdirSync(folder)).toEqual([]);
  });

  test("asks the disk no more often than is asked for", async () => {
    const lock = await acquire();
    rmSync(lockFile());
    expect(() => lock.assertHeld(60_000)).not.toThrow();
    expect(() => lock.assertHeld()).toThrow(expect.objectContaining({ code: "lock-lost" }));
    await lock.release();
  });
});

test("works on a disk that makes no links", async () => {
  disk.links = false;
  const lock = await acquire();
  await expect(acquire()).rejects.toMatchObject({ code: "locked" });
  await lock.release();
  await plant({ pid: 2 ** 22 + 1 });
  await (await acquire()).release();
  expect(readdirSync(folder)).toEqual([]);
});

test("a folder that is not there is told", async () => {
  const gone = acquireLock(join(folder, "gone", "run"), { what: "gone", timing });
  await expect(gone).rejects.toMatchObject({ code: "ENOENT" });
});

function isHeld(lock: { assertHeld(): void }): boolean {
  try {
    lock.assertHeld();
    return true;
  } catch {
    return false;
  }
}
