import { engineError } from "../engine-error.js";
import { shown } from "../shown.js";

/** One of K processes that train together, as an engine sees the others: what a transport fills, between threads of one
 *  machine ({@link joinThreadGroup}) or between machines (MPI, NCCL).
 *
 *  A transport promises that all processes receive the same values to the bit: parameters that each process updates for
 *  itself then never drift apart. */
export interface ProcessGroup {
  /** Which of them this is, from 0. */
  readonly rank: number;
  /** How many there are, K. */
  readonly size: number;
  /** Replaces `values` by their means over all processes, in place. Every process calls it equally often and with equally
   *  many values. The eager engine needs a transport that is done when it returns; the others wait for a promise.
   *  Throws, or rejects, when another process is lost. */
  allReduceMean(values: Float32Array): void | Promise<void>;
}

/** Throws "bad-option" unless it is a process group, or left out. */
export function checkProcesses(group: unknown): void {
  if (group === undefined) return;
  const { rank, size, allReduceMean } = (group ?? {}) as Partial<ProcessGroup>;
  const isRank = Number.isInteger(rank) && Number.isInteger(size) && rank! >= 0 && rank! < size!;
  if (isRank && typeof allReduceMean === "function") return;
  throw engineError(
    "bad-option",
    `processes should be { rank, size, allReduceMean } with a rank from 0 to size - 1, got ${shown(group)}.`,
  );
}

/** Averages several tensors over the group in one exchange: the means, in the order given, which lie in `bundle` end to
 *  end, an array of as many elements. */
export async function averageTogether(
  group: ProcessGroup,
  tensors: readonly Float32Array[],
  bundle: Float32Array,
): Promise<Float32Array[]> {
  let at = 0;
  const parts = tensors.map((values) => {
    bundle.set(values, at);
    return bundle.subarray(at, (at += values.length));
  });
  await group.allReduceMean(bundle);
  return parts;
}

/** The group's exchange for an engine that cannot wait for a promise. */
export function exchangeAtOnce(group: ProcessGroup): (values: Float32Array) => void {
  return (values) => {
    const pending = group.allReduceMean(values);
    if (pending === undefined) return;
    // Whatever becomes of it, the refusal is what the caller hears of.
    pending.catch(() => undefined);
    throw engineError(
      "bad-option",
      "The eager engine needs a process group whose allReduceMean is done when it returns, and this one returns a promise; use another engine, or a transport that waits.",
    );
  };
}
