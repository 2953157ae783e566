import { basename } from "node:path";
import { fromTorch, toTorch, type Encoder } from "@lejepa/encoders";
import { LejepaError, type HostTensor, type HostTensors } from "@lejepa/ops";
import {
  corruptCheckpoint as corrupt,
  modelPath,
  readModel,
  readTraining,
  replaceCheckpoint,
  tidyCheckpoint,
  trainingPath,
  type CheckpointFile,
} from "./checkpoint-folder.js";
import type { Guard } from "./durable-file.js";
import { decodeSafetensors, encodeSafetensors, type SafetensorsContent } from "./safetensors.js";

/** Where a run stands: all that another process needs to go on exactly. */
export interface Checkpoint {
  /** Steps done. With the seed it is also the random state: every draw is a function of seed, step and index. */
  readonly step: number;
  /** Seed of the run. */
  readonly seed: number;
  /** The state of the step, by name. */
  readonly state: HostTensors;
}

/** The part of a {@link Checkpoint} that the encoder is. */
export interface EncoderCheckpoint {
  /** Steps done. */
  readonly step: number;
  /** Seed of the run. */
  readonly seed: number;
  /** Its parameters and buffers, by timm's names, in the layout of the step. */
  readonly parameters: HostTensors;
}

/** Replaces the checkpoint of a run folder, the encoder in `model.safetensors` and the rest of the state in
 *  `training.safetensors`: see `replaceCheckpoint` for what a crash leaves.
 *  Throws "state-not-finite" for a state with NaN or infinity, before anything is written; "disk-full"; what `guard`,
 *  called before anything is renamed, throws. */
export async function writeCheckpoint(
  run: string,
  encoder: Encoder,
  { step, seed, state }: Checkpoint,
  guard?: Guard,
): Promise<void> {
  const name = firstNotFinite(state);
  if (name !== undefined) {
    throw new LejepaError(
      "state-not-finite",
      `checkpoint of step ${step}: ${name} holds NaN or infinity; the last good checkpoint in ${run} was kept.`,
    );
  }
  const inModel = new Set(encoder.parameters.map(({ name }) => name));
  const model: Record<string, HostTensor> = {};
  const training: Record<string, HostTensor> = {};
  for (const [name, tensor] of Object.entries(state)) {
    (inModel.has(name) ? model : training)[name] = tensor;
  }
  const progress = { step: String(step), seed: String(seed) };
  const files = {
    model: encodeSafetensors(toTorch(encoder, model), {
      format: "pt",
      encoder: encoder.name,
      ...progress,
    }),
    training: encodeSafetensors(training, progress),
  };
  await replaceCheckpoint(run, step, files, guard);
}

/** The encoder of the last complete checkpoint, or undefined when there is none yet. It is one file, so this may be
 *  asked while the run goes on. Throws "corrupt-checkpoint", which names the file, and the tensor where one is at fault. */
export async function readEncoder(
  run: string,
  encoder: Encoder,
): Promise<EncoderCheckpoint | undefined> {
  return (await readWhole(run, encoder))?.checkpoint;
}

async function readWhole(
  run: string,
  encoder: Encoder,
): Promise<{ path: string; checkpoint: EncoderCheckpoint } | undefined> {
  let file = await readModel(run);
  if (file === undefined) {
    // A training file gets this name when its model is in place.
    if ((await readTraining(modelPath(run))) === undefined) return undefined;
    file = await readModel(run);
    if (file === undefined) throw corrupt(modelPath(run), "it is missing");
  }
  const { path } = file;
  const model = decode(file);
  const [step, seed] = [Number(model.metadata["step"]), Number(model.metadata["seed"])];
  if (!Number.isSafeInteger(step) || !Number.isSafeInteger(seed))
    throw corrupt(path, "its metadata lack step and seed");
  return { path, checkpoint: { step, seed, parameters: parametersOf(path, encoder, model) } };
}

/** The last complete checkpoint of a run folder, or undefined when there is none yet. Only for the owner of the folder: it
 *  also finishes what a process that died has left undone.
 *  Throws "corrupt-checkpoint", which names the file, and the tensor where one is at fault. */
export async function readCheckpoint(
  run: string,
  encoder: Encoder,
): Promise<Checkpoint | undefined> {
  const model = await readWhole(run, encoder);
  if (model === undefined) return undefined;
  const { step, seed, parameters } = model.checkpoint;
  const file = await readTraining(model.path, step);
  if (file === undefined) throw corrupt(trainingPath(run), "it is missing");
  const training = decode(file);
  if (training.metadata["step"] !== String(step)) {
    throw corrupt(
      file.path,
      `it is of step ${training.metadata["step"]} and ${basename(model.path)} of step ${step}`,
    );
  }
  if (model.path === modelPath(run)) await tidyCheckpoint(run, step);
  return { step, seed, state: { ...parameters, ...training.tensors } };
}

function parametersOf(
  file: string,
  encoder: Encoder,
  { tensors }: SafetensorsContent,
): HostTensors {
  try {
    return fromTorch(encoder, tensors);
  } catch (error) {
    throw corrupt(file, (error as Error).message, error);
  }
}

function decode({ path, bytes }: CheckpointFile): SafetensorsContent {
  let content: SafetensorsContent;
  try {
    content = decodeSafetensors(bytes, path);
  } catch (error) {
    throw error instanceof LejepaError
      ? new LejepaError("corrupt-checkpoint", error.message, { cause: error })
      : error;
  }
  // No checkpoint is written with such numbers, and none can be trained or measured from.
  const name = firstNotFinite(content.tensors);
  if (name !== undefined) throw corrupt(path, `tensor ${name} holds NaN or infinity`);
  return content;
}

/** The first tensor with NaN or infinity in it. */
const firstNotFinite = (tensors: HostTensors): string | undefined =>
  Object.keys(tensors).find(
    (name) => !tensors[name]!.data.every((value) => Number.isFinite(value)),
  );

/** Throws "corrupt-checkpoint" unless the checkpoint is of the run's seed and has the names and shapes that the step
 *  needs. */
export function checkState(
  run: string,
  runSeed: number,
  { seed, state }: Checkpoint,
  needed: HostTensors,
): void {
  const file = trainingPath(run);
  if (seed !== runSeed)
    throw corrupt(file, `it is of seed ${seed} and config.json says ${runSeed}`);
  for (const [name, { shape }] of Object.entries(needed)) {
    const found = state[name];
    if (found === undefined) throw corrupt(file, `tensor ${name} is missing`);
    if (found.shape.join() !== shape.join()) {
      const [wanted, got] = [shape, found.shape].map((sizes) => `[${sizes.join(", ")}]`);
      throw corrupt(file, `tensor ${name} should have shape ${wanted} and has ${got}`);
    }
  }
  const unknown = Object.keys(state).find((name) => !(name in needed));
  if (unknown !== undefined) throw corrupt(file, `there is no place for its tensor ${unknown}`);
}
