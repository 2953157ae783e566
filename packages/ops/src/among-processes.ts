import {
  requireArgument,
  said,
  someArray,
  someFunction,
  someObject,
  wholeNumber,
} from "./check-argument.js";
import { LejepaError } from "./lejepa-error.js";

/** Which part of a batch this process has. */
export interface BatchShare {
  /** This process, counted from 0. */
  readonly rank: number;
  /** Samples of each process, at least 1: as many entries as there are processes. */
  readonly samples: readonly number[];
}

let share: BatchShare | undefined;

/** Runs `body`, which is synchronous, as the part of a step that this process does of a batch that is shared out among
 *  several: `batchNorm` and `convBlock` in "train" then take their statistics over the samples of all processes, by
 *  `allReduceMean`, in the forward and in the backward pass. Every process has to run the same body.
 *  Throws LejepaError "bad-share". */
export function amongProcesses<R>(own: BatchShare, body: () => R): R {
  requireArgument("amongProcesses", "own", own, someObject, "bad-share");
  requireArgument("amongProcesses", "own.samples", own.samples, someArray, "bad-share");
  requireArgument("amongProcesses", "own.rank", own.rank, wholeNumber(0), "bad-share");
  requireArgument("amongProcesses", "body", body, someFunction);
  const { rank, samples } = own;
  const isShare =
    Number.isInteger(rank) &&
    rank >= 0 &&
    rank < samples.length &&
    [...samples].every((count) => Number.isInteger(count) && count >= 1);
  if (!isShare) {
    throw new LejepaError(
      "bad-share",
      `amongProcesses: rank should be below the number of processes, each with at least 1 sample, got rank ${rank} of [${samples.map(said).join(", ")}].`,
    );
  }
  const before = share;
  share = own;
  try {
    return body();
  } finally {
    share = before;
  }
}

/** The share of the surrounding {@link amongProcesses}; undefined where this process has the whole batch. */
export const batchShare = (): BatchShare | undefined => share;
