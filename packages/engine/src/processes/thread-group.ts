/** A process group of threads that share memory.
 *
 *  Each of K threads writes its values into a row of its own, waits until all have, and adds the rows up in the order of
 *  the ranks: every thread computes the same sums from the same numbers in the same order, so all have the same bits.
 *  Two sets of rows are used in turn, so that one wait for each exchange is enough: whoever writes to a set has passed
 *  the wait of the other one, which everybody enters after having read this one. */
import { engineError } from "../engine-error.js";
import { shown } from "../shown.js";
import type { ProcessGroup } from "./process-group.js";

/** What the threads of a group share; pass it to each of them, as `workerData` for one. */
export interface ThreadGroup {
  /** How many threads, K. */
  readonly size: number;
  /** Counters, and for each set and rank the number of values that it averages. */
  readonly control: SharedArrayBuffer;
  /** Two sets of K rows. */
  readonly rows: SharedArrayBuffer;
}

/** Values that are exchanged at a time; more go in several turns, each with a wait. */
const capacity = 1 << 18;

/** Places in the control memory. */
const [arrived, turns, broken, lengths] = [0, 1, 2, 3];

/** Memory for a group of `size` threads.
 *  @throws LejepaError "bad-option" unless `size` is a whole number of at least 1 */
export function createThreadGroup(size: number): ThreadGroup {
  if (!(Number.isInteger(size) && size >= 1))
    throw engineError(
      "bad-option",
      `createThreadGroup: size should be a whole number of at least 1, got ${shown(size)}.`,
    );
  return {
    size,
    control: new SharedArrayBuffer((lengths + 2 * size) * Int32Array.BYTES_PER_ELEMENT),
    rows: new SharedArrayBuffer(2 * size * capacity * Float32Array.BYTES_PER_ELEMENT),
  };
}

function requireGroup(of: string, group: unknown): void {
  const { size, control, rows } = (group ?? {}) as Partial<ThreadGroup>;
  const memory = [control, rows].every((each) => each instanceof SharedArrayBuffer);
  if (!memory || !Number.isInteger(size))
    throw engineError(
      "bad-option",
      `${of}: the group should be what createThreadGroup returns, got ${shown(group)}.`,
    );
}

/** The group as the thread of this rank sees it. `allReduceMean` blocks the thread until all threads have called it, so
 *  that it does not belong in a thread that has to answer meanwhile; it throws LejepaError "process-lost" once the group
 *  is broken, and "processes-differ" when the threads give different numbers of values.
 *  @throws LejepaError "bad-option" for a rank that the group does not have, and for what is no group */
export function joinThreadGroup(
  group: ThreadGroup,
  rank: number,
): Omit<ProcessGroup, "allReduceMean"> & { allReduceMean(values: Float32Array): void } {
  requireGroup("joinThreadGroup", group);
  const { size, control, rows } = group;
  if (!(Number.isInteger(rank) && rank >= 0 && rank < size))
    throw engineError(
      "bad-option",
      `joinThreadGroup: rank should be a whole number from 0 to ${size - 1}, got ${shown(rank)}.`,
    );
  const counters = new Int32Array(control);
  const values = new Float32Array(rows);
  const row = (set: number, of: number): number => (set * size + of) * capacity;
  let set = 0;

  function waitForAll(): void {
    const turn = Atomics.load(counters, turns);
    if (Atomics.add(counters, arrived, 1) === size - 1) {
      Atomics.store(counters, arrived, 0);
      Atomics.add(counters, turns, 1);
      Atomics.notify(counters, turns);
    } else while (Atomics.load(counters, turns) === turn) Atomics.wait(counters, turns, turn);
  }

  function refuseIfBroken(): void {
    if (Atomics.load(counters, broken) === 0) return;
    throw engineError(
      "process-lost",
      `Process ${rank} of ${size} stopped, because another one of its group did; the first error says why.`,
    );
  }

  function exchange(own: Float32Array, whole: number): void {
    refuseIfBroken();
    const lengthOf = (of: number): number => lengths + set * size + of;
    Atomics.store(counters, lengthOf(rank), whole);
    values.set(own, row(set, rank));
    waitForAll();
    refuseIfBroken();
    for (let other = 0; other < size; other++) {
      const length = Atomics.load(counters, lengthOf(other));
      if (length === whole) continue;
      breakThreadGroup({ size, control, rows });
      throw engineError(
        "processes-differ",
        `Process ${other} averages ${length} values where process ${rank} averages ${whole}; every process has to run the same step.`,
      );
    }
    const first = row(set, 0);
    for (let i = 0; i < own.length; i++) {
      let sum = 0;
      // Half the time of a loop over the rows' starts.
      for (let other = 0, at = first + i; other < size; other++, at += capacity) sum += values[at]!;
      own[i] = sum / size;
    }
    set = 1 - set;
  }

  return {
    rank,
    size,
    allReduceMean: (all) => {
      for (let begin = 0; begin < all.length; begin += capacity)
        exchange(all.subarray(begin, begin + capacity), all.length);
    },
  };
}

/** Marks the group as broken: whoever waits in it, or comes to it later, gets "process-lost". For whoever watches over
 *  the threads, when one of them has ended. */
export function breakThreadGroup(group: ThreadGroup): void {
  requireGroup("breakThreadGroup", group);
  const counters = new Int32Array(group.control);
  Atomics.store(counters, broken, 1);
  // Another number there, so that nobody who is about to wait falls asleep.
  Atomics.add(counters, turns, 1);
  Atomics.notify(counters, turns);
}
