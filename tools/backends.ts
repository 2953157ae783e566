/** What this machine is asked to run: `LEJEPA_BACKENDS` names it, and what is named must run or fails. */
export const knownBackends = ["eager", "onnx", "python", "browser"] as const;
export type Backend = (typeof knownBackends)[number];

const named = (process.env.LEJEPA_BACKENDS ?? "eager,onnx").split(",").map((name) => name.trim());
const unknown = named.filter((name) => !knownBackends.some((known) => known === name));
if (unknown.length > 0)
  throw new Error(
    `LEJEPA_BACKENDS names ${unknown.join(", ")}; choose from ${knownBackends.join(", ")}.`,
  );

/** Skips the running test, with the reason, where the backend is not named.
 *  Call it first in a test: `needs("python", context)`. */
export function needs(
  backend: Backend,
  context: { skip: (condition: boolean, note: string) => void },
): void {
  context.skip(!named.includes(backend), `LEJEPA_BACKENDS does not name ${backend}`);
}
