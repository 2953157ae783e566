/** The two files of a checkpoint, replaced with one commit point.
 *    1. write both aside, each synced
 *    2. rename the training's to `training-STEP.safetensors`, sync the folder
 *    3. rename the model's to `model.safetensors`: from here on the checkpoint is the new one; sync the folder
 *    4. rename `training-STEP.safetensors` to `training.safetensors`
 *  The model says in its metadata which step it is of, and so which training file goes with it: `training-STEP` if there
 *  is one, else `training`. Whenever the process dies, one whole checkpoint is there. Who wants the encoder alone opens one
 *  file, and has one checkpoint or the next, without a lock. Both files are for the owner of the run.
 *
 *  Earlier versions renamed whole folders, `checkpoint.partial` to `checkpoint` to `checkpoint.previous`; what one that
 *  died has left is read as well. */
import { readFile, readdir, rename, rmdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { LejepaError } from "@lejepa/ops";
import {
  removeQuietly,
  replacedBy,
  syncFolder,
  writeAside,
  writeError,
  type Guard,
} from "./durable-file.js";
import { makeOne } from "./writable-folder.js";

const modelFile = "model.safetensors";
const trainingFile = "training.safetensors";
const trainingOf = (step: number): string => `training-${step}.safetensors`;

/** A file of a checkpoint, and what it holds. */
export interface CheckpointFile {
  readonly path: string;
  readonly bytes: Uint8Array;
}

/** Replaces the checkpoint of the run folder `run`. When it fails, the old one is there and nothing besides.
 *  @param guard called before each renaming
 *  @throws LejepaError "disk-full" */
export async function replaceCheckpoint(
  run: string,
  step: number,
  files: { readonly model: Uint8Array; readonly training: Uint8Array },
  guard: Guard = () => undefined,
): Promise<void> {
  const folder = join(run, "checkpoint");
  const model = modelPath(run);
  const training = trainingPath(run);
  const trainingOfStep = join(folder, trainingOf(step));
  let mayRemoveTraining = false;
  const aside: string[] = [];
  try {
    guard();
    if (await makeOne(folder)) await syncFolder(run);
    aside.push(await writeAside(training, files.training));
    aside.push(await writeAside(model, files.model));
    guard();
    await rename(aside[0]!, trainingOfStep);
    mayRemoveTraining = true;
    await syncFolder(folder);
    try {
      guard();
    } catch (error) {
      // By now it may be the file of whoever has taken over.
      mayRemoveTraining = false;
      throw error;
    }
    await rename(aside[1]!, model);
  } catch (error) {
    if (mayRemoveTraining) aside.push(trainingOfStep);
    for (const file of aside) await removeQuietly(file);
    // The folder of a first checkpoint; a full one stays.
    await rmdir(folder).catch(() => undefined);
    throw writeError(model, error);
  }
  await syncFolder(folder);
  await tidyCheckpoint(run, step);
}

/** What is left to do once the model of a step is in place; for the owner of a run whose process died before that. */
export async function tidyCheckpoint(run: string, step: number): Promise<void> {
  const folder = join(run, "checkpoint");
  try {
    await rename(join(folder, trainingOf(step)), trainingPath(run));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT")
      throw writeError(trainingPath(run), error);
  }
  for (const name of await readdir(folder))
    if (/^training-\d+\.safetensors$/.test(name) || replacedBy(name) !== undefined)
      await removeQuietly(join(folder, name));
  for (const name of ["checkpoint.partial", "checkpoint.previous"])
    await removeQuietly(join(run, name));
}

/** The encoder of the last checkpoint, or undefined when there is none. Throws "corrupt-checkpoint". */
export async function readModel(run: string): Promise<CheckpointFile | undefined> {
  // Once more at the end: the first write after an earlier version's death removes what that has left.
  for (const folder of ["checkpoint", "checkpoint.previous", "checkpoint"]) {
    const model = await readIfThere(join(run, folder, modelFile));
    if (model !== undefined) return model;
  }
  return undefined;
}

/** What goes with the model at `model` that is of `step`, or undefined when it is missing. Throws "corrupt-checkpoint". */
export async function readTraining(
  model: string,
  step?: number,
): Promise<CheckpointFile | undefined> {
  const names = [...(step === undefined ? [] : [trainingOf(step)]), trainingFile];
  for (const name of names) {
    const training = await readIfThere(join(dirname(model), name));
    if (training !== undefined) return training;
  }
  return undefined;
}

/** Where the model is looked for. */
export function modelPath(run: string): string {
  return join(run, "checkpoint", modelFile);
}

/** Where the training file is once a checkpoint is complete. */
export function trainingPath(run: string): string {
  return join(run, "checkpoint", trainingFile);
}

async function readIfThere(path: string): Promise<CheckpointFile | undefined> {
  try {
    return { path, bytes: await readFile(path) };
  } catch (error) {
    const { code = "", message } = error as NodeJS.ErrnoException;
    if (code === "ENOENT") return undefined;
    const why: Record<string, string> = {
      ENOTDIR: `${dirname(path)} is a file`,
      EISDIR: "it is a folder",
      EACCES: "you may not read it",
      EPERM: "you may not read it",
    };
    throw corruptCheckpoint(path, why[code] ?? message, error);
  }
}

/** What is thrown about a file of a checkpoint that is missing, or is not as training wrote it. */
export function corruptCheckpoint(file: string, what: string, cause?: unknown): LejepaError {
  const reason = what.replace(/\.$/, "");
  return new LejepaError(
    "corrupt-checkpoint",
    `${file} cannot be used: ${reason}; restore the checkpoint from a copy, or start a new run.`,
    { cause },
  );
}
