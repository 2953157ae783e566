/** A thread of a group: averages what it is told to, one after the other, and reports what it got, or the error. */
import { parentPort, workerData } from "node:worker_threads";
import { joinThreadGroup } from "../../src/processes/thread-group.js";
import type { ThreadGroup } from "../../src/processes/thread-group.js";

/** What such a thread is started with. */
export interface ExchangeTask {
  readonly group: ThreadGroup;
  readonly rank: number;
  readonly rounds: readonly Float32Array[];
}

const { group, rank, rounds } = workerData as ExchangeTask;
const member = joinThreadGroup(group, rank);
try {
  for (const values of rounds) member.allReduceMean(values);
  parentPort!.postMessage({ means: rounds });
} catch (error) {
  parentPort!.postMessage({ code: (error as { code: unknown }).code });
}
