import { existsSync, readdirSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import type { Encoder } from "@lejepa/encoders";
import {
  anything,
  LejepaError,
  requireArgument,
  requireOptions,
  someText,
  type HostTensors,
} from "@lejepa/ops";
import { checkConfig, type TrainConfig } from "./config.js";
import { readEncoder } from "./checkpoint.js";
import { removeQuietly, replaceFile, replacedBy, writeError, type Guard } from "./durable-file.js";
import { acquireLock, isLockOf, type OwnerLock } from "./owner-lock.js";
import type { TrainResult } from "./result.js";
import { encoderOf } from "./run-encoder.js";
import { checkRecord, type RunRecord } from "./run-record.js";
import { parseJson } from "./strict-json.js";
import { readTextFile } from "./text-file.js";
import { makeFolder, removeEmptyFolders } from "./writable-folder.js";

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
  /** How the run ended; undefined when it has not, or has gone on since or been extended. */
  readonly result: TrainResult | undefined;
}

const configFile = (folder: string): string => join(folder, "config.json");
const resultFile = (folder: string): string => join(folder, "result.json");

/** What {@link openRun} needs of runs that name no encoder. */
export interface OpenRunOptions {
  /** The encoder that the run was trained with, where `train` was passed one. */
  readonly encoder?: Encoder | undefined;
}

/** Opens a run folder to use its encoder, also while the run goes on: what is read is of one moment.
 *  @throws LejepaError "invalid-argument" when the path is no text, "invalid-option"; "not-a-run" when there is no config;
 *  "no-checkpoint" when training wrote none yet;
 *  "passed-in-code" when the run was trained with an encoder of one's own and none is passed, "encoder-differs" when it is
 *  another one; "unreadable-file", "invalid-config", "corrupt-checkpoint", "corrupt-result" when a file is broken */
export async function openRun(path: string, options: OpenRunOptions = {}): Promise<Run> {
  requireArgument("openRun", "path", path, someText, "invalid-argument", "name a run folder");
  requireOptions("openRun", options, { encoder: anything }, "invalid-option");
  const folder = resolve(path);
  const stored = readConfig(folder);
  const encoder = encoderOf(folder, stored, options.encoder);
  // Before the checkpoint: a run ends after its last one.
  const result = readResult(folder);
  const checkpoint = await readEncoder(folder, encoder);
  if (checkpoint === undefined) {
    throw new LejepaError(
      "no-checkpoint",
      `${folder} has no checkpoint yet; continue its training with resume.`,
    );
  }
  const { step, parameters } = checkpoint;
  // A run that is being extended may have the result of before.
  const extended = stored.record.extensions.at(-1)?.to ?? step;
  const hasEnded = result?.steps === step && step === extended;
  return { folder, ...stored, encoder, parameters, step, result: hasEnded ? result : undefined };
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

/** Writes the config of a run and its record, as one file: neither is ever there without the other. From then on the
 *  folder is a run. */
export async function writeConfig(
  folder: string,
  { config, record }: StoredConfig,
  guard?: Guard,
): Promise<void> {
  const content = `${JSON.stringify({ ...config, record }, null, 2)}\n`;
  await replaceFile(configFile(folder), content, guard);
}

/** Makes the folder of a new run, and this process its owner. Released before a config was written, it is gone again.
 *  @param options force: whoever owns it is succeeded
 *  @throws LejepaError "run-exists" when the folder holds a run already; "not-a-run" when it is a file or holds anything
 *  else; "not-writable" when it cannot be made; "locked" when another process owns it */
export async function claimNewRun(
  folder: string,
  options: { readonly force: boolean },
): Promise<OwnerLock> {
  // A folder of something else is not touched. Of one that is locked, it says more by whom.
  if (!isLocked(folder)) checkNewRunFolder(folder);
  return claim(folder, options, checkNewRunFolder);
}

/** Makes this process the owner of a run that is there.
 *  @param options force: whoever owns it is succeeded
 *  @throws LejepaError "not-a-run", "not-writable", "locked" */
export async function claimRun(
  folder: string,
  options: { readonly force: boolean },
): Promise<OwnerLock> {
  checkIsRun(folder);
  return claim(folder, options, checkIsRun);
}

/** Its locks are `run-1.lock` and so on: see {@link acquireLock}. */
const lockName = "run";

async function claim(
  folder: string,
  { force }: { readonly force: boolean },
  check: (folder: string) => void,
): Promise<OwnerLock> {
  for (let attempt = 1; ; attempt++) {
    const made = await makeFolder(folder);
    let lock: OwnerLock | undefined;
    const release = async (): Promise<void> => {
      await lock?.release();
      await removeEmptyFolders(made);
    };
    try {
      const held = (lock = await acquireLock(join(folder, lockName), { what: folder, force }));
      // Again, as it was somebody else's until now.
      check(folder);
      for (const name of readdirSync(folder).filter(isLeftover))
        await removeQuietly(join(folder, name));
      return { assertHeld: (tolerated) => held.assertHeld(tolerated), release };
    } catch (error) {
      await release();
      const isGone = (error as NodeJS.ErrnoException).code === "ENOENT";
      // Whoever made the folder was refused for another reason, and took it away.
      if (!isGone || attempt === 20) throw writeError(folder, error);
    }
  }
}

/** Whether a file of a run folder is none of the run: what processes that were killed have left. */
function isLeftover(name: string): boolean {
  return (
    replacedBy(name) !== undefined ||
    (isLockOf(lockName, name) && name.endsWith(".partial")) ||
    leftoversOfEarlierVersions.has(name)
  );
}

const leftoversOfEarlierVersions = new Set(
  ["config.json", "result.json", "metrics.jsonl", "report.html", "checkpoint"].map(
    (name) => `${name}.partial`,
  ),
);

function isLocked(folder: string): boolean {
  try {
    return readdirSync(folder).some((name) => isLockOf(lockName, name));
  } catch {
    // Missing, or no folder: told by what comes next.
    return false;
  }
}

function checkNewRunFolder(folder: string): void {
  if (isRun(folder)) {
    throw new LejepaError(
      "run-exists",
      `${folder} already holds a run; resume it, or name another folder.`,
    );
  }
  if (!existsSync(folder)) return;
  const isOther = (name: string): boolean => !isLeftover(name) && !isLockOf(lockName, name);
  if (!statSync(folder).isDirectory() || readdirSync(folder).some(isOther)) {
    throw new LejepaError(
      "not-a-run",
      `${folder} is a file, or holds other files and no run; name an empty or a new folder.`,
    );
  }
}

function checkIsRun(folder: string): void {
  if (isRun(folder)) return;
  throw new LejepaError(
    "not-a-run",
    `${folder} is not a run: it has no config.json; name a folder that training has made, or start it without resume.`,
  );
}

/** The config of a run folder, and its record. Throws "not-a-run", "unreadable-file" and "invalid-config". */
export function readConfig(folder: string): StoredConfig {
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
  if (typeof value !== "object" || value === null || !("record" in value))
    return { config: checkConfig(value, file), record: checkRecord(undefined, file) };
  const { record, ...config } = value;
  return { config: checkConfig(config, file), record: checkRecord(record, file) };
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
export async function writeResult(
  folder: string,
  result: TrainResult,
  guard?: Guard,
): Promise<void> {
  await replaceFile(resultFile(folder), `${JSON.stringify(result, null, 2)}\n`, guard);
}

/** Takes the mark away: the run goes on. */
export async function removeResult(folder: string, guard: Guard): Promise<void> {
  guard();
  await removeQuietly(resultFile(folder));
}
