import type { DatasetFingerprint } from "@lejepa/data";
import { LejepaError } from "@lejepa/ops";
import { z } from "zod";

/** What a run was trained on from some step on. */
export interface DataRecord {
  /** Steps done before. Above 0 in the first record of a run whose earlier data are not known. */
  readonly fromStep: number;
  /** The images trained on. */
  readonly train: DatasetFingerprint;
  /** Those that probes test with, once a session has probed. */
  readonly test?: DatasetFingerprint | undefined;
}

/** A run that was made longer. */
export interface ExtensionRecord {
  /** Steps done before: those from there on have the learning rates of the longer run. */
  readonly fromStep: number;
  /** Steps of the run until then. */
  readonly from: number;
  /** Steps of the run since. */
  readonly to: number;
}

/** What a run was made of and what has happened to it, beside its settings: `record` in `config.json`. */
export interface RunRecord {
  /** When it was begun, ISO 8601 in UTC; runs from before this was recorded have none. */
  readonly begun?: string | undefined;
  /** Parts that were passed to `train` in code: to resume the run, or for the encoder to use it, they have to be passed
   *  again. */
  readonly inCode: readonly ("encoder" | "datasets")[];
  /** Of an encoder passed in code: what tells its parameters from others. */
  readonly encoderParameters?: string | undefined;
  /** The same as it was when parameters had a role instead of `layout`, `decay` and `buffer`: no longer compared. */
  readonly encoderLayout?: string | undefined;
  /** Its data, oldest first; runs from before this was recorded have none until they are resumed. */
  readonly data: readonly DataRecord[];
  /** Its extensions, oldest first. */
  readonly extensions: readonly ExtensionRecord[];
}

/** The record of a run from before there were any. */
const none: RunRecord = { inCode: [], data: [], extensions: [] };

const count = z.int().min(0);
const hexadecimal = z.string().regex(/^[0-9a-f]*$/);
const fingerprint = z.object({
  name: z.string(),
  count,
  size: z.string(),
  channels: count,
  values: z.enum(["bytes", "floats"]),
  labelled: z.boolean(),
  classes: z.object({ count, digest: hexadecimal }).optional(),
  sampled: count.min(1),
  hash: hexadecimal,
  pixels: hexadecimal,
  labels: hexadecimal,
  ids: hexadecimal.optional(),
});
const schema: z.ZodType<RunRecord> = z.object({
  begun: z.iso.datetime().optional(),
  inCode: z.array(z.enum(["encoder", "datasets"])),
  encoderParameters: hexadecimal.optional(),
  encoderLayout: hexadecimal.optional(),
  data: z.array(z.object({ fromStep: count, train: fingerprint, test: fingerprint.optional() })),
  extensions: z.array(z.object({ fromStep: count, from: count, to: count })),
});

/** A stored record, checked; that of a run without one is empty. Throws "invalid-config", which names `where`. */
export function checkRecord(value: unknown, where: string): RunRecord {
  if (value === undefined) return none;
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const { path, message } = result.error.issues[0]!;
  throw new LejepaError(
    "invalid-config",
    `${where}: ${["record", ...path].join(".")} is not as training writes it (${message}); restore it from a copy.`,
  );
}
