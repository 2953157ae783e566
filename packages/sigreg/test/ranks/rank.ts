/** A thread that is one of several processes: computes every objective on its part of the batch. */
import { parentPort, workerData } from "node:worker_threads";
import { rankAdapter, type SharedMemory } from "./exchange.js";
import { compute, type Batch, type Objective } from "./objective.js";

/** What a rank is started with. */
export interface RankTask {
  readonly rank: number;
  readonly processes: number;
  readonly memory: SharedMemory;
  readonly batch: Batch;
  readonly objectives: readonly Objective[];
}

const { rank, processes, memory, batch, objectives } = workerData as RankTask;
const k = rankAdapter(rank, processes, memory);
parentPort!.postMessage(objectives.map((objective) => compute(k, batch, objective)));
