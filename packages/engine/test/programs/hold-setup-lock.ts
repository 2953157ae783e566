/** Started by setup-lock.test.ts in a process of its own, to be stopped: holds the lock of the folder that is argument 1
 *  until it loses it, and prints how its work ended. */
import { withSetupLock } from "../../src/tensorflow/setup/setup-lock.js";

const work = (signal: AbortSignal) =>
  new Promise<never>((_, reject) => {
    const alive = setInterval(() => undefined, 1000);
    signal.addEventListener("abort", () => {
      clearInterval(alive);
      reject(signal.reason as Error);
    });
    console.log("holding");
  });
await withSetupLock(process.argv[2]!, new AbortController().signal, () => undefined, work).catch(
  ({ name, code, message }: Error & { code: string }) =>
    console.log(JSON.stringify({ name, code, message })),
);
