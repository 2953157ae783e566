import type { BatchContent, BatchPlan } from "./assemble.js";
import type { DatasetSource, Sample } from "./dataset.js";
import { LejepaError, type DataErrorCode } from "./error.js";
import type { ViewGroups } from "./view-spec.js";

/** What a worker thread is started with. */
export interface WorkerSetup {
  readonly dataset: { readonly name: string; readonly length: number };
  /** How to open the dataset; undefined when the main thread has to be asked for samples. */
  readonly source: DatasetSource | undefined;
  readonly views: ViewGroups;
  readonly seed: number;
}

/** One batch to make. */
export interface WorkerJob {
  readonly id: number;
  readonly plan: BatchPlan;
}

/** What a thread is sent: a batch to make, or the sample that it asked for; undefined when reading it failed, which the
 *  main thread then reports itself. Answers come in the order of the questions. */
export type WorkerCall = WorkerJob | { readonly sample: Sample | undefined };

/** What comes back: an item that job `asks` needs, or the end of a job. */
export type WorkerReply =
  | { readonly asks: number; readonly index: number }
  | { readonly id: number; readonly content: BatchContent }
  | { readonly id: number; readonly error: ErrorRecord };

/** An error as data: structured cloning would drop its code and its index, and fails on errors that
 *  carry functions. */
export interface ErrorRecord {
  readonly code: DataErrorCode | undefined;
  readonly name: string;
  readonly message: string;
  readonly stack: string | undefined;
  readonly index: number | undefined;
  readonly cause: ErrorRecord | undefined;
}

/** The error as data, with its causes. */
export function recordError(thrown: unknown): ErrorRecord {
  if (!(thrown instanceof Error)) return recordError(new Error(String(thrown)));
  const { name, message, stack, cause } = thrown;
  const own = thrown instanceof LejepaError ? thrown : undefined;
  return {
    code: own?.code,
    name,
    message,
    stack,
    index: own?.index,
    cause: cause === undefined || cause === thrown ? undefined : recordError(cause),
  };
}

/** The error again. */
export function errorOf(record: ErrorRecord): Error {
  const cause = record.cause && errorOf(record.cause);
  const error =
    record.code === undefined
      ? Object.assign(new Error(record.message, { cause }), { name: record.name })
      : new LejepaError(record.code, record.message, {
          cause,
          ...(record.index !== undefined && { index: record.index }),
        });
  if (record.stack !== undefined) error.stack = record.stack;
  return error;
}
