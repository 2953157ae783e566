import { availableParallelism } from "node:os";
import { createAssembler, type BatchContent, type BatchPlan, type Reference } from "./assemble.js";
import type { BatchGroup } from "./batch-group.js";
import { checkFields, recordOf } from "./check-fields.js";
import { checkDataset, type Dataset } from "./dataset.js";
import { LejepaError } from "./error.js";
import { abortSignal, anything, boolean, oneOf, wholeNumber, type Field } from "./fields.js";
import { itemReader, type ItemReader } from "./item-reader.js";
import { permutation } from "./permutation.js";
import { readAhead } from "./read-ahead.js";
import { checkViewGroups, type ViewGroup, type ViewGroups } from "./view-spec.js";
import { startWorkerThreads } from "./worker-threads.js";

/** Views of some samples, ready for an encoder. */
export interface Batch {
  /** Number of the batch, counted from the start of the first epoch. */
  readonly index: number;
  /** The epoch it belongs to, from 0. */
  readonly epoch: number;
  /** Samples, N. */
  readonly size: number;
  /** Their views, group by group as they were asked for; one where a single group was. */
  readonly groups: readonly [BatchGroup, ...BatchGroup[]];
  /** The N samples' indices in the dataset. */
  readonly indices: Int32Array;
  /** The N samples' labels, when the dataset has labels. */
  readonly labels: Int32Array | undefined;
}

/** How to load a dataset. */
export interface LoaderOptions {
  /** Samples of a batch, N. */
  readonly batchSize: number;
  /** How views are made, in one group or in several: `mnistViews()`, `plainView(...)` or your own. */
  readonly views: ViewGroup | readonly ViewGroup[];
  /** A whole number: same seed, same batches, whatever the other machine, the number of workers or
   *  the batch begun at. 0 by default. */
  readonly seed?: number;
  /** "shuffled" (default): a new order in each epoch; "sequential": by index. */
  readonly order?: "shuffled" | "sequential";
  /** Whether an incomplete last batch of an epoch is left out; true by default when shuffled, false
   *  when sequential. */
  readonly dropLast?: boolean;
  /** Number of the first batch delivered: to resume after k batches, k. 0 by default. */
  readonly startBatch?: number;
  /** Number of the batch to stop before, counted like `Batch.index`; Infinity for no end; one epoch
   *  by default. */
  readonly batches?: number;
  /** Worker threads; 0 makes batches in this thread when they are asked for. By default one less
   *  than there are processors, 1 to 4; at most 256. */
  readonly workers?: number;
  /** Batches that workers prepare ahead; twice the workers, at least 2, by default. */
  readonly prefetch?: number;
  /** Ends the loader: `next()` then rejects with the signal's reason. */
  readonly signal?: AbortSignal;
}

/** Batches in order, once. Ends its threads when the last batch has been taken, when a `for await`
 *  loop is left, after an error, and on `close()`. */
export interface Loader extends AsyncIterableIterator<Batch> {
  /** Batches of one epoch. */
  readonly batchesPerEpoch: number;
  /** How long all calls of `next()` together took so far, in milliseconds: the time in which the
   *  consumer had nothing to do but wait for data. */
  readonly waitMilliseconds: number;
  /** The next batch. Rejects with the error of the first item that failed (codes `item-failed`,
   *  `invalid-sample`, with `index`), of the views (`invalid-views`) or of a worker thread
   *  (`reopen-failed`, `worker-failed`); after that the loader has ended. */
  next(): Promise<IteratorResult<Batch, undefined>>;
  /** Same as `close()`; called when a `for await` loop is left. */
  return(): Promise<IteratorResult<Batch, undefined>>;
  /** Ends the threads, at any time and any number of times; waiting `next()` calls say `done`. */
  close(): Promise<void>;
}

/** Loads a dataset as batches of views, prepared ahead in worker threads.
 *  Throws `invalid-option`, `invalid-views` or `unknown-transform` for wrong arguments. */
export function createLoader(dataset: Dataset, options: LoaderOptions): Loader {
  const settings = settingsOf(dataset, options);
  const { views, seed, workers, prefetch, startBatch, endBatch, signal } = settings;
  const makeBatch =
    workers === 0 ? inThisThread(dataset, views, seed) : inWorkers(dataset, settings);
  const planOf = batchPlans(dataset, settings);

  let nextBatch = startBatch;
  let waitMilliseconds = 0;
  let closing: Promise<void> | undefined;
  const queue: Promise<Batch>[] = [];
  const stopWaiting = new Set<() => void>();

  const prepare = async (index: number): Promise<Batch> => {
    const plan = await planOf(index);
    const content = await makeBatch.run(plan);
    const { epoch, indices } = plan;
    return { index, epoch, size: indices.length, indices, ...content };
  };
  const fill = (depth: number): void => {
    while (!closing && queue.length < depth && nextBatch < endBatch) {
      const batch = prepare(nextBatch++);
      // Whoever takes it from the queue sees the error; until then it must not count as unhandled.
      batch.catch(() => undefined);
      queue.push(batch);
    }
  };
  const close = (): Promise<void> => {
    closing ??= makeBatch.close();
    signal?.removeEventListener("abort", onAbort);
    queue.length = 0;
    for (const stop of stopWaiting) stop();
    return closing;
  };
  const onAbort = (): void => void close();

  const end = async (): Promise<IteratorResult<Batch, undefined>> => {
    await close();
    signal?.throwIfAborted();
    return { done: true, value: undefined };
  };
  const take = async (): Promise<IteratorResult<Batch, undefined>> => {
    fill(1);
    const batch = queue.shift();
    if (batch === undefined) return await end();
    fill(prefetch);
    let stop = (): void => undefined;
    const stopped = new Promise<undefined>((resolve) => (stop = () => resolve(undefined)));
    stopWaiting.add(stop);
    try {
      const value = await Promise.race([batch, stopped]);
      return value === undefined || closing ? await end() : { done: false, value };
    } catch (error) {
      // What is rejected after closing is rejected by the closing.
      if (closing) return await end();
      await close();
      throw error;
    } finally {
      stopWaiting.delete(stop);
    }
  };

  signal?.addEventListener("abort", onAbort, { once: true });
  if (signal?.aborted) onAbort();
  fill(prefetch);

  return {
    batchesPerEpoch: settings.batchesPerEpoch,
    get waitMilliseconds() {
      return waitMilliseconds;
    },
    async next() {
      const start = performance.now();
      try {
        return await take();
      } finally {
        waitMilliseconds += performance.now() - start;
      }
    },
    async return() {
      await close();
      return { done: true, value: undefined };
    },
    close,
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}

type Settings = ReturnType<typeof settingsOf>;

const loaderFields: Readonly<Record<keyof LoaderOptions, Field>> = {
  batchSize: wholeNumber("required", { min: 1 }),
  views: anything("required"),
  seed: wholeNumber("optional", { min: -Number.MAX_SAFE_INTEGER }),
  order: oneOf("optional", ["shuffled", "sequential"]),
  dropLast: boolean("optional"),
  startBatch: wholeNumber("optional", { min: 0 }),
  batches: {
    presence: "optional",
    expected: "a whole number of at least 0, or Infinity",
    accepts: (value) =>
      value === Infinity || (Number.isSafeInteger(value) && (value as number) >= 0),
  },
  // Of what a thread needs, some 10 MB, thousands end the process with no word of why.
  workers: wholeNumber("optional", { min: 0, max: 256 }),
  prefetch: wholeNumber("optional", { min: 1 }),
  signal: abortSignal("optional"),
};

/** The options with defaults, checked. */
function settingsOf(dataset: Dataset, options: LoaderOptions) {
  checkDataset(dataset);
  const given = recordOf(options, "loader", "invalid-option");
  checkFields(given, loaderFields, "loader", "invalid-option");
  const { batchSize, seed = 0, order = "shuffled", startBatch = 0, signal } = options;
  const views = checkViewGroups(options.views);
  const { name, length } = dataset;
  const { dropLast = order === "shuffled" } = options;
  const batchesPerEpoch = dropLast ? Math.floor(length / batchSize) : Math.ceil(length / batchSize);
  if (batchesPerEpoch === 0)
    throw new LejepaError(
      "invalid-option",
      `loader: batchSize is ${batchSize} but dataset "${name}" has ${length} items, so no batch is complete. Use at most ${length}, or dropLast: false.`,
    );
  const { batches: endBatch = batchesPerEpoch } = options;
  const { workers = Math.min(Math.max(availableParallelism() - 1, 1), 4) } = options;
  const { prefetch = Math.max(2 * workers, 2) } = options;
  return {
    batchSize,
    views,
    seed,
    order,
    batchesPerEpoch,
    startBatch,
    endBatch,
    workers,
    // Without workers nothing is made before it is asked for.
    prefetch: workers === 0 ? 0 : prefetch,
    signal,
  };
}

/** What each batch is made of. */
function batchPlans(dataset: Dataset, settings: Settings): (index: number) => Promise<BatchPlan> {
  const { batchSize, seed, order, batchesPerEpoch, views } = settings;
  const read = itemReader(dataset, views);
  let orderedEpoch = -1;
  let epochOrder: Int32Array | undefined;
  const indicesOf = (index: number): { epoch: number; indices: Int32Array } => {
    const epoch = Math.floor(index / batchesPerEpoch);
    const start = (index % batchesPerEpoch) * batchSize;
    const end = Math.min(start + batchSize, dataset.length);
    if (order === "sequential")
      return { epoch, indices: Int32Array.from({ length: end - start }, (_, n) => start + n) };
    if (epoch !== orderedEpoch)
      epochOrder = permutation(dataset.length, seed, epoch, dataset.groups);
    orderedEpoch = epoch;
    return { epoch, indices: epochOrder!.slice(start, end) };
  };
  let reference: Promise<Reference> | undefined;
  return async (index) => {
    const { epoch, indices } = indicesOf(index);
    reference ??= referenceOf(read, indices[0]!);
    return { epoch, indices, reference: await reference };
  };
}

async function referenceOf(read: ItemReader, index: number): Promise<Reference> {
  const { image, label } = await read(index);
  const { height, width, channels } = image;
  return { index, height, width, channels, isLabelled: label !== undefined };
}

interface BatchMaker {
  run(plan: BatchPlan): Promise<BatchContent>;
  close(): Promise<void>;
}

function inThisThread(dataset: Dataset, views: ViewGroups, seed: number): BatchMaker {
  const assemble = createAssembler(dataset, views, seed);
  const read = itemReader(dataset, views);
  return {
    run: (plan) => assemble(plan, readAhead(plan.indices, read)),
    close: () => Promise.resolve(),
  };
}

function inWorkers(dataset: Dataset, { workers, views, seed }: Settings): BatchMaker {
  const { name, length, reopen: source } = dataset;
  const setup = { dataset: { name, length }, source, views, seed };
  return startWorkerThreads(workers, setup, itemReader(dataset, views));
}
