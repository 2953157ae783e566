import { readdir } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { requireArgument, someText } from "@lejepa/ops";
import { removeQuietly, replacePair, replacedBy } from "./durable-file.js";
import { acquireLock } from "./owner-lock.js";
import { makeFolder } from "./writable-folder.js";

/** The right to write a file, and one that belongs to it, as labels belong to features. */
export interface OutputFiles {
  /** Replaces both, so that the second never lies beside a first that it does not belong to; null takes it away.
   *  Until both are on the disk, and when that fails, those that were there before stay.
   *  @throws LejepaError "disk-full", "lock-lost" */
  replace(first: Uint8Array, second: Uint8Array | null): Promise<void>;
  /** Gives the right up. */
  release(): Promise<void>;
}

/** Makes this process the only one that writes a file and the one that belongs to it, in a folder that is made if need
 *  be. To be called before the work, so that what cannot be written costs none.
 *  @throws LejepaError "invalid-argument" for what are no paths; "not-writable"; "locked", which says what process is about to write it */
export async function claimOutput(first: string, second: string): Promise<OutputFiles> {
  for (const [name, path] of Object.entries({ first, second }))
    requireArgument("claimOutput", name, path, someText, "invalid-argument", "name a file");
  const [file, other] = [resolve(first), resolve(second)];
  const folder = dirname(file);
  await makeFolder(folder);
  const lock = await acquireLock(file, { what: file });
  const names = [file, other].map((path) => basename(path));
  // What runs that were killed have left.
  for (const name of await readdir(folder))
    if (names.includes(replacedBy(name) ?? "")) await removeQuietly(join(folder, name));
  return {
    replace: (content, otherContent) =>
      replacePair({ file, content }, { file: other, content: otherContent }, () =>
        lock.assertHeld(),
      ),
    release: () => lock.release(),
  };
}
