import { backendNeeds, namedBackends } from "./backend-names.mjs";

/** What this machine is asked to run: `LEJEPA_BACKENDS` names it, and what is named must run or fails. */
export type Backend = keyof typeof backendNeeds;

const unknown = namedBackends.filter((name) => !Object.hasOwn(backendNeeds, name));
if (unknown.length > 0)
  throw new Error(
    `LEJEPA_BACKENDS names ${unknown.join(", ")}; choose from ${Object.keys(backendNeeds).join(", ")}.`,
  );

/** Skips the running test, with the reason, where the backend is not named.
 *  Call it first in a test: `needs("python", context)`. */
export function needs(
  backend: Backend,
  context: { skip: (condition: boolean, note: string) => void },
): void {
  context.skip(!namedBackends.includes(backend), `LEJEPA_BACKENDS does not name ${backend}`);
}
