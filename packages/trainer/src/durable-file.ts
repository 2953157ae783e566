import { open, rename } from "node:fs/promises";
import { dirname } from "node:path";

/** Writes a file and waits until it is on the disk. */
export async function writeDurably(file: string, content: string | Uint8Array): Promise<void> {
  const handle = await open(file, "w");
  try {
    await handle.writeFile(content);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Waits until the names in a folder are on the disk. */
export async function syncFolder(folder: string): Promise<void> {
  // Windows opens no folder for syncing; its renames are journalled.
  if (process.platform === "win32") return;
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Replaces a file in one step: a reader, or a crash, sees the old content or the new, never a part. */
export async function replaceFile(file: string, content: string | Uint8Array): Promise<void> {
  const partial = `${file}.partial`;
  await writeDurably(partial, content);
  await rename(partial, file);
  await syncFolder(dirname(file));
}
