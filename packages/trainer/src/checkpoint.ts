import { join } from "node:path";
import { fromTorch, toTorch, type Encoder } from "@lejepa/encoders";
import { LejepaError, type HostTensor, type HostTensors } from "@lejepa/ops";
import { findCheckpoint, readCheckpointFile, replaceCheckpoint } from "./checkpoint-folder.js";
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

/** The encoder, by timm's names and in torch's layout: for any reader of safetensors. */
const modelFile = "model.safetensors";
/** Projector and optimiser moments, in the layout of the step. */
const trainingFile = "training.safetensors";

/** Replaces the checkpoint of a run folder: see `replaceCheckpoint` for what a crash leaves.
 *  Throws "state-not-finite" for a state with NaN or infinity, before anything is written. */
export async function writeCheckpoint(
  run: string,
  encoder: Encoder,
  { step, seed, state }: Checkpoint,
): Promise<void> {
  for (const [name, { data }] of Object.entries(state)) {
    if (data.every((value) => Number.isFinite(value))) continue;
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
  await replaceCheckpoint(run, {
    [modelFile]: encodeSafetensors(toTorch(encoder, model), {
      format: "pt",
      encoder: encoder.name,
      ...progress,
    }),
    [trainingFile]: encodeSafetensors(training, progress),
  });
}

/** The last complete checkpoint of a run folder, or undefined when there is none yet.
 *  Throws "corrupt-checkpoint", which names the file, and the tensor where one is at fault. */
export async function readCheckpoint(
  run: string,
  encoder: Encoder,
): Promise<Checkpoint | undefined> {
  const folder = await findCheckpoint(run);
  if (folder === undefined) return undefined;
  const model = await readPart(join(folder, modelFile));
  const training = await readPart(join(folder, trainingFile));
  const [step, seed] = [Number(model.metadata["step"]), Number(model.metadata["seed"])];
  if (!Number.isSafeInteger(step) || !Number.isSafeInteger(seed)) {
    throw corrupt(join(folder, modelFile), "its metadata lack step and seed");
  }
  if (training.metadata["step"] !== model.metadata["step"]) {
    throw corrupt(
      join(folder, trainingFile),
      `it is of step ${training.metadata["step"]} and ${modelFile} of step ${step}`,
    );
  }
  return { step, seed, state: { ...parametersOf(folder, encoder, model), ...training.tensors } };
}

function parametersOf(
  folder: string,
  encoder: Encoder,
  { tensors }: SafetensorsContent,
): HostTensors {
  try {
    return fromTorch(encoder, tensors);
  } catch (error) {
    throw corrupt(join(folder, modelFile), (error as Error).message, error);
  }
}

async function readPart(file: string): Promise<SafetensorsContent> {
  const bytes = await readCheckpointFile(file);
  if (bytes === undefined) throw corrupt(file, "it is missing");
  try {
    return decodeSafetensors(bytes, file);
  } catch (error) {
    throw error instanceof LejepaError
      ? new LejepaError("corrupt-checkpoint", error.message, { cause: error })
      : error;
  }
}

/** Throws "corrupt-checkpoint" unless the checkpoint is of the run's seed and has the names and shapes that the step
 *  needs. */
export function checkState(
  run: string,
  runSeed: number,
  { seed, state }: Checkpoint,
  needed: HostTensors,
): void {
  const file = join(run, "checkpoint", trainingFile);
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

function corrupt(file: string, what: string, cause?: unknown): LejepaError {
  const reason = what.replace(/\.$/, "");
  return new LejepaError(
    "corrupt-checkpoint",
    `${file} cannot be used: ${reason}; restore the checkpoint from a copy, or start a new run.`,
    { cause },
  );
}
