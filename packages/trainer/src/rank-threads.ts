/** Data-parallel training on one machine: every step is done by K ranks, each a thread with an engine and a copy of the
 *  state of its own, on its part of the images of the batch.
 *
 *  Threads and not processes, because threads are what can share memory in Node: an exchange is then two copies and a
 *  wait. The main thread makes the batches, the same as for one process, hands the parts out, and does all that a run
 *  does once: logs, checkpoints, the report. It never waits for an exchange, so that it goes on answering. */
import { existsSync } from "node:fs";
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import { breakThreadGroup, createThreadGroup, type Engine } from "@lejepa/engine";
import { LejepaError, type HostTensors } from "@lejepa/ops";
import type { TrainConfig } from "./config.js";
import { imagesOfEach } from "./lejepa-step.js";
import { buffersOf, partsOfBatch } from "./parts-of-batch.js";
import type { RankCall, RankReply, RankTask } from "./rank-message.js";
import type { StepRunner } from "./step-runner.js";

/** Starts `config.processes` ranks and compiles the step in each, on an engine like the one given.
 *
 *  The cores are shared out among the ranks, one thread at the least to each. TensorFlow has one pool of threads for the
 *  whole process, so the engine given has to be started for as many engines.
 *  Throws what compiling throws, "worker-failed" where a thread cannot start; then no thread is left. */
export async function startRanks(
  config: TrainConfig,
  state: HostTensors,
  engine: Pick<Engine, "name">,
): Promise<StepRunner> {
  const { processes, batchSize } = config;
  const group = createThreadGroup(processes);
  const threads = Math.max(1, Math.floor(availableParallelism() / processes));
  const task = { group, config, state, engine: engine.name, threads };
  const ranks = Array.from({ length: processes }, (_, rank) => startRank({ ...task, rank }));
  const breakUp = (): void => breakThreadGroup(group);
  const terminate = (): Promise<unknown> => Promise.all(ranks.map((rank) => rank.terminate()));
  let ready: RankReply[];
  try {
    ready = await all(
      ranks.map((rank) => rank.reply),
      breakUp,
    );
  } catch (error) {
    await terminate();
    throw error;
  }
  const { ready: description } = ready[0] as { ready: string };
  const counts = imagesOfEach(batchSize, processes);
  const tensors = (reply: RankReply | undefined): HostTensors =>
    (reply as { tensors: HostTensors }).tensors;
  return {
    description: `${processes} processes, each with ${description}`,
    run: async (moment, batch) => {
      const calls = partsOfBatch(batch, counts).map((part, rank) =>
        ranks[rank]!.call({ do: "run", moment, batch: part }, buffersOf(part)),
      );
      // The same on every rank.
      return tensors((await all(calls, breakUp))[0]);
    },
    readState: async () => tensors(await ranks[0]!.call({ do: "readState" })),
    retrace: async () => {
      await all(
        ranks.map((rank) => rank.call({ do: "retrace" })),
        breakUp,
      );
    },
    dispose: async () => {
      breakUp();
      // Sessions are freed by their thread: ended together with it they would not be. A rank that failed frees nothing.
      await Promise.allSettled(ranks.map((rank) => rank.call({ do: "end" })));
      await terminate();
    },
  };
}

/** All results, or the error that came first to whoever it happened to: a rank that fails lets the others go, which then
 *  fail for that reason. */
async function all<R>(results: readonly Promise<R>[], breakUp: () => void): Promise<R[]> {
  for (const result of results) result.catch(breakUp);
  const settled = await Promise.allSettled(results);
  const errors = settled.flatMap((result) =>
    result.status === "rejected" ? [result.reason as Error] : [],
  );
  const isFollower = (error: Error): boolean => (error as LejepaError).code === "process-lost";
  if (errors.length > 0) throw errors.find((error) => !isFollower(error)) ?? errors[0]!;
  return settled.map((result) => (result as PromiseFulfilledResult<R>).value);
}

/** A rank as the main thread sees it. */
interface Rank {
  /** The next reply, to the call before; at first that it is ready. Rejects when the rank has failed. */
  readonly reply: Promise<RankReply>;
  call(message: RankCall, transfer?: readonly ArrayBuffer[]): Promise<RankReply>;
  terminate(): Promise<unknown>;
}

function startRank(task: RankTask): Rank {
  const url = import.meta.url.endsWith(".ts")
    ? new URL("./rank-worker-source.mjs", import.meta.url)
    : new URL("./rank-worker.js", import.meta.url);
  const file = fileURLToPath(url);
  if (!existsSync(file))
    throw new LejepaError(
      "worker-failed",
      `train: the file of the threads of several processes, ${file}, is missing, as happens when the package is bundled. Keep @lejepa/trainer external to the bundle, or use processes: 1.`,
    );
  const worker = new Worker(url, {
    workerData: task,
    name: `lejepa rank ${task.rank}`,
    // Of the process, --input-type (node --eval) would keep a file from being run.
    execArgv: [],
    // As for an engine's own thread: every run leaves arrays behind.
    resourceLimits: { maxYoungGenerationSizeMb: 64 },
  });
  let failure: Error | undefined;
  let waiting: { resolve(reply: RankReply): void; reject(error: Error): void } | undefined;
  const next = (): Promise<RankReply> =>
    new Promise((resolve, reject) => {
      if (failure) reject(failure);
      else waiting = { resolve, reject };
    });
  const fail = (error: Error): void => {
    failure ??= error;
    waiting?.reject(failure);
  };
  const lost = (why: string, cause?: unknown): void =>
    fail(
      new LejepaError(
        "worker-failed",
        `train: the thread of process ${task.rank} of ${task.group.size} stopped: ${why}. Resume the run from its last checkpoint; with processes: 1 the fault shows in the main thread.`,
        { cause },
      ),
    );
  worker.on("message", (reply: RankReply) => {
    if (!("failed" in reply)) return waiting?.resolve(reply);
    const { code, message } = reply.failed;
    fail(code === undefined ? new Error(message) : new LejepaError(code, message));
  });
  worker.on("error", (cause: unknown) => lost(String(cause), cause));
  worker.on("exit", (code) => lost(`it ended with code ${code}`));
  return {
    reply: next(),
    call: (message, transfer = []) => {
      const reply = next();
      if (failure === undefined) worker.postMessage(message, [...transfer]);
      return reply;
    },
    terminate: () => worker.terminate(),
  };
}
