/** One owner at a time of a folder or file, among processes, also of other machines that share the disk.
 *
 *  The lock is a file, PLACE-1.lock, that says whose it is. It is written aside and linked into place, so it appears with
 *  its content, and for one process only. A thread of its own touches it every few seconds, whatever the owner computes.
 *
 *  A lock that is left over is not removed by those who want it, as the slower of two would remove the faster's: it is
 *  succeeded by PLACE-2.lock, which again only one process can make. Its maker looks once more that the folder holds the
 *  locks that it found dead and no other, removes those, and is the owner.
 *
 *  Dead is a lock whose process is gone (same machine: its pid is not running, or has another start time, as a new
 *  process by the same number has), or, where the process cannot be looked up, one that is silent for a minute by the clock
 *  of the disk and does not stir while it is watched: no clock of another machine, and no jump of a clock, decides alone.
 *  A process that stood still meanwhile learns from {@link OwnerLock.assertHeld} that it was succeeded. */
import { randomBytes } from "node:crypto";
import { readFileSync, readlinkSync } from "node:fs";
import { link, open, readdir, stat, unlink } from "node:fs/promises";
import { hostname } from "node:os";
import { basename, dirname, join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import { LejepaError } from "@lejepa/ops";
import { removeQuietly } from "./durable-file.js";

/** What its owner has. */
export interface OwnerLock {
  /** Throws LejepaError "lock-lost" when another process has taken the lock over. To be called right before every write.
   *  @param tolerated age of an earlier answer that will do, in milliseconds; asks the disk when left out */
  assertHeld(tolerated?: number): void;
  /** Gives the lock up and leaves nothing behind. Never rejects: a file that cannot be removed counts for nothing in this
   *  process, and dies with it for all others. */
  release(): Promise<void>;
}

/** Options of {@link acquireLock}. */
export interface LockOptions {
  /** What is owned, for messages. */
  readonly what: string;
  /** Whether to succeed the present owner, dead or not. Left out: whoever is refused has no way to ask for it. */
  readonly force?: boolean;
  /** Milliseconds: between two signs of life; of silence until an owner is watched; that it is watched for. */
  readonly timing?: { readonly beat: number; readonly silence: number; readonly watch: number };
}

/** Who holds a lock, as its file says. */
interface Owner {
  readonly pid: number;
  readonly host: string;
  readonly since: string;
  /** The system that the pid means something on: see {@link thisSystem}. */
  readonly system: string | null;
  /** When the process started, by that system's count. */
  readonly processStart: string | null;
  /** Tells this holding of the lock from all others. */
  readonly token: string;
}

interface FoundLock {
  readonly file: string;
  readonly generation: number;
  readonly text: string;
  /** Undefined when the file does not say, as after a crash of a disk that cannot link. */
  readonly owner: Owner | undefined;
  /** Its last sign of life, by the clock of the disk. */
  readonly beatAt: number;
}

/** Acquires the lock of a place: `join(folder, "run")` is locked by the file `run-1.lock` of that folder.
 *  @throws LejepaError "locked", which says who holds it, since when, and when it last gave a sign of life */
export async function acquireLock(place: string, options: LockOptions): Promise<OwnerLock> {
  const timing = options.timing ?? { beat: 5_000, silence: 60_000, watch: 15_000 };
  const token = randomBytes(8).toString("hex");
  const text = `${JSON.stringify({
    pid: process.pid,
    host: hostname(),
    since: new Date().toISOString(),
    system: thisSystem() ?? null,
    processStart: processState(process.pid)?.start ?? null,
    token,
  } satisfies Owner)}\n`;
  const aside = `${place}-${token}.lock.partial`;
  await writeLock(aside, text);
  try {
    let forced: readonly string[] | undefined;
    for (;;) {
      const now = await beat(aside, Buffer.byteLength(text));
      const found = await findLocks(place);
      // Whoever comes between is not who was to be succeeded.
      if (options.force === true) forced ??= found.map((lock) => lock.text);
      let isSettled = true;
      for (const lock of found) {
        if (forced?.includes(lock.text) === true) continue;
        const state = await stateOf(lock, now, timing);
        if (state === "alive") throw locked(options, lock, now, timing.silence);
        isSettled &&= state === "dead";
      }
      if (!isSettled) continue;
      const file = `${place}-${(found.at(-1)?.generation ?? 0) + 1}.lock`;
      if (!(await putInPlace(aside, file, text))) continue;
      const others = (await findLocks(place)).filter((lock) => lock.text !== text);
      if (others.map((lock) => lock.text).join("") === found.map((lock) => lock.text).join("")) {
        for (const lock of found) await removeQuietly(lock.file);
        return heldLock(file, text, options.what, timing.beat);
      }
      await removeQuietly(file);
      // Two that got in each other's way shall not do so again.
      await pause(5 + 45 * Math.random());
    }
  } finally {
    await removeQuietly(aside);
  }
}

/** Whether a file name is that of a lock of `name`, or of one that was never finished. */
export function isLockOf(name: string, file: string): boolean {
  return (
    file.startsWith(`${name}-`) &&
    /^([1-9]\d*\.lock|[0-9a-f]{16}\.lock\.partial)$/.test(file.slice(name.length + 1))
  );
}

function heldLock(file: string, text: string, what: string, every: number): OwnerLock {
  const heart = new Worker(heartSource, {
    eval: true,
    workerData: { file, text, every },
    name: "lejepa lock",
    execArgv: [],
    resourceLimits: { maxYoungGenerationSizeMb: 2, maxOldGenerationSizeMb: 16 },
  });
  heart.unref();
  // Without signs of life the lock holds for as long as this process can be looked up.
  heart.on("error", () => undefined);
  let askedAt = performance.now();
  const isHeld = (): boolean => {
    try {
      return readFileSync(file, "utf8") === text;
    } catch (error) {
      const { code = "" } = error as NodeJS.ErrnoException;
      if (code === "ENOENT" || code === "ESTALE") return false;
      throw error;
    }
  };
  return {
    assertHeld(tolerated = 0) {
      const now = performance.now();
      if (now - askedAt < tolerated) return;
      if (!isHeld())
        throw new LejepaError(
          "lock-lost",
          `${what} was taken over by another process, as this one stood still for long or was told to be gone; nothing more was written here, so stop one of the two.`,
        );
      askedAt = now;
    },
    async release() {
      await heart.terminate();
      try {
        if (isHeld()) await unlink(file);
      } catch {
        givenUp.add(text);
      }
    },
  };
}

/** What locks say that this process gave up and could not remove. */
const givenUp = new Set<string>();

/** A lock's signs of life: its last byte is written again, which the disk dates by its own clock. */
const heartSource = `
const { openSync, readSync, writeSync, fdatasyncSync } = require("node:fs");
const { file, text, every } = require("node:worker_threads").workerData;
const lock = openSync(file, "r+");
const wanted = Buffer.from(text);
const found = Buffer.alloc(wanted.length);
readSync(lock, found, 0, found.length, 0);
if (found.equals(wanted))
  setInterval(() => {
    try {
      writeSync(lock, "\\n", wanted.length - 1);
      fdatasyncSync(lock);
    } catch {
      // A full or absent disk; the next beat may come through.
    }
  }, every);
`;

async function writeLock(file: string, text: string): Promise<void> {
  const handle = await open(file, "wx");
  try {
    await handle.writeFile(text);
    await handle.sync();
  } catch (error) {
    await removeQuietly(file);
    throw error;
  } finally {
    await handle.close();
  }
}

/** Touches the lock that is not in place yet; resolves to the time of the disk. */
async function beat(aside: string, length: number): Promise<number> {
  const handle = await open(aside, "r+");
  try {
    await handle.write("\n", length - 1);
    return (await handle.stat()).mtimeMs;
  } finally {
    await handle.close();
  }
}

/** Whether the lock is in place, which it is for the first process that asks for this name. */
async function putInPlace(aside: string, file: string, text: string): Promise<boolean> {
  try {
    await link(aside, file);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") {
      // A disk of the network may say so of a link that it has made.
      const [there, ours] = await Promise.all([inodeOf(file), inodeOf(aside)]);
      return there !== undefined && there === ours;
    }
  }
  // A disk that cannot link, as FAT's and some of the network; if it is for another reason, this fails too and says why.
  try {
    await writeLock(file, text);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}

function inodeOf(file: string): Promise<number | undefined> {
  return stat(file).then(
    ({ ino }) => ino,
    () => undefined,
  );
}

/** All locks of a place, oldest generation first. */
async function findLocks(place: string): Promise<FoundLock[]> {
  const [folder, name] = [dirname(place), basename(place)];
  const generations = (await readdir(folder))
    .filter((file) => isLockOf(name, file) && file.endsWith(".lock"))
    .map((file) => Number(file.slice(name.length + 1, -".lock".length)))
    .sort((a, b) => a - b);
  const locks: FoundLock[] = [];
  for (const generation of generations) {
    const lock = await readLock(join(folder, `${name}-${generation}.lock`), generation);
    if (lock !== undefined) locks.push(lock);
  }
  return locks;
}

/** Reads through a handle of its own each time, as a disk of the network answers for the open file only. */
async function readLock(file: string, generation: number): Promise<FoundLock | undefined> {
  let text: string;
  let beatAt: number;
  try {
    const handle = await open(file, "r");
    try {
      text = await handle.readFile("utf8");
      beatAt = (await handle.stat()).mtimeMs;
    } finally {
      await handle.close();
    }
  } catch (error) {
    const { code = "" } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ESTALE") return undefined;
    throw error;
  }
  return { file, generation, text, owner: parseOwner(text), beatAt };
}

function parseOwner(text: string): Owner | undefined {
  try {
    const owner = JSON.parse(text) as Partial<Owner> | null;
    if (Number.isSafeInteger(owner?.pid) && typeof owner?.token === "string") return owner as Owner;
  } catch {
    // Cut short; what it says nothing about is unknown.
  }
  return undefined;
}

async function stateOf(
  lock: FoundLock,
  now: number,
  { beat, silence, watch }: NonNullable<LockOptions["timing"]>,
): Promise<"alive" | "dead" | "gone"> {
  if (givenUp.has(lock.text)) return "dead";
  const known = lock.owner && processOf(lock.owner);
  if (known !== undefined) return known;
  const age = now - lock.beatAt;
  if (age > -beat && age < silence) return "alive";
  const end = performance.now() + watch;
  do {
    await pause(Math.min(beat, watch) / 4);
    const again = await readLock(lock.file, lock.generation);
    if (again === undefined) return "gone";
    if (again.beatAt !== lock.beatAt || again.text !== lock.text) return "alive";
  } while (performance.now() < end);
  return "dead";
}

/** Whether the process that holds a lock runs; undefined when it cannot be looked up from here. */
function processOf({ pid, system, processStart }: Owner): "alive" | "dead" | undefined {
  if (system === null || system !== thisSystem()) return undefined;
  try {
    process.kill(pid, 0);
  } catch (error) {
    // Anything else than "no such process" is about a process that is there.
    if ((error as NodeJS.ErrnoException).code === "ESRCH") return "dead";
  }
  const state = processState(pid);
  if (state === undefined || processStart === null) return undefined;
  return state.start === processStart && state.isRunning ? "alive" : "dead";
}

/** Names the system within which a pid means one process: on Linux this boot of the kernel and the namespace of pids, as
 *  containers may share a host's name and yet not see one another. Elsewhere the host. */
function thisSystem(): string | undefined {
  if (process.platform !== "linux") return `${process.platform} ${hostname()}`;
  try {
    const boot = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
    return `${boot} ${readlinkSync("/proc/self/ns/pid")}`;
  } catch {
    return undefined;
  }
}

/** When a process started, in ticks since the boot, and whether it still runs: one that ended stays listed until its
 *  parent asks for it. Linux only. */
function processState(pid: number): { start: string; isRunning: boolean } | undefined {
  try {
    const line = readFileSync(`/proc/${pid}/stat`, "latin1");
    // The name of the program, in brackets, may hold blanks and brackets itself.
    const fields = line.slice(line.lastIndexOf(")") + 2).split(" ");
    return { start: fields[19]!, isRunning: !"ZXx".includes(fields[0]!) };
  } catch {
    return undefined;
  }
}

function locked(
  { what, force }: LockOptions,
  lock: FoundLock,
  now: number,
  silence: number,
): LejepaError {
  const { owner, beatAt } = lock;
  const quiet = Math.max(0, now - beatAt);
  const who =
    owner === undefined
      ? `a process that left no name in ${lock.file}`
      : `process ${owner.pid} on ${owner.host}, since ${owner.since}`;
  const asleep = quiet > silence ? "; it may be suspended" : "";
  const wayOut =
    force === undefined
      ? `remove ${lock.file}`
      : "take over (--force-unlock, in code forceUnlock: true)";
  return new LejepaError(
    "locked",
    `${what} is in use by ${who} (last sign of life ${duration(quiet)} ago${asleep}); wait for it or stop it, or, if it is gone for sure, ${wayOut}.`,
  );
}

function duration(milliseconds: number): string {
  const seconds = Math.round(milliseconds / 1000);
  if (seconds < 120) return `${seconds} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 120 ? `${minutes} min` : `${Math.round(minutes / 60)} h`;
}
