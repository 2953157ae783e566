import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { createThreadGroup, type EngineName } from "@lejepa/engine";
import { buffersOf, partsOfBatch } from "../../../packages/trainer/src/parts-of-batch.js";
import { referenceStep, type Batch, type Model } from "../reference-steps.js";
import { momentOf, seed, type OpenStep } from "../step.js";
import type { RankCall, RankTask } from "./rank.js";

/** Compiles a reference step for several processes, which share its batch out in equal parts and are threads of this
 *  one, as `lejepa train --processes` starts them, on an engine of so many threads each. The images of a step are parted
 *  before its time is taken. */
export async function openSharedStep(
  engine: EngineName,
  model: Model,
  batch: Batch,
  { processes, threads }: { readonly processes: number; readonly threads: number },
): Promise<Omit<OpenStep, "compileMilliseconds"> & { close(): Promise<void> }> {
  if (batch.size % processes !== 0)
    throw new RangeError(`${batch.size} images have no ${processes} equal parts.`);
  const samples = Array.from({ length: processes }, () => batch.size / processes);
  const group = createThreadGroup(processes);
  const task = { group, samples, model, batch, engine, threads, seed };
  const ranks = samples.map((_, rank) => {
    const workerData: RankTask = { ...task, rank };
    return new Worker(new URL("./rank-source.mjs", import.meta.url), {
      workerData,
      // As the trainer's.
      resourceLimits: { maxYoungGenerationSizeMb: 64 },
    });
  });
  // An error of a rank rejects this.
  const answers = (): Promise<unknown[]> =>
    Promise.all(ranks.map(async (rank) => ((await once(rank, "message")) as [unknown])[0]));
  const close = async (): Promise<void> => {
    await Promise.all(ranks.map((rank) => rank.terminate()));
  };
  try {
    await answers();
  } catch (error) {
    await close();
    throw error;
  }
  const { batchAt } = referenceStep(model, batch);
  const pool: ReturnType<typeof batchAt>[] = [];
  let step = 0;
  return {
    close,
    async run() {
      const whole = (pool[step % 4] ??= batchAt(step % 4));
      const parts = partsOfBatch(whole, samples);
      const moment = momentOf(step++);
      const start = performance.now();
      const answered = answers();
      for (const [rank, part] of parts.entries()) {
        const call: RankCall = { moment, batch: part };
        ranks[rank]!.postMessage(call, buffersOf(part));
      }
      const [loss] = (await answered) as [number];
      return { loss, milliseconds: performance.now() - start };
    },
  };
}
