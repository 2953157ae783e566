import { readFileSync, statSync } from "node:fs";
import { LejepaError } from "@lejepa/ops";

/** The text of a UTF-8 file, without the byte-order mark that some editors put before it; undefined where there is no
 *  file of the name.
 *  Throws LejepaError "unreadable-file", which says why, for anything that is there and cannot be read as text. */
export function readTextFile(file: string): string | undefined {
  let bytes: Uint8Array;
  try {
    // Asked first: opening a pipe would wait for its other end.
    if (!statSync(file).isFile()) throw unreadable(file, "it is a folder, or no plain file");
    bytes = readFileSync(file);
  } catch (error) {
    if (error instanceof LejepaError) throw error;
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    const why: Record<string, string> = {
      EACCES: "you may not read it",
      EPERM: "you may not read it",
      ELOOP: "it is a link that leads to itself",
      EIO: "the disk fails",
    };
    throw unreadable(file, why[code ?? ""] ?? message, error);
  }
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (error) {
    throw unreadable(file, "it is no UTF-8 text", error);
  }
}

const unreadable = (file: string, why: string, cause?: unknown): LejepaError =>
  new LejepaError(
    "unreadable-file",
    `${file} cannot be read: ${why}; restore it from a copy, or mend the path or its permissions.`,
    { cause },
  );
