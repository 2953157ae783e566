/** Checks of arguments, for callers that no compiler checks: each refuses with one sentence. */
import { closest, distance } from "fastest-levenshtein";
import { LejepaError } from "./lejepa-error.js";

/** What an argument may be. */
export interface Expected {
  /** In words; completes the sentence "should be ...". */
  readonly text: string;
  /** Whether a value is one of them. */
  readonly accepts: (value: unknown) => boolean;
}

/** A whole number of at least `least`. */
export const wholeNumber = (least: number): Expected => ({
  text: `a whole number of ${least} or more`,
  accepts: (value) => Number.isSafeInteger(value) && (value as number) >= least,
});

/** A finite number of at least `least`. */
export const numberFrom = (least: number): Expected => ({
  text: `a finite number of ${least} or more`,
  accepts: (value) => Number.isFinite(value) && (value as number) >= least,
});

/** A finite number above 0. */
export const positiveNumber: Expected = {
  text: "a finite number above 0",
  accepts: (value) => Number.isFinite(value) && (value as number) > 0,
};

/** One of some words. */
export const oneOf = (words: readonly string[]): Expected => ({
  text: words.map((word) => `"${word}"`).join(" or "),
  accepts: (value) => typeof value === "string" && words.includes(value),
});

/** A text that is not empty. */
export const someText: Expected = {
  text: "a text",
  accepts: (value) => typeof value === "string" && value !== "",
};

/** A function. */
export const someFunction: Expected = {
  text: "a function",
  accepts: (value) => typeof value === "function",
};

/** An object, no array. */
export const someObject: Expected = {
  text: "an object",
  accepts: (value) => typeof value === "object" && value !== null && !isArray(value),
};

/** A list. */
export const someArray: Expected = { text: "an array", accepts: (value) => Array.isArray(value) };

/** A typed array of a class. */
export const typedArray = (type: Float32ArrayConstructor | Int32ArrayConstructor): Expected => ({
  text: type === Float32Array ? "a Float32Array" : "an Int32Array",
  accepts: (value) => value instanceof type,
});

/** True or false. */
export const someBoolean: Expected = {
  text: "true or false",
  accepts: (value) => typeof value === "boolean",
};

/** An `AbortSignal`. */
export const abortSignal: Expected = {
  text: "an AbortSignal",
  accepts: (value) =>
    someObject.accepts(value) && typeof (value as Partial<AbortSignal>).aborted === "boolean",
};

/** Whatever it is: what reads it checks it. */
export const anything: Expected = { text: "given", accepts: () => true };

/** The same, or nothing at all. */
export const optional = ({ text, accepts }: Expected): Expected => ({
  text,
  accepts: (value) => value === undefined || accepts(value),
});

/** Throws LejepaError unless the argument is what it should be:
 *  `knnProbe: k should be a whole number of 1 or more, got -1.` and the fix, if any. */
export function requireArgument(
  where: string,
  name: string,
  value: unknown,
  expected: Expected,
  code = "bad-argument",
  fix?: string,
): void {
  if (expected.accepts(value)) return;
  const advice = fix === undefined ? "." : `; ${fix}.`;
  throw new LejepaError(
    code,
    `${where}: ${name} should be ${expected.text}, got ${said(value)}${advice}`,
  );
}

/** Throws LejepaError unless `options` is an object without other names than those of `expected`, and every value is what
 *  it should be. A misspelt option would otherwise be ignored; the message names the nearest known one. */
export function requireOptions(
  where: string,
  options: unknown,
  expected: Readonly<Record<string, Expected>>,
  code = "bad-option",
): void {
  requireArgument(where, "options", options, someObject, code);
  const names = Object.keys(expected);
  const unknown = Object.keys(options as object).find((name) => !Object.hasOwn(expected, name));
  if (unknown !== undefined) {
    throw new LejepaError(
      code,
      `${where}: there is no option "${unknown}"; ${nearestName(unknown, names)}.`,
    );
  }
  for (const [name, allowed] of Object.entries(expected)) {
    requireArgument(where, name, (options as Record<string, unknown>)[name], allowed, code);
  }
}

/** "did you mean ..., the names are ..." */
export function nearestName(wrong: string, names: readonly string[]): string {
  if (names.length === 0) return "there are none";
  const nearest = closest(wrong, names);
  const isNear =
    distance(wrong.toLowerCase(), nearest.toLowerCase()) <= Math.max(1, nearest.length / 2);
  return `${isNear ? `did you mean "${nearest}"? The` : "the"} names are ${names.join(", ")}`;
}

/** How a value reads in a message. */
export function said(value: unknown): string {
  if (value === undefined || value === null) return value === null ? "null" : "nothing";
  if (typeof value === "string")
    return JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}...` : value);
  if (typeof value === "bigint") return `the bigint ${value}`;
  if (typeof value === "function") return "a function";
  if (typeof value === "number" || typeof value === "boolean") return String(value);
  if (typeof value !== "object") return "a symbol";
  if (!isArray(value)) return "an object";
  const { length } = value as ArrayLike<unknown>;
  const type = Array.isArray(value) ? "array" : value.constructor.name;
  return `${/^[aeiou]/i.test(type) && type !== "Uint8Array" ? "an" : "a"} ${type} of length ${length}`;
}

const isArray = (value: unknown): boolean =>
  Array.isArray(value) || (ArrayBuffer.isView(value) && !(value instanceof DataView));
