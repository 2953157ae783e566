import { engineError } from "./engine-error.js";

/** Throws "bad-option" unless these are what the compiled engines take. */
export function checkThreads({
  threads,
  thread,
}: {
  readonly threads: number | undefined;
  readonly thread: string;
}): void {
  if (threads !== undefined && !(Number.isInteger(threads) && threads >= 1))
    throw engineError(
      "bad-option",
      `threads should be a whole number of at least 1, got ${threads}.`,
    );
  if (thread !== "worker" && thread !== "main")
    throw engineError("bad-option", `thread should be "worker" or "main", got "${thread}".`);
}
