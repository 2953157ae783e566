import { existsSync, readdirSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { createEncoder, type Encoder } from "@lejepa/encoders";
import { LejepaError, type HostTensors } from "@lejepa/ops";
import { checkConfig, type TrainConfig } from "./config.js";
import { readCheckpoint } from "./checkpoint.js";
import { replaceFile } from "./durable-file.js";
import type { TrainResult } from "./result.js";
import { parseJson } from "./strict-json.js";
import { readTextFile } from "./text-file.js";
import { checkWritable, makeFolder } from "./writable-folder.js";

/** A trained encoder, as found in a run folder. */
export interface Run {
  /** Absolute path of the folder. */
  readonly folder: string;
  /** How it was trained. */
  readonly config: TrainConfig;
  /** The encoder that `config` names. */
  readonly encoder: Encoder;
  /** Its parameters and buffers at the last checkpoint. */
  readonly parameters: HostTensors;
  /** Steps done at the last checkpoint. */
  readonly step: number;
  /** How the run ended; undefined when it has not. */
  readonly result: TrainResult | undefined;
}

const configFile = (folder: string): string => join(folder, "config.json");
const resultFile = (folder: string): string => join(folder, "result.json");

/** Opens a run folder to use its encoder.
 *  @throws LejepaError "not-a-run" when there is no config; "no-checkpoint" when training wrote none yet;
 *  "unreadable-file", "invalid-config", "corrupt-checkpoint", "corrupt-result" when a file is broken */
export async function openRun(path: string): Promise<Run> {
  const folder = resolve(path);
  const config = readConfig(folder);
  const encoder = encoderOf(config);
  const checkpoint = await readCheckpoint(folder, encoder);
  if (checkpoint === undefined) {
    throw new LejepaError(
      "no-checkpoint",
      `${folder} has no checkpoint yet; continue its training with resume.`,
    );
  }
  const parameters = Object.fromEntries(
    encoder.parameters.map(({ name }) => [name, checkpoint.state[name]!]),
  );
  return { folder, config, encoder, parameters, step: checkpoint.step, result: readResult(folder) };
}

/** The encoder that a config names. */
export function encoderOf({ encoder, imageSize, channels }: TrainConfig): Encoder {
  return createEncoder(encoder, { imageSize, channels });
}

/** Whether the folder holds a run. */
function isRun(folder: string): boolean {
  return existsSync(configFile(folder));
}

/** Makes the folder of a new run: see {@link checkNewRunFolder}. */
export async function createRunFolder(folder: string, config: TrainConfig): Promise<void> {
  await makeFolder(folder);
  await writeConfig(folder, config);
}

/** Writes the config of a run. */
export async function writeConfig(folder: string, config: TrainConfig): Promise<void> {
  await replaceFile(configFile(folder), `${JSON.stringify(config, null, 2)}\n`);
}

/** Throws "run-exists" when the folder holds a run already, "not-a-run" when it is a file or holds anything else,
 *  "not-writable" when it cannot be made. Makes nothing. */
export async function checkNewRunFolder(folder: string): Promise<void> {
  if (isRun(folder)) {
    throw new LejepaError(
      "run-exists",
      `${folder} already holds a run; resume it, or name another folder.`,
    );
  }
  if (!existsSync(folder)) return checkWritable(folder);
  if (!statSync(folder).isDirectory() || readdirSync(folder).length > 0) {
    throw new LejepaError(
      "not-a-run",
      `${folder} is a file, or holds other files and no run; name an empty or a new folder.`,
    );
  }
  await checkWritable(folder);
}

/** Throws "not-a-run" and "not-writable" for a folder that no run can be resumed in. */
export async function checkResumable(folder: string): Promise<void> {
  readConfig(folder);
  await checkWritable(folder);
}

/** The config of a run folder. Throws "not-a-run", "unreadable-file" and "invalid-config". */
export function readConfig(folder: string): TrainConfig {
  const file = configFile(folder);
  const text = readTextFile(file);
  if (text === undefined) {
    throw new LejepaError(
      "not-a-run",
      `${folder} is not a run: it has no config.json; name a folder that training has made.`,
    );
  }
  let value: unknown;
  try {
    value = parseJson(text);
  } catch (error) {
    throw new LejepaError(
      "invalid-config",
      `${file}: it should be JSON (${(error as Error).message}); restore it from a copy.`,
    );
  }
  return checkConfig(value, file);
}

/** How the run ended, if it has. Throws "unreadable-file" and "corrupt-result". */
export function readResult(folder: string): TrainResult | undefined {
  const file = resultFile(folder);
  const text = readTextFile(file);
  if (text === undefined) return undefined;
  try {
    const result = JSON.parse(text) as TrainResult | null;
    if (typeof result?.steps === "number") return result;
  } catch {
    // Told below, like JSON that is no result.
  }
  throw new LejepaError(
    "corrupt-result",
    `${file} does not say how a run ended; delete it and resume the run, which writes it anew.`,
  );
}

/** Marks the run as ended. */
export async function writeResult(folder: string, result: TrainResult): Promise<void> {
  await replaceFile(resultFile(folder), `${JSON.stringify(result, null, 2)}\n`);
}
