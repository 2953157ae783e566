import { constants } from "node:fs";
import { access, mkdir, rmdir, stat } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { LejepaError } from "@lejepa/ops";

/** Makes a folder and those above it that are missing; resolves to the ones it made, outermost first.
 *  @throws LejepaError "not-writable" when it cannot be made, is no folder, or may not be written to */
export async function makeFolder(path: string): Promise<string[]> {
  const folder = resolve(path);
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
    for (const level of missing) {
      await mkdir(level);
      made.push(level);
    }
  } catch (error) {
    await removeFolders(made);
    if (error instanceof LejepaError) throw error;
    const { code = "", message } = error as NodeJS.ErrnoException;
    const why: Record<string, string> = {
      EACCES: `${at} may not be written to`,
      EPERM: `${at} may not be written to`,
      EROFS: `${at} is on a read-only disk`,
      ENOENT: `the system makes no folders in ${at}`,
      ENAMETOOLONG: "its name is too long",
    };
    throw notWritable(folder, why[code] ?? message, error);
  }
  return made;
}

/** Throws what {@link makeFolder} would, and leaves no folder behind. */
export async function checkWritable(folder: string): Promise<void> {
  await removeFolders(await makeFolder(folder));
}

async function removeFolders(made: readonly string[]): Promise<void> {
  for (const folder of made.toReversed()) await rmdir(folder);
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
