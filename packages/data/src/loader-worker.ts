/** What runs in each worker thread of a loader. Not for import: `createLoader` starts it. */
import { parentPort, workerData } from "node:worker_threads";
import { createAssembler } from "./assemble.js";
import { readItem, reopenDataset } from "./dataset.js";
import {
  recordError,
  type WorkerJob,
  type WorkerReply,
  type WorkerSetup,
} from "./worker-message.js";

const { dataset: expected, source, views, seed } = workerData as WorkerSetup;
const assemble = createAssembler(expected, views, seed);
const opened = source && reopenDataset(source, expected);
// A failure is reported with the first job, which awaits this promise.
opened?.catch(() => undefined);

async function answer({ id, plan, samples }: WorkerJob): Promise<WorkerReply> {
  try {
    const dataset = await opened;
    const read =
      samples ??
      (await Promise.all(Array.from(plan.indices, (index) => readItem(dataset!, index))));
    return { id, content: assemble(plan, read) };
  } catch (error) {
    return { id, error: recordError(error) };
  }
}

// One job after the other: a second one would only delay the first.
let previous: Promise<void> = Promise.resolve();
parentPort!.on("message", (job: WorkerJob) => {
  previous = previous.then(async () => {
    const reply = await answer(job);
    const owned = "content" in reply ? [reply.content.images.buffer as ArrayBuffer] : [];
    parentPort!.postMessage(reply, owned);
  });
});
