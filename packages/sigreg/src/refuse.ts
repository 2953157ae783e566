import type { TensorAdapter } from "@lejepa/tensor";
import { LejepaError, said } from "@lejepa/tensor/error";

/** What can go wrong in a call of this package.
 *  - `shape-mismatch`: a tensor has the wrong rank, or sizes that must agree do not.
 *  - `invalid-option`: an option has a value that is not allowed, or there is no such option.
 *  - `not-finite`: `check: "finite"` found NaN or an infinity; see `NotFiniteError`.
 *  - `unsupported`: the adapter lacks a capability that an option or the statistic needs. */
export type SigregErrorCode = "shape-mismatch" | "invalid-option" | "not-finite" | "unsupported";

/** Throws the error of this package.
 *  @param message What, where and what to do. */
export function refuse(code: SigregErrorCode, message: string): never {
  throw new LejepaError<SigregErrorCode>(code, message);
}

/** A shape as it is written in messages. */
export function show(shape: readonly number[]): string {
  return `[${shape.join(", ")}]`;
}

/** Checks an options object and the names in it: a misspelt option would otherwise be ignored. */
export function checkNames(where: string, options: object, known: readonly string[]): void {
  if (typeof options !== "object" || (options as object | null) === null || Array.isArray(options))
    refuse(
      "invalid-option",
      `${where}: got ${said(options)} instead of an object with any of ${known.join(", ")}.`,
    );
  for (const name of Object.keys(options))
    if (!known.includes(name))
      refuse(
        "invalid-option",
        `${where}: there is no option "${name}". The options are ${known.join(", ")}.`,
      );
}

/** Checks an option that is one of a few words. */
export function checkChoice(
  where: string,
  name: string,
  value: unknown,
  choices: readonly string[],
): void {
  if (!choices.includes(value as string))
    refuse(
      "invalid-option",
      `${where}: ${name} should be ${choices.map((c) => `"${c}"`).join(" or ")}, got ${said(value)}.`,
    );
}

/** Checks a number; NaN fails every condition.
 *  @param allowed Asked of numbers only: comparing values of other kinds may throw. */
export function checkNumber(
  where: string,
  name: string,
  value: unknown,
  allowed: () => boolean,
  expected: string,
): void {
  if (typeof value !== "number" || !allowed())
    refuse("invalid-option", `${where}: ${name} should be ${expected}, got ${said(value)}.`);
}

/** Checks that the first argument is an adapter, which a call without one leaves out. */
export function checkAdapter<T>(where: string, adapter: TensorAdapter<T>): void {
  const { shape, capabilities } = (adapter ?? {}) as Partial<TensorAdapter<T>>;
  if (typeof shape !== "function" || !Array.isArray(capabilities))
    refuse(
      "invalid-option",
      `${where}: the first argument should be an adapter such as tfjsAdapter(), got ${said(adapter)}.`,
    );
}
