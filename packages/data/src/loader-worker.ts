/** What runs in each worker thread of a loader. Not for import: `createLoader` starts it. */
import { parentPort, workerData } from "node:worker_threads";
import { createAssembler } from "./assemble.js";
import { reopenDataset, type Sample } from "./dataset.js";
import { itemReader, type ItemReader } from "./item-reader.js";
import { readAhead } from "./read-ahead.js";
import {
  recordError,
  type WorkerCall,
  type WorkerJob,
  type WorkerReply,
  type WorkerSetup,
} from "./worker-message.js";

const { dataset: expected, source, views, seed } = workerData as WorkerSetup;
const assemble = createAssembler(expected, views, seed);
const opened = source && reopenDataset(source, expected);
// A failure is reported with the first job, which awaits this promise.
opened?.catch(() => undefined);

const reply = (message: WorkerReply, transfer: readonly ArrayBuffer[] = []): void =>
  parentPort!.postMessage(message, [...transfer]);

/** Samples that the main thread was asked for, of a dataset that only it can read. */
const awaited: { resolve(sample: Sample): void; reject(error: Error): void }[] = [];
const fromMainThread =
  (job: number): ItemReader =>
  (index) =>
    new Promise((resolve, reject) => {
      awaited.push({ resolve, reject });
      reply({ asks: job, index });
    });

async function run({ id, plan }: WorkerJob): Promise<void> {
  try {
    const read = opened === undefined ? fromMainThread(id) : itemReader(await opened, views);
    const content = await assemble(plan, readAhead(plan.indices, read));
    reply(
      { id, content },
      content.groups.map(({ images }) => images.buffer as ArrayBuffer),
    );
  } catch (error) {
    reply({ id, error: recordError(error) });
  }
}

// One job after the other: a second one would only delay the first.
let previous: Promise<void> = Promise.resolve();
parentPort!.on("message", (call: WorkerCall) => {
  if ("plan" in call) previous = previous.then(() => run(call));
  // Answers come in the order of the questions.
  else if (call.sample !== undefined) awaited.shift()!.resolve(call.sample);
  else awaited.shift()!.reject(new Error("the main thread could not read the item"));
});
