/** What fields of options and of specifications may hold. */

/** A field: what it accepts, said in words. */
export interface Field {
  readonly presence: "required" | "optional";
  /** Completes the sentence "must be ...". */
  readonly expected: string;
  readonly accepts: (value: unknown) => boolean;
}

/** One field for every option of a specification. */
export type Fields<Spec> = { readonly [Name in Exclude<keyof Spec, "name">]-?: Field };

/** A range [low, high]. */
export type Interval = readonly [number, number];

interface Bounds {
  readonly min: number;
  readonly max?: number;
}

const isBetween = (value: unknown, { min, max = Infinity }: Bounds): value is number =>
  Number.isFinite(value) && (value as number) >= min && (value as number) <= max;

const said = ({ min, max }: Bounds): string =>
  max === undefined ? `of at least ${min}` : `from ${min} to ${max}`;

/** A finite number. */
export const number = (presence: Field["presence"], bounds: Bounds): Field => ({
  presence,
  expected: `a number ${said(bounds)}`,
  accepts: (value) => isBetween(value, bounds),
});

/** A pair [low, high] with low <= high. */
export const interval = (presence: Field["presence"], bounds: Bounds): Field => ({
  presence,
  expected: `a pair [low, high] of numbers ${said(bounds)}`,
  accepts: (value) =>
    Array.isArray(value) &&
    value.length === 2 &&
    // Spread, as `every` passes over what is missing from a list.
    [...(value as unknown[])].every((end) => isBetween(end, bounds)) &&
    (value as unknown as Interval)[0] <= (value as unknown as Interval)[1],
});

/** An odd whole number. */
export const oddInteger = (presence: Field["presence"]): Field => ({
  presence,
  expected: "an odd whole number of at least 1",
  accepts: (value) =>
    Number.isInteger(value) && (value as number) > 0 && (value as number) % 2 === 1,
});

/** A whole number. */
export const wholeNumber = (presence: Field["presence"], bounds: Bounds): Field => ({
  presence,
  expected: `a whole number ${said(bounds)}`,
  accepts: (value) => Number.isSafeInteger(value) && isBetween(value, bounds),
});

/** A number for all channels, or one for each. */
export const perChannel = (presence: Field["presence"], bounds: Bounds): Field => ({
  presence,
  expected: `a number ${said(bounds)}, or one such number for each channel`,
  accepts: (value) =>
    isBetween(value, bounds) ||
    (Array.isArray(value) &&
      (value.length === 1 || value.length === 3) &&
      [...(value as unknown[])].every((each) => isBetween(each, bounds))),
});

/** One of some words. */
export const oneOf = (presence: Field["presence"], words: readonly string[]): Field => ({
  presence,
  expected: `one of ${words.map((word) => `"${word}"`).join(", ")}`,
  accepts: (value) => typeof value === "string" && words.includes(value),
});

/** A text. */
export const text = (presence: Field["presence"]): Field => ({
  presence,
  expected: "a text",
  accepts: (value) => typeof value === "string" && value !== "",
});

/** A text of a form. */
export const matching = (presence: Field["presence"], form: RegExp, expected: string): Field => ({
  presence,
  expected,
  accepts: (value) => typeof value === "string" && form.test(value),
});

/** Yes or no. */
export const boolean = (presence: Field["presence"]): Field => ({
  presence,
  expected: "true or false",
  accepts: (value) => typeof value === "boolean",
});

/** A function. */
export const callable = (presence: Field["presence"]): Field => ({
  presence,
  expected: "a function",
  accepts: (value) => typeof value === "function",
});

/** An `AbortSignal`. */
export const abortSignal = (presence: Field["presence"]): Field => ({
  presence,
  expected: "an AbortSignal",
  accepts: (value) =>
    typeof value === "object" &&
    value !== null &&
    typeof (value as Partial<AbortSignal>).aborted === "boolean",
});

/** A list of so many values, or of any number of them, each as the field says. */
export const listOf = (presence: Field["presence"], each: Field, length?: number): Field => ({
  presence,
  expected: `a list of ${length === undefined ? "" : `${length} values, `}each ${each.expected}`,
  accepts: (value) =>
    Array.isArray(value) &&
    (length === undefined || value.length === length) &&
    [...(value as unknown[])].every((one) => each.accepts(one)),
});

/** Anything: what reads it checks it. */
export const anything = (presence: Field["presence"]): Field => ({
  presence,
  expected: "given",
  accepts: (value) => presence === "optional" || value !== undefined,
});
