import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { lock } from "proper-lockfile";
import { setupError } from "./setup-error.js";

/** Does work while no other process does work in the same folder. The lock of a process that was killed is over after
 *  ten seconds.
 *  @param onWait told once, if another process is at work
 *  @param work given a signal that also aborts when the lock is lost */
export async function withSetupLock<T>(
  folder: string,
  signal: AbortSignal,
  onWait: () => void,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const lost = new AbortController();
  const tryLock = () =>
    lock(folder, {
      lockfilePath: join(folder, ".lock"),
      stale: 10_000,
      update: 2_000,
      onCompromised: (cause) =>
        lost.abort(
          setupError(
            "lock-lost",
            `setup: another process took over ${folder} (this one stood still for long); run it again.`,
            { cause },
          ),
        ),
    }).catch((error: NodeJS.ErrnoException) => {
      if (error.code === "ELOCKED") return undefined;
      throw error;
    });
  let unlock = await tryLock();
  if (unlock === undefined) onWait();
  while (unlock === undefined) {
    await pause(300, undefined, { signal }).catch(() => signal.throwIfAborted());
    unlock = await tryLock();
  }
  try {
    return await work(AbortSignal.any([signal, lost.signal]));
  } finally {
    if (!lost.signal.aborted) await unlock();
  }
}
