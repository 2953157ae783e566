import { constants } from "node:fs";
import { access, mkdir, rmdir, stat } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { LejepaError, requireArgument, someText, type Expected } from "@lejepa/ops";

/** Makes a folder and those above it that are missing; resolves to the ones it made, outermost first: a folder that
 *  another process makes at the same moment is made by one of the two.
 *  @throws LejepaError "not-writable" when it cannot be made, is no folder, or may not be written to; "invalid-argument"
 *  when the path is no text */
export async function makeFolder(path: string): Promise<string[]> {
  requireArgument("makeFolder", "path", path, someText, "invalid-argument", "name a folder");
  for (let attempt = 1; ; attempt++) {
    const made = await tryToMakeFolder(resolve(path), attempt < 20 ? "retry" : "tell");
    if (made !== undefined) return made;
  }
}

/** Undefined when to try again: another process, which made folders for a run that was then refused, removed one. */
async function tryToMakeFolder(
  folder: string,
  onMissing: "retry" | "tell",
): Promise<string[] | undefined> {
  // Level by level: mkdir with `recursive` never ends where the system says that a folder's own parent is missing,
  // as Linux does for /proc/x.
  const missing: string[] = [];
  let at = folder;
  while (!(await isThere(at)) && dirname(at) !== at) {
    missing.unshift(at);
    at = dirname(at);
  }
  const made: string[] = [];
  try {
    if (!(await stat(at)).isDirectory()) throw notWritable(folder, `${at} is a file`);
    await access(at, constants.W_OK);
    for (const level of missing) if (await makeOne(level)) made.push(level);
    if (!(await stat(folder)).isDirectory()) throw notWritable(folder, `${folder} is a file`);
  } catch (error) {
    await removeEmptyFolders(made);
    if (error instanceof LejepaError) throw error;
    const { code = "", message } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" && onMissing === "retry") return undefined;
    const why: Record<string, string> = {
      EACCES: `${at} may not be written to`,
      EPERM: `${at} may not be written to`,
      EROFS: `${at} is on a read-only disk`,
      ENOENT: `the system makes no folders in ${at}`,
      ENAMETOOLONG: "its name is too long",
      ENOSPC: "the disk is full",
    };
    throw notWritable(folder, why[code] ?? message, error);
  }
  return made;
}

/** Makes one folder; resolves to whether it was this call that did. */
export async function makeOne(folder: string): Promise<boolean> {
  try {
    await mkdir(folder);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}

const somePaths: Expected = {
  text: "a list of paths, as makeFolder gives it",
  accepts: (value) => Array.isArray(value) && Array.from(value).every(someText.accepts),
};

/** Removes the folders that {@link makeFolder} made, as far as nothing is in them.
 *  @throws LejepaError "invalid-argument" for what is no list of paths */
export async function removeEmptyFolders(made: readonly string[]): Promise<void> {
  requireArgument("removeEmptyFolders", "made", made, somePaths, "invalid-argument");
  try {
    for (const folder of made.toReversed()) await rmdir(folder);
  } catch {
    // Somebody else is in it by now.
  }
}

/** Whether anything has this name. What cannot be looked at counts as there: using it then says why. */
async function isThere(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    ({ code }: NodeJS.ErrnoException) => code !== "ENOENT" && code !== "ENOTDIR",
  );
}

function notWritable(folder: string, why: string, cause?: unknown): LejepaError {
  return new LejepaError(
    "not-writable",
    `${folder} cannot be written: ${why}; name a folder that can be made and written to.`,
    { cause },
  );
}
