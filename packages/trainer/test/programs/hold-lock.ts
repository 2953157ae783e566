/** A process of its own that wants a lock, for tests: `node --import tsx hold-lock.ts PLACE TIMING MODE`. Says what
 *  comes of it on standard output, a word a line. */
import { closeSync, openSync, unlinkSync } from "node:fs";
import { createInterface } from "node:readline";
import { acquireLock, type LockOptions } from "../../src/owner-lock.js";

const [place, timing, mode] = process.argv.slice(2) as [string, string, string];
const options: LockOptions = {
  what: place,
  timing: JSON.parse(timing) as NonNullable<LockOptions["timing"]>,
};
const say = (word: string): void => void process.stdout.write(`${word}\n`);
const codeOf = (error: unknown): string => (error as { code?: string }).code ?? String(error);

if (mode === "hold") await hold();
else await contend(Number(mode));

/** Holds it; each line of standard input asks whether it still does, or ends it. */
async function hold(): Promise<void> {
  const lock = await acquireLock(place, options);
  say("held");
  for await (const line of createInterface({ input: process.stdin })) {
    if (line === "release") break;
    if (line === "block") {
      // The main thread computes, and hears nothing.
      const end = performance.now() + 1500;
      while (performance.now() < end);
    }
    try {
      lock.assertHeld();
      say("held");
    } catch (error) {
      say(codeOf(error));
    }
  }
  await lock.release();
  process.stdin.destroy();
}

/** Has it so many times, and says so if somebody else has it at the same time; ends without a release. */
async function contend(times: number): Promise<void> {
  for (let had = 0; had < times;) {
    try {
      const lock = await acquireLock(place, options);
      try {
        closeSync(openSync(`${place}.inside`, "wx"));
      } catch {
        say("overlap");
      }
      await new Promise((resolve) => setTimeout(resolve, 3 * Math.random()));
      lock.assertHeld();
      unlinkSync(`${place}.inside`);
      if (++had < times) await lock.release();
      else process.kill(process.pid, "SIGKILL");
    } catch (error) {
      if (codeOf(error) !== "locked") say(codeOf(error));
      await new Promise((resolve) => setTimeout(resolve, 5 * Math.random()));
    }
  }
}
