import { readdir, stat } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { optional, requireArgument, someText, type Expected } from "@lejepa/ops";
import {
  fileNotWritable,
  removeQuietly,
  replaceFile,
  replacePair,
  replacedBy,
  writeError,
} from "./durable-file.js";
import { acquireLock } from "./owner-lock.js";
import { makeFolder } from "./writable-folder.js";

/** The right to write a file, and one that belongs to it, as labels belong to features. */
export interface OutputFiles {
  /** Replaces both, so that the second never lies beside a first that it does not belong to; null takes it away.
   *  Until both are on the disk, and when that fails, those that were there before stay.
   *  @throws LejepaError "disk-full", "not-writable", "lock-lost" */
  replace(first: Uint8Array, second: Uint8Array | null): Promise<void>;
  /** Gives the right up. */
  release(): Promise<void>;
}

/** Makes this process the only one that writes a file and the one that belongs to it, in a folder that is made if need
 *  be. To be called before the work, so that what cannot be written costs none.
 *  @param second left out: nothing belongs to the file
 *  @throws LejepaError "invalid-argument" for what are no paths; "not-writable"; "locked", which says what process is about
 *  to write it */
export async function claimOutput(first: string, second?: string): Promise<OutputFiles> {
  const need = (name: string, path: unknown, expected: Expected): void =>
    requireArgument("claimOutput", name, path, expected, "invalid-argument", "name a file");
  need("first", first, someText);
  need("second", second, optional(someText));
  const file = resolve(first);
  const other = second === undefined ? undefined : resolve(second);
  const files = other === undefined ? [file] : [file, other];
  const folder = dirname(file);
  await makeFolder(folder);
  for (const path of files) if (await isFolder(path)) throw fileNotWritable(path, "it is a folder");
  const lock = await acquireLock(file, { what: file }).catch((error: unknown) => {
    throw writeError(file, error);
  });
  const names = files.map((path) => basename(path));
  // What runs that were killed have left.
  for (const name of await readdir(folder))
    if (names.includes(replacedBy(name) ?? "")) await removeQuietly(join(folder, name));
  const guard = (): void => lock.assertHeld();
  return {
    replace: (content, otherContent) =>
      other === undefined
        ? replaceFile(file, content, guard)
        : replacePair({ file, content }, { file: other, content: otherContent }, guard),
    release: () => lock.release(),
  };
}

/** Whether a folder has this name. What cannot be looked at is none: using it then says why. */
const isFolder = (path: string): Promise<boolean> =>
  stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
