import { randomBytes } from "node:crypto";
import { open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import {
  LejepaError,
  optional,
  requireArgument,
  someFunction,
  someText,
  type Expected,
} from "@lejepa/ops";

/** Called right before a write counts; throws when it shall not. */
export type Guard = () => void;

/** Writes a file beside the one that it is to replace, and waits until it is on the disk; resolves to its path. Its name
 *  is like no other's, so that a process that stood still cannot put the half file of its successor in place. When it
 *  fails, nothing is left. */
export async function writeAside(file: string, content: string | Uint8Array): Promise<string> {
  const partial = partialOf(file);
  try {
    const handle = await open(partial, "wx");
    try {
      await handle.writeFile(content);
      await handle.sync();
    } finally {
      await handle.close();
    }
  } catch (error) {
    await removeQuietly(partial);
    throw writeError(file, error);
  }
  return partial;
}

const partialOf = (file: string): string =>
  `${file}.${process.pid}-${randomBytes(4).toString("hex")}.partial`;

/** The file that a file of {@link writeAside} was to replace; undefined for any other file. */
export function replacedBy(partial: string): string | undefined {
  return /^(.+)\.\d+-[0-9a-f]{8}\.partial$/s.exec(partial)?.[1];
}

/** Waits until the names in a folder are on the disk. Throws "disk-full". */
export async function syncFolder(folder: string): Promise<void> {
  // Windows opens no folder for syncing; its renames are journalled.
  if (process.platform === "win32") return;
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } catch (error) {
    throw writeError(folder, error);
  } finally {
    await handle.close();
  }
}

const fileContent: Expected = {
  text: "a text or a Uint8Array",
  accepts: (value) => typeof value === "string" || value instanceof Uint8Array,
};

/** Replaces a file in one step: a reader, or a crash, sees the old content or the new, never a part. When it fails, the
 *  old one is there and nothing besides.
 *  @throws LejepaError "disk-full", "not-writable"; "invalid-argument"; and what the guard throws */
export async function replaceFile(
  file: string,
  content: string | Uint8Array,
  guard: Guard = () => undefined,
): Promise<void> {
  const need = (name: string, value: unknown, expected: Expected): void =>
    requireArgument("replaceFile", name, value, expected, "invalid-argument");
  need("file", file, someText);
  need("content", content, fileContent);
  need("guard", guard, optional(someFunction));
  const partial = await writeAside(file, content);
  try {
    guard();
    await rename(partial, file);
  } catch (error) {
    await removeQuietly(partial);
    throw writeError(file, error);
  }
  await syncFolder(dirname(file));
}

/** Replaces a file and one that belongs to it, so that the second never lies beside a first that it does not belong to:
 *    1. write both aside
 *    2. move the old second one away
 *    3. rename the new first one into place: from here on the new ones count
 *    4. rename the new second one into place
 *  A crash between 2 and 4 leaves the first one, old or new, alone. A failure before 3 leaves both old ones.
 *  @param second content null: there is none any more
 *  @throws LejepaError "disk-full" */
export async function replacePair(
  first: { readonly file: string; readonly content: Uint8Array },
  second: { readonly file: string; readonly content: Uint8Array | null },
  guard: Guard = () => undefined,
): Promise<void> {
  const partials: string[] = [];
  const away = partialOf(second.file);
  let isMoved = false;
  try {
    for (const { file, content } of [first, second])
      if (content !== null) partials.push(await writeAside(file, content));
    guard();
    isMoved = await rename(second.file, away).then(
      () => true,
      (error: NodeJS.ErrnoException) => {
        if (error.code === "ENOENT") return false;
        throw error;
      },
    );
    await syncFolder(dirname(second.file));
    await rename(partials[0]!, first.file);
  } catch (error) {
    if (isMoved) await rename(away, second.file).catch(() => undefined);
    for (const partial of partials) await removeQuietly(partial);
    throw writeError(first.file, error);
  }
  try {
    if (second.content !== null) await rename(partials[1]!, second.file);
    await syncFolder(dirname(first.file));
  } catch (error) {
    throw writeError(second.file, error);
  } finally {
    if (second.content !== null) await removeQuietly(partials[1]!);
    await removeQuietly(away);
  }
}

/** Removes what may be gone, or may not be removable now: what is left over harms nobody. */
export async function removeQuietly(path: string): Promise<void> {
  await rm(path, { recursive: true, force: true }).catch(() => undefined);
}

/** What is thrown about a file that the system does not let be written. */
export function fileNotWritable(file: string, why: string, cause?: unknown): LejepaError {
  return new LejepaError(
    "not-writable",
    `${file} cannot be written: ${why}; name a place that can be written to.`,
    { cause },
  );
}

const refusals = new Map([
  ["EACCES", "it, or its folder, may not be written to"],
  ["EPERM", "it, or its folder, may not be written to"],
  ["EROFS", "it is on a read-only disk"],
  // As Linux says of any new name in /proc.
  ["ENOENT", "its folder is gone, or takes no files"],
  ["ENOTDIR", "its folder is a file"],
  ["EISDIR", "it is a folder"],
  ["ENAMETOOLONG", "its name is too long"],
]);

/** What a failure to write is told as: "disk-full", or "not-writable" where the system says why. */
export function writeError(file: string, error: unknown): unknown {
  const { code = "" } = error as NodeJS.ErrnoException;
  const why = refusals.get(code);
  if (why !== undefined) return fileNotWritable(file, why, error);
  if (code !== "ENOSPC" && code !== "EDQUOT") return error;
  return new LejepaError(
    "disk-full",
    `${file} cannot be written: the disk is full, or your share of it; make room and go on, as what was there before is whole.`,
    { cause: error },
  );
}
