import { checkChoice } from "./checked-options.js";
import { engineError } from "./engine-error.js";
import { shown } from "./shown.js";

/** Throws "bad-option" unless these are what the compiled engines take. */
export function checkThreads({
  threads,
  thread,
  engines,
}: {
  readonly threads: number | undefined;
  readonly thread: string;
  readonly engines?: number | undefined;
}): void {
  for (const [name, count] of Object.entries({ threads, engines }))
    if (count !== undefined && !(Number.isInteger(count) && count >= 1))
      throw engineError(
        "bad-option",
        `${name} should be a whole number of at least 1, got ${shown(count)}.`,
      );
  checkChoice("thread", thread, ["worker", "main"]);
}
