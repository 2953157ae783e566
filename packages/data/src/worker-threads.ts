import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import type { BatchContent, BatchPlan } from "./assemble.js";
import { messageOf, type Sample } from "./dataset.js";
import { LejepaError } from "./error.js";
import type { ItemReader } from "./item-reader.js";
import { ahead } from "./read-ahead.js";
import { errorOf, type WorkerCall, type WorkerReply, type WorkerSetup } from "./worker-message.js";

/** Threads that make batches. */
export interface WorkerThreads {
  /** Makes a batch in the thread with the least to do. */
  run(plan: BatchPlan): Promise<BatchContent>;
  /** Ends the threads; what they had to do rejects. */
  close(): Promise<void>;
}

interface Thread {
  readonly worker: Worker;
  readonly waiting: Map<
    number,
    {
      resolve: (content: BatchContent) => void;
      reject: (error: Error) => void;
      /** The first samples, which were not waited to be asked for. */
      early: Promise<Sample>[];
    }
  >;
  /** Answers what the thread asks for, one after the other. */
  answered: Promise<void>;
  failure: LejepaError | undefined;
}

/** Starts threads. `read` reads an item for those that cannot open the dataset themselves. They do not keep the process alive while they have nothing to do.
 *  Throws `reopen-failed` when the options of the dataset's source cannot be sent to a thread. */
export function startWorkerThreads(
  count: number,
  setup: WorkerSetup,
  read: ItemReader,
): WorkerThreads {
  const url = import.meta.url.endsWith(".ts")
    ? new URL("./loader-worker-source.mjs", import.meta.url)
    : new URL("./loader-worker.js", import.meta.url);
  if (!existsSync(fileURLToPath(url)))
    throw new LejepaError(
      "worker-failed",
      `loader: the file of its worker threads, ${fileURLToPath(url)}, is missing, as happens when the package is bundled. Keep @lejepa/data external to the bundle, or use workers: 0.`,
      { file: fileURLToPath(url) },
    );
  const threads: Thread[] = [];
  let nextId = 0;

  const close = async (): Promise<void> => {
    for (const thread of threads) fail(thread, "the loader was closed");
    await Promise.all(threads.map(({ worker }) => worker.terminate()));
  };

  try {
    for (let i = 0; i < count; i++) threads.push(startThread(url, setup, read));
  } catch (cause) {
    void close();
    throw new LejepaError(
      "reopen-failed",
      `dataset "${setup.dataset.name}": its "reopen" cannot be sent to a worker thread: ${messageOf(cause)}. Keep to plain data and typed arrays in its options, or leave "reopen" out.`,
      { cause },
    );
  }

  return {
    run: (plan) =>
      new Promise((resolve, reject) => {
        const thread = threads.reduce((least, other) =>
          other.waiting.size < least.waiting.size ? other : least,
        );
        if (thread.failure) return reject(thread.failure);
        const id = nextId++;
        // A thread that cannot read has something to do as soon as it gets to this batch.
        const first = setup.source === undefined ? plan.indices.subarray(0, ahead) : [];
        const early = Array.from(first, read);
        for (const reading of early) reading.catch(reject);
        thread.waiting.set(id, { resolve, reject, early });
        thread.worker.ref();
        call(thread, { id, plan });
      }),
    close,
  };
}

const call = (
  { worker }: Thread,
  message: WorkerCall,
  transfer: readonly ArrayBuffer[] = [],
): void => worker.postMessage(message, [...transfer]);

function startThread(url: URL, setup: WorkerSetup, read: ItemReader): Thread {
  const worker = new Worker(asText(url), { workerData: setup, name: "lejepa data" });
  const thread: Thread = {
    worker,
    waiting: new Map(),
    answered: Promise.resolve(),
    failure: undefined,
  };
  /** Several items are read at once, and sent in the order in which they were asked for. */
  const send = (job: number, index: number): void => {
    const waiting = thread.waiting.get(job);
    const reading = waiting?.early.shift() ?? read(index);
    // The job is told at once, with the error as it was thrown.
    reading.catch((error: Error) => waiting?.reject(error));
    thread.answered = thread.answered.then(() =>
      reading.then(
        (sample) => {
          const own = ownPixels(sample);
          call(thread, { sample: own.sample }, own.transfer);
        },
        () => call(thread, { sample: undefined }),
      ),
    );
  };
  worker.on("message", (reply: WorkerReply) => {
    if ("asks" in reply) return send(reply.asks, reply.index);
    const job = thread.waiting.get(reply.id);
    thread.waiting.delete(reply.id);
    // Not of a thread that is being ended: nothing else may be left to keep the process alive until it has.
    if (thread.waiting.size === 0 && thread.failure === undefined) worker.unref();
    if ("content" in reply) job?.resolve(reply.content);
    else job?.reject(errorOf(reply.error));
  });
  worker.on("error", (cause: unknown) => fail(thread, messageOf(cause), cause));
  worker.on("exit", (code) => fail(thread, `it ended with code ${code}`));
  worker.unref();
  return thread;
}

/** A module that does nothing but import the file. A thread takes over the flags of the process, which may hold what its
 *  user needs (--import, --require, --conditions); but with --input-type (`node --eval`) Node refuses to run a file. */
const asText = (file: URL): URL =>
  new URL(`data:text/javascript,${encodeURIComponent(`import ${JSON.stringify(file.href)};`)}`);

/** Rejects what the thread had to do, and what it would be given. */
function fail(thread: Thread, why: string, cause?: unknown): void {
  thread.failure ??= new LejepaError(
    "worker-failed",
    `loader: a worker thread stopped: ${why}. Use workers: 0 to see the fault in the main thread.`,
    { cause },
  );
  for (const { reject } of thread.waiting.values()) reject(thread.failure);
  thread.waiting.clear();
}

/** The sample with pixels of its own, which may be given away. Posting a part of a larger array
 *  would copy all of it. Shared memory is passed on as it is. */
function ownPixels(sample: Sample): { sample: Sample; transfer: ArrayBuffer[] } {
  const { height, width, channels, data } = sample.image;
  const label = sample.label === undefined ? {} : { label: sample.label };
  if (data.buffer instanceof SharedArrayBuffer)
    return { sample: { image: { height, width, channels, data }, ...label }, transfer: [] };
  const own = data instanceof Uint8Array ? new Uint8Array(data) : new Float32Array(data);
  return {
    sample: { image: { height, width, channels, data: own }, ...label },
    transfer: [own.buffer],
  };
}
