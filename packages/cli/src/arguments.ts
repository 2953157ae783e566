import { InvalidArgumentError, type Argument, type Option } from "commander";

/** Has an option, or an argument, refuse an empty text, which `resolve` would take for the current folder: a script whose
 *  variable is not set shall not train there. */
export function refuseEmpty(taker: Option | Argument): void {
  const { parseArg } = taker;
  taker.argParser((text: string, previous: unknown) => {
    if (text === "") throw new InvalidArgumentError("It is empty; give a value.");
    return parseArg === undefined ? text : parseArg(text, previous);
  });
}

/** Parses a whole number of at least `minimum`. */
export function wholeNumber(minimum: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || !Number.isSafeInteger(value) || value < minimum)
      throw new InvalidArgumentError(`Give a whole number of at least ${minimum}.`);
    return value;
  };
}

/** Parses a number in [minimum, maximum]. */
export function numberBetween(minimum: number, maximum: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() === "" || !(value >= minimum && value <= maximum))
      throw new InvalidArgumentError(`Give a number from ${minimum} to ${maximum}.`);
    return value;
  };
}

/** Parses a finite number above zero. */
export function positiveNumber(text: string): number {
  const value = Number(text);
  if (text.trim() === "" || !(value > 0 && value < Infinity))
    throw new InvalidArgumentError("Give a number above 0.");
  return value;
}
