import { engineError } from "./engine-error.js";
import { shown } from "./shown.js";

/** Whether a value is an object with names: no list and no array of numbers, and none that keeps what it holds elsewhere
 *  than under names, as a Date, a Map or a Promise does and an object of the caller's own class does not. */
export const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" &&
  value !== null &&
  !Array.isArray(value) &&
  !ArrayBuffer.isView(value) &&
  (isPlain(value) || Object.keys(value).length > 0);

/** Of this realm or of another one: with `Object.prototype` above it, or nothing. */
function isPlain(value: object): boolean {
  const above: unknown = Object.getPrototypeOf(value);
  return above === null || Object.getPrototypeOf(above) === null;
}

/** Throws "bad-option" unless the options of `of` are an object of known names. */
export function checkOptions(of: string, options: unknown, known: readonly string[]): void {
  if (!isRecord(options))
    throw engineError(
      "bad-option",
      `${of}: options should be an object such as { ${known[0]} }, got ${shown(options)}.`,
    );
  for (const name of Object.keys(options))
    if (!known.includes(name))
      throw engineError(
        "bad-option",
        `${of}: there is no option "${name}"; the options are ${known.join(", ")}.`,
      );
}

/** Throws "bad-option" unless a value is undefined or one of the allowed ones. */
export function checkChoice(name: string, value: unknown, allowed: readonly unknown[]): void {
  if (value === undefined || allowed.includes(value)) return;
  const [last, ...others] = allowed.map(shown).reverse() as [string, ...string[]];
  throw engineError(
    "bad-option",
    `${name} should be ${others.reverse().join(", ")} or ${last}, got ${shown(value)}.`,
  );
}
