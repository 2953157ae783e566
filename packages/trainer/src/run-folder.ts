import { existsSync, readFileSync, readdirSync, statSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join, resolve } from "node:path";
import type { Encoder } from "@lejepa/encoders";
import { LejepaError, type HostTensors } from "@lejepa/ops";
import { checkConfig, type TrainConfig } from "./config.js";
import { readCheckpoint } from "./checkpoint.js";
import { replaceFile } from "./durable-file.js";
import type { TrainResult } from "./result.js";
import { encoderOf } from "./run-encoder.js";
import { checkRecord, type RunRecord } from "./run-record.js";
import { checkWritable, makeFolder } from "./writable-folder.js";

/** A trained encoder, as found in a run folder. */
export interface Run {
  /** Absolute path of the folder. */
  readonly folder: string;
  /** How it was trained. */
  readonly config: TrainConfig;
  /** What it was trained on, and what has happened to it. */
  readonly record: RunRecord;
  /** The encoder that `config` names, or the one that was passed. */
  readonly encoder: Encoder;
  /** Its parameters and buffers at the last checkpoint. */
  readonly parameters: HostTensors;
  /** Steps done at the last checkpoint. */
  readonly step: number;
  /** How the run ended; undefined when it has not, or not since it was extended. */
  readonly result: TrainResult | undefined;
}

const configFile = (folder: string): string => join(folder, "config.json");
const resultFile = (folder: string): string => join(folder, "result.json");

/** What {@link openRun} needs of runs that name no encoder. */
export interface OpenRunOptions {
  /** The encoder that the run was trained with, where `train` was passed one. */
  readonly encoder?: Encoder | undefined;
}

/** Opens a run folder to use its encoder.
 *  @throws LejepaError "not-a-run" when there is no config; "no-checkpoint" when training wrote none yet;
 *  "passed-in-code" when the run was trained with an encoder of one's own and none is passed, "encoder-differs" when it is
 *  another one; "invalid-config", "corrupt-checkpoint", "corrupt-result" when a file is broken */
export async function openRun(path: string, options: OpenRunOptions = {}): Promise<Run> {
  const folder = resolve(path);
  const stored = readConfig(folder);
  const encoder = encoderOf(folder, stored, options.encoder);
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
  const result = readResult(folder);
  return {
    folder,
    ...stored,
    encoder,
    parameters,
    step: checkpoint.step,
    // Until the end of an extension there may be the result of before.
    result: result?.steps === stored.config.steps ? result : undefined,
  };
}

/** What `config.json` holds. */
export interface StoredConfig {
  readonly config: TrainConfig;
  readonly record: RunRecord;
}

/** Whether the folder holds a run. */
function isRun(folder: string): boolean {
  return existsSync(configFile(folder));
}

/** Makes the folder of a new run: see {@link checkNewRunFolder}. */
export async function createRunFolder(folder: string, stored: StoredConfig): Promise<void> {
  await makeFolder(folder);
  await writeConfig(folder, stored);
}

/** Writes the config of a run and its record, as one file: neither is ever there without the other. */
export async function writeConfig(folder: string, { config, record }: StoredConfig): Promise<void> {
  await replaceFile(configFile(folder), `${JSON.stringify({ ...config, record }, null, 2)}\n`);
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

/** The config of a run folder, and its record. Throws "not-a-run" and "invalid-config". */
export function readConfig(folder: string): StoredConfig {
  const file = configFile(folder);
  if (!isRun(folder)) {
    throw new LejepaError(
      "not-a-run",
      `${folder} is not a run: it has no config.json; name a folder that training has made.`,
    );
  }
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(file, "utf8"));
  } catch (error) {
    throw new LejepaError(
      "invalid-config",
      `${file}: it should be JSON (${(error as Error).message}); restore it from a copy.`,
    );
  }
  if (typeof value !== "object" || value === null || !("record" in value))
    return { config: checkConfig(value, file), record: checkRecord(undefined, file) };
  const { record, ...config } = value;
  return { config: checkConfig(config, file), record: checkRecord(record, file) };
}

/** How the run ended, if it has. Throws "corrupt-result". */
export function readResult(folder: string): TrainResult | undefined {
  const file = resultFile(folder);
  if (!existsSync(file)) return undefined;
  try {
    const result = JSON.parse(readFileSync(file, "utf8")) as TrainResult | null;
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

/** Takes the mark away: the run goes on. */
export async function removeResult(folder: string): Promise<void> {
  await rm(resultFile(folder), { force: true });
}
