/** The thread of one of several processes: its part of a reference step. Says that it is ready, then answers each
 *  moment with the loss of the whole batch. */
import { parentPort, workerData } from "node:worker_threads";
import type { Batch as LoadedBatch } from "@lejepa/data";
import { createEngine, joinThreadGroup, type EngineName, type ThreadGroup } from "@lejepa/engine";
import type { StepMoment } from "@lejepa/trainer";
import { referenceStep, type Batch, type Model } from "../reference-steps.js";

/** What such a thread is started with. */
export interface RankTask {
  readonly group: ThreadGroup;
  readonly rank: number;
  readonly samples: readonly number[];
  readonly model: Model;
  readonly batch: Batch;
  readonly engine: EngineName;
  readonly threads: number;
  readonly seed: number;
}

/** What it is asked for. */
export interface RankCall {
  readonly moment: StepMoment;
  readonly batch: LoadedBatch;
}

const task = workerData as RankTask;
const { group, rank, samples, model, batch, threads, seed } = task;
const definition = referenceStep(model, batch, { rank, samples });
const engine = await createEngine(task.engine, {
  threads,
  thread: "main",
  processes: joinThreadGroup(group, rank),
});
const compiled = await engine.compile(definition.step, {
  state: definition.initialState(seed),
  inputs: definition.inputs,
});
parentPort!.postMessage("ready");
parentPort!.on("message", ({ moment, batch }: RankCall) => {
  void compiled
    .run(definition.inputsAt(moment, batch))
    .then(({ loss }) => parentPort!.postMessage(loss!.data[0]));
});
