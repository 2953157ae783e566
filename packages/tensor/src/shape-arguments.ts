/** What callers without a compiler may pass to the shape rules: each check throws `invalid-argument`. */
import type { Shape } from "./contract.js";
import { LejepaError, said } from "./error.js";

/** An array of numbers. */
export function requireNumbers(operation: string, name: string, value: Shape): void {
  let isNumbers = Array.isArray(value);
  for (let at = 0; isNumbers && at < value.length; at++) isNumbers = typeof value[at] === "number";
  if (!isNumbers) throw invalid(operation, name, "an array of numbers", value);
}

/** An array of shapes. */
export function requireShapes(operation: string, name: string, value: readonly Shape[]): void {
  if (!Array.isArray(value)) throw invalid(operation, name, "an array of shapes", value);
  for (let at = 0; at < value.length; at++)
    requireNumbers(operation, `${name}[${at}]`, (value as readonly Shape[])[at]!);
}

/** An integer of 0 or more. */
export function requireCount(operation: string, name: string, value: number): void {
  if (!(Number.isSafeInteger(value) && value >= 0))
    throw invalid(operation, name, "an integer of 0 or more", value);
}

export function requireBoolean(operation: string, name: string, value: boolean): void {
  if (typeof value !== "boolean") throw invalid(operation, name, "true or false", value);
}

/** What becomes of reduced axes. */
export function requireDims(operation: string, value: "keep" | "drop"): void {
  if (value !== "keep" && value !== "drop")
    throw invalid(operation, "dims", '"keep" or "drop"', value);
}

/** An array or a typed array, whatever it holds. */
export function requireArrayLike(operation: string, name: string, value: ArrayLike<number>): void {
  if (!Array.isArray(value) && !(ArrayBuffer.isView(value) && !(value instanceof DataView)))
    throw invalid(operation, name, "an array of integers", value);
}

function invalid(operation: string, name: string, expected: string, value: unknown): LejepaError {
  return new LejepaError(
    "invalid-argument",
    `${operation}: ${name} should be ${expected}, got ${said(value)}.`,
  );
}
