/** A folder of files that is replaced as a whole.
 *    1. write every file of `checkpoint.partial`, fsync each and the folder
 *    2. rename `checkpoint` to `checkpoint.previous`
 *    3. rename `checkpoint.partial` to `checkpoint`, fsync the run folder
 *    4. remove `checkpoint.previous`
 *  No system renames a folder over a full one, hence the two renames. Whenever the process dies, a complete checkpoint
 *  is there: under its own name, or between 2 and 3 as `checkpoint.previous`. */
import { mkdir, readFile, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { syncFolder, writeDurably } from "./durable-file.js";

const names = (run: string) => ({
  current: join(run, "checkpoint"),
  partial: join(run, "checkpoint.partial"),
  previous: join(run, "checkpoint.previous"),
});

/** Replaces the checkpoint of the run folder `run` by these files. */
export async function replaceCheckpoint(
  run: string,
  files: Readonly<Record<string, Uint8Array>>,
): Promise<void> {
  const { current, partial, previous } = names(run);
  await rm(partial, { recursive: true, force: true });
  await mkdir(partial);
  for (const [name, bytes] of Object.entries(files)) await writeDurably(join(partial, name), bytes);
  await syncFolder(partial);
  if (await exists(current)) {
    // Left over from a death between 3 and 4. Without `current` it would be the only checkpoint.
    await rm(previous, { recursive: true, force: true });
    await rename(current, previous);
  }
  await rename(partial, current);
  await syncFolder(run);
  await rm(previous, { recursive: true, force: true });
}

/** The folder of the last complete checkpoint, or undefined when there is none. */
export async function findCheckpoint(run: string): Promise<string | undefined> {
  const { current, previous } = names(run);
  if (await exists(current)) return current;
  return (await exists(previous)) ? previous : undefined;
}

/** The bytes of one file of a checkpoint, or undefined when it is missing. */
export async function readCheckpointFile(file: string): Promise<Uint8Array | undefined> {
  try {
    return await readFile(file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
