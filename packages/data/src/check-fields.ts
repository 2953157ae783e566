import { LejepaError, type DataErrorCode } from "./error.js";
import type { Field } from "./fields.js";
import { suggestName } from "./nearest-name.js";
import { said } from "./said.js";

/** The value as an object with names, no array. Throws the code when it is none. */
export function recordOf(
  value: unknown,
  where: string,
  code: DataErrorCode,
): Readonly<Record<string, unknown>> {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw wrongValue(where, value, "an object", code);
  return value as Readonly<Record<string, unknown>>;
}

/** Checks that an object has no other names than those of the fields, and in each field what the field accepts. Throws the
 *  code with the path of what is wrong, for a name with the nearest known one.
 *  @param where path of the object
 *  @param titled the object as it is called in messages; its path when left out */
export function checkFields(
  record: object,
  fields: Readonly<Record<string, Field>>,
  where: string,
  code: DataErrorCode,
  titled?: string,
): void {
  const unknown = Object.keys(record).find((key) => !Object.hasOwn(fields, key));
  if (unknown !== undefined)
    throw new LejepaError(
      code,
      `${titled === undefined ? where : `${where} (${titled})`}: there is no option "${unknown}". ${suggestName(unknown, Object.keys(fields))}`,
    );
  for (const [key, field] of Object.entries(fields)) {
    const value = (record as Readonly<Record<string, unknown>>)[key];
    const path = `${where}.${key}${titled === undefined ? "" : ` (${titled})`}`;
    checkValue(value, field, path, code);
  }
}

/** Checks one value. */
export function checkValue(value: unknown, field: Field, path: string, code: DataErrorCode): void {
  if (value === undefined && field.presence === "optional") return;
  if (!field.accepts(value)) throw wrongValue(path, value, field.expected, code);
}

const wrongValue = (
  where: string,
  value: unknown,
  expected: string,
  code: DataErrorCode,
): LejepaError =>
  new LejepaError(code, `${where}: must be ${expected}, got ${said(value)}. Correct it.`);
