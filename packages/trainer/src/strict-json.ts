import { printParseErrorCode, visit, type ParseErrorCode } from "jsonc-parser";

/** What a JSON text holds, and what JSON.parse does not tell of it. */
export interface StrictJson {
  readonly value: unknown;
  /** Names that an object has twice, of which JSON.parse keeps the last. */
  readonly duplicates: readonly string[];
  /** Numbers in lists that are not written as plain digits, such as 1.0, 4e0 and -0, with the names that lead there. */
  readonly notWhole: readonly {
    readonly path: readonly (string | number)[];
    readonly text: string;
  }[];
}

/** Reads JSON as the standard has it (RFC 8259). Throws SyntaxError of one line, with line and column, for anything else. */
export function parseStrictJson(text: string): StrictJson {
  const value = parseJson(text);
  const duplicates: string[] = [];
  const notWhole: { path: (string | number)[]; text: string }[] = [];
  const seen: Set<string>[] = [];
  visit(
    text,
    {
      onObjectBegin: () => void seen.push(new Set()),
      onObjectEnd: () => void seen.pop(),
      onObjectProperty: (name) => {
        const names = seen.at(-1)!;
        if (names.has(name)) duplicates.push(name);
        names.add(name);
      },
      onLiteralValue: (literal, offset, length, _line, _column, path) => {
        const written = text.slice(offset, offset + length);
        if (typeof literal === "number" && !/^\d+$/.test(written)) {
          notWhole.push({ path: path(), text: written });
        }
      },
    },
    { disallowComments: true },
  );
  return { value, duplicates, notWhole };
}

/** JSON.parse, whose errors are one line that says where: JSON.parse quotes the text, line breaks included.
 *  Throws SyntaxError. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    if (text.trim() === "") throw new SyntaxError("it is empty");
    let where = "it is no JSON";
    let isFirst = true;
    visit(
      text,
      {
        onError: (code: ParseErrorCode, _offset, _length, line, column) => {
          if (isFirst)
            where = `line ${line + 1}, column ${column + 1}: ${printParseErrorCode(code)}`;
          isFirst = false;
        },
      },
      { disallowComments: true },
    );
    throw new SyntaxError(where);
  }
}
