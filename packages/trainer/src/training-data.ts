import {
  fingerprintDifferences,
  fingerprintOf,
  type Dataset,
  type DatasetFingerprint,
} from "@lejepa/data";
import { LejepaError } from "@lejepa/ops";
import type { DataRecord, RunRecord } from "./run-record.js";

/** A dataset of a session, compared with what the run had before. */
export interface IdentifiedData {
  /** What tells it from others. */
  readonly fingerprint: DatasetFingerprint;
  /** In what it differs from the one before; empty when it does not, or there was none. */
  readonly differences: readonly string[];
}

/** Compares the data of a session with those that the run was last on.
 *  @param other whether other data are refused, or go on the record
 *  @throws LejepaError "data-differs", which says what differs; and what reading items throws */
export async function identifyData(
  folder: string,
  record: RunRecord,
  part: "train" | "test",
  dataset: Dataset,
  other: "refuse" | "record",
): Promise<IdentifiedData> {
  const before = record.data.at(-1)?.[part];
  if (before === undefined) return { fingerprint: await fingerprintOf(dataset), differences: [] };
  const differences = await fingerprintDifferences(before, dataset);
  if (differences.length === 0) return { fingerprint: before, differences };
  if (other === "refuse") {
    const use = part === "train" ? "is trained on" : "is tested with";
    throw new LejepaError(
      "data-differs",
      `${folder} ${use} other images than those of ${dataset.name} that were given: ${differences.join("; ")}; give those that it was begun with, or go on with these and have it recorded (--allow-other-data, in code allowOtherData: true).`,
    );
  }
  return { fingerprint: await fingerprintOf(dataset), differences };
}

/** The data of a run, with those of a session that goes on from `fromStep`. */
export function dataWith(
  { data }: RunRecord,
  fromStep: number,
  train: IdentifiedData,
  test: IdentifiedData | undefined,
): readonly DataRecord[] {
  const last = data.at(-1);
  const known = test?.fingerprint ?? last?.test;
  const now = {
    train: train.fingerprint,
    ...(known !== undefined && { test: known }),
  };
  const isOther = train.differences.length > 0 || (test?.differences.length ?? 0) > 0;
  return last === undefined || isOther
    ? [...data, { fromStep, ...now }]
    : [...data.slice(0, -1), { fromStep: last.fromStep, ...now }];
}
