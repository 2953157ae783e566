import { spawnSync } from "node:child_process";
import type { Worker } from "node:worker_threads";
import {
  arrayDataset,
  createLoader,
  mnist,
  mnistViews,
  plainView,
  type Batch,
  type Dataset,
  type LoaderOptions,
  type ViewSpec,
} from "@lejepa/data";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { numberedDataset, plainDataset } from "./numbered-dataset.js";

/** Threads started and not ended. */
const running = new Set<Worker>();
const onWorker = (worker: Worker) => {
  running.add(worker);
  worker.once("exit", () => running.delete(worker));
};
beforeAll(() => void process.on("worker", onWorker));
afterAll(() => void process.off("worker", onWorker));

const unit: ViewSpec = { count: 1, transforms: [] };

async function batchesOf(dataset: Dataset, options: LoaderOptions): Promise<Batch[]> {
  const batches: Batch[] = [];
  for await (const batch of createLoader(dataset, options)) batches.push(batch);
  return batches;
}

test("a program goes on behind close, though batches that nobody waits for arrive meanwhile", () => {
  // In a process of its own, which ends when nothing keeps it: with 13 if its promise was still open.
  const program = `
    import { arrayDataset, createLoader } from "@lejepa/data";
    const dataset = arrayDataset({ name: "a", images: new Uint8Array(768), shape: [12, 8, 8, 1] });
    for (let i = 0; i < 10; i++) {
      const loader = createLoader(dataset, { batchSize: 2, views: { count: 1, transforms: [] }, workers: 1 });
      await loader.next();
      const until = Date.now() + 20;
      while (Date.now() < until);
      await loader.close();
    }
    console.log("behind close");`;
  const folder = import.meta.dirname;
  const { stdout, status, stderr } = spawnSync(
    process.execPath,
    ["--import", "tsx", "--input-type=module", "--eval", program],
    { cwd: folder, encoding: "utf8", timeout: 60_000 },
  );
  expect({ stdout, status, stderr }).toEqual({ stdout: "behind close\n", status: 0, stderr: "" });
});

describe("batches", () => {
  test("are view-major, in order, with indices and labels", async () => {
    const flips: ViewSpec = {
      count: 2,
      transforms: [{ name: "normalise", mean: 0, std: 1 / 255 }],
    };
    const batches = await batchesOf(numberedDataset({ length: 5 }), {
      batchSize: 2,
      views: flips,
      order: "sequential",
      workers: 0,
    });
    expect(batches.map(({ index, epoch, size }) => [index, epoch, size])).toEqual([
      [0, 0, 2],
      [1, 0, 2],
      [2, 0, 1],
    ]);
    const [, second] = batches;
    expect(second!.groups).toMatchObject([{ views: 2, shape: [4, 4, 3, 1] }]);
    expect([...second!.indices]).toEqual([2, 3]);
    expect([...second!.labels!]).toEqual([2, 3]);
    const firstPixels = [0, 1, 2, 3].map((image) =>
      Math.round(second!.groups[0].images[image * 12]!),
    );
    expect(firstPixels).toEqual([2, 3, 2, 3]);
  });

  test("of a shuffled epoch hold every sample once, in another order in the next epoch", async () => {
    const batches = await batchesOf(numberedDataset({ length: 12 }), {
      batchSize: 4,
      views: unit,
      batches: 6,
      workers: 0,
    });
    const order = (epoch: number) =>
      batches.filter((batch) => batch.epoch === epoch).flatMap(({ indices }) => [...indices]);
    for (const epoch of [0, 1])
      expect(order(epoch).sort((a, b) => a - b)).toEqual([...Array(12).keys()]);
    expect(order(0)).not.toEqual(order(1));
  });

  test("leave an incomplete last one out when shuffled, unless told otherwise", async () => {
    const options = { batchSize: 4, views: unit, workers: 0 } as const;
    const dataset = numberedDataset({ length: 10 });
    const sizes = async (more: Partial<LoaderOptions>) =>
      (await batchesOf(dataset, { ...options, ...more })).map(({ size }) => size);
    expect(await sizes({})).toEqual([4, 4]);
    expect(await sizes({ dropLast: false })).toEqual([4, 4, 2]);
    expect(await sizes({ order: "sequential" })).toEqual([4, 4, 2]);
    expect(await sizes({ order: "sequential", dropLast: true })).toEqual([4, 4]);
  });

  test("are the same whatever the number of workers, and when begun in the middle", async () => {
    const dataset = await mnist({ split: "test" });
    const options = { batchSize: 8, views: mnistViews(2), seed: 5, batches: 6 };
    const expected = await batchesOf(dataset, { ...options, workers: 0 });
    expect(expected).toHaveLength(6);
    for (const workers of [1, 2])
      expect(await batchesOf(dataset, { ...options, workers })).toEqual(expected);
    for (const workers of [0, 2])
      expect(await batchesOf(dataset, { ...options, workers, startBatch: 4 })).toEqual(
        expected.slice(4),
      );
    const [other] = await batchesOf(dataset, { ...options, seed: 6, batches: 1, workers: 0 });
    expect(other!.groups).not.toEqual(expected[0]!.groups);
    expect(other!.indices).not.toEqual(expected[0]!.indices);
  });

  test("of a dataset with groups take the items of eight groups at a time", async () => {
    const groups = Array.from({ length: 20 }, (_, g) => [5 * g, 5 * g + 5] as const);
    const dataset = { ...numberedDataset({ length: 100 }), groups };
    const options = { batchSize: 20, views: unit, workers: 0 };
    const indices = (await batchesOf(dataset, options)).flatMap((batch) => [...batch.indices]);
    expect([...indices].sort((a, b) => a - b)).toEqual([...Array(100).keys()]);
    expect(new Set(indices.slice(0, 40).map((index) => Math.floor(index / 5))).size).toBe(8);
    const plain = await batchesOf(numberedDataset({ length: 100 }), options);
    expect(new Set(plain[0]!.indices.map((index) => Math.floor(index / 5))).size).toBeGreaterThan(
      8,
    );
  });

  test("begun in a later epoch are those of that epoch", async () => {
    const dataset = numberedDataset({ length: 10 });
    const options = { batchSize: 3, views: unit, batches: 8, workers: 0 };
    const all = await batchesOf(dataset, options);
    expect(await batchesOf(dataset, { ...options, startBatch: 7 })).toEqual(all.slice(7));
    expect(await batchesOf(dataset, { ...options, startBatch: 9 })).toEqual([]);
  });

  test("show a sample the same in batches of any size", async () => {
    const dataset = await mnist({ split: "test" });
    const options = { views: mnistViews(1), order: "sequential", workers: 0 } as const;
    const [whole] = await batchesOf(dataset, { ...options, batchSize: 4, batches: 1 });
    const halves = await batchesOf(dataset, { ...options, batchSize: 2, batches: 2 });
    expect(whole!.groups[0].images).toEqual(
      Float32Array.from(halves.flatMap(({ groups }) => [...groups[0].images])),
    );
  });

  test.each([
    ["a dataset that workers open again", numberedDataset({ length: 20 })],
    ["one whose items are promises", numberedDataset({ length: 20, later: true })],
    ["one that only this thread can read", plainDataset({ length: 20 })],
  ])("of %s are the same with and without workers", async (_name, dataset) => {
    const options = { batchSize: 4, views: unit };
    const expected = await batchesOf(dataset, { ...options, workers: 0 });
    expect(expected).toHaveLength(5);
    expect(await batchesOf(dataset, { ...options, workers: 2 })).toEqual(expected);
  });

  test("of unlabelled images have no labels; floats in one array are images too", async () => {
    const images = Float32Array.from({ length: 3 * 2 * 2 }, (_, i) => i / 12);
    const dataset = arrayDataset({ name: "floats", images, shape: [3, 2, 2, 1] });
    for (const workers of [0, 1]) {
      const [batch] = await batchesOf(dataset, {
        batchSize: 3,
        views: plainView(unit),
        order: "sequential",
        workers,
      });
      expect(batch!.labels).toBeUndefined();
      expect(batch!.groups[0].images).toEqual(images);
    }
  });
});

describe("a fault in the data", () => {
  const cases = [
    ["item-failed", { throwsAt: 13 }, "item 13 could not be read: pixel rot in 13"],
    ["invalid-sample", { tallerAt: 13 }, "item 13 is 5 x 3 but item 0 is 4 x 3"],
    ["invalid-sample", { unlabelledAt: 13 }, "item 13 has no label but item 0 has one"],
  ] as const;
  for (const [code, fault, words] of cases)
    for (const workers of [0, 1, 2])
      for (const make of [numberedDataset, plainDataset])
        test(`is ${code} with its index: ${words} (${workers} workers, ${make.name})`, async () => {
          const loader = createLoader(make({ length: 20, ...fault }), {
            batchSize: 4,
            views: unit,
            order: "sequential",
            workers,
          });
          for (let i = 0; i < 3; i++) expect((await loader.next()).value?.index).toBe(i);
          await expect(loader.next()).rejects.toMatchObject({
            name: "LejepaError",
            code,
            index: 13,
            message: expect.stringContaining(words) as string,
          });
          expect(await loader.next()).toEqual({ done: true, value: undefined });
          expect(running.size).toBe(0);
        });

  test("keeps the original error as its cause, across threads", async () => {
    const loader = createLoader(numberedDataset({ length: 4, throwsAt: 2 }), {
      batchSize: 4,
      views: unit,
      order: "sequential",
      workers: 1,
    });
    await expect(loader.next()).rejects.toMatchObject({
      cause: { name: "TypeError", message: "pixel rot in 2" },
    });
  });

  test.each([
    [undefined, "is undefined"],
    [{ image: { height: 2, width: 2, channels: 2, data: new Uint8Array(8) } }, "2 channels"],
    [{ image: { height: 2, width: 2, channels: 1, data: new Uint8Array(5) } }, "has 5 values"],
    [{ image: { height: 2, width: 2, channels: 1, data: [0, 0, 0, 0] } }, "neither a Uint8Array"],
    [{ image: { height: 0, width: 2, channels: 1, data: new Uint8Array(0) } }, "height 0"],
    [{ image: { height: 1, width: 1, channels: 1, data: new Uint8Array(1) }, label: 0.5 }, "label"],
  ])("of the kind %j is invalid-sample", async (sample, words) => {
    const dataset = { name: "odd", length: 1, item: () => sample } as unknown as Dataset;
    const loader = createLoader(dataset, { batchSize: 1, views: unit, workers: 0 });
    await expect(loader.next()).rejects.toMatchObject({
      code: "invalid-sample",
      index: 0,
      message: expect.stringContaining(words) as string,
    });
  });

  test.each([
    [{ exitsAt: 5 }, "it ended with code 3"],
    [{ crashesAt: 5 }, "decoder on fire"],
  ])("that ends a worker thread is worker-failed: %j", async (fault, words) => {
    for (const workers of [1, 2]) {
      const loader = createLoader(numberedDataset({ length: 4000, ...fault }), {
        batchSize: 4,
        views: unit,
        order: "sequential",
        workers,
      });
      const all = async () => {
        for (;;) await loader.next();
      };
      await expect(all()).rejects.toMatchObject({
        name: "LejepaError",
        code: "worker-failed",
        message: expect.stringContaining(words) as string,
      });
      expect(await loader.next()).toEqual({ done: true, value: undefined });
      expect(running.size).toBe(0);
    }
  });

  test.each([
    ["a module that is not there", { module: "file:///nowhere.js", export: "x" }],
    [
      "an export that is not there",
      { module: import.meta.resolve("./numbered-dataset.js"), export: "x" },
    ],
    ["options that are functions", { module: "node:fs", export: "x", options: () => 1 }],
    ["another dataset", numberedDataset({ length: 20, reopenedLength: 19 }).reopen!],
  ])("opening it again by %s is reopen-failed", async (_name, reopen) => {
    const load = async () => {
      const loader = createLoader(
        { ...plainDataset({ length: 20 }), reopen },
        { batchSize: 4, views: unit, workers: 1 },
      );
      await loader.next();
    };
    await expect(load()).rejects.toMatchObject({ code: "reopen-failed" });
    expect(running.size).toBe(0);
  });

  test("such as views that do not suit the images is reported with workers too", async () => {
    const views: ViewSpec = { count: 1, transforms: [{ name: "gaussian-blur", kernel: 9 }] };
    for (const workers of [0, 1]) {
      const loader = createLoader(numberedDataset({ length: 20 }), {
        batchSize: 4,
        views,
        workers,
      });
      await expect(loader.next()).rejects.toMatchObject({ code: "invalid-views" });
    }
  });
});

describe("the threads of a loader", () => {
  const options = { batchSize: 2, views: unit, batches: Infinity, workers: 2 };
  const dataset = () => numberedDataset({ length: 20 });

  test("end with the last batch", async () => {
    expect(await batchesOf(dataset(), { ...options, batches: 3 })).toHaveLength(3);
    expect(running.size).toBe(0);
  });

  test("end when a loop is left", async () => {
    for await (const batch of createLoader(dataset(), options)) if (batch.index === 12) break;
    expect(running.size).toBe(0);
  });

  test("end when the body of a loop throws", async () => {
    const loop = async () => {
      for await (const batch of createLoader(dataset(), options)) throw new Error(`${batch.index}`);
    };
    await expect(loop()).rejects.toThrow("0");
    expect(running.size).toBe(0);
  });

  test("end on close() before anything was taken, also twice", async () => {
    const loader = createLoader(dataset(), options);
    await new Promise(setImmediate); // the event that counts a thread comes a moment later
    expect(running.size).toBe(2);
    await Promise.all([loader.close(), loader.close()]);
    expect(running.size).toBe(0);
    expect(await loader.next()).toEqual({ done: true, value: undefined });
  });

  test("end on close() while batches are awaited, which then are done", async () => {
    const never: Dataset = { ...plainDataset({ length: 20 }), item: () => new Promise(() => {}) };
    for (const workers of [0, 2]) {
      const loader = createLoader(never, { ...options, workers });
      const waiting = [loader.next(), loader.next()];
      await loader.close();
      expect(await Promise.all(waiting)).toEqual([
        { done: true, value: undefined },
        { done: true, value: undefined },
      ]);
    }
    expect(running.size).toBe(0);
  });

  test("end when the signal aborts, and next() says why", async () => {
    const controller = new AbortController();
    const loader = createLoader(dataset(), { ...options, signal: controller.signal });
    await loader.next();
    const never: Dataset = { ...plainDataset({ length: 20 }), item: () => new Promise(() => {}) };
    const stuck = createLoader(never, { ...options, signal: controller.signal }).next();
    controller.abort(new Error("enough"));
    await expect(stuck).rejects.toThrow("enough");
    await expect(loader.next()).rejects.toThrow("enough");
    await loader.close();
    expect(running.size).toBe(0);
    const late = createLoader(dataset(), { ...options, signal: controller.signal });
    await expect(late.next()).rejects.toThrow("enough");
    await late.close();
    expect(running.size).toBe(0);
  });

  test("prepare no more than `prefetch` batches ahead", async () => {
    let read = 0;
    const dataset = plainDataset({ length: 1000 });
    const counted: Dataset = { ...dataset, item: (index) => (read++, dataset.item(index)) };
    const loader = createLoader(counted, { ...options, prefetch: 3 });
    await loader.next();
    await new Promise((resolve) => setTimeout(resolve, 50));
    // One item to learn the size of images, and two for each of 1 + 3 batches.
    expect(read).toBe(1 + 2 * 4);
    await loader.close();
  });

  test("save the consumer waiting, which is measured", async () => {
    const loader = createLoader(dataset(), { ...options, workers: 1 });
    expect(loader.waitMilliseconds).toBe(0);
    await loader.next();
    const afterFirst = loader.waitMilliseconds;
    expect(afterFirst).toBeGreaterThan(0);
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(loader.waitMilliseconds).toBe(afterFirst);
    await loader.close();
  });
});

test.each<[Partial<LoaderOptions>, string, string]>([
  [{ batchSize: 0 }, "invalid-option", "batchSize"],
  [{ batchSize: 21 }, "invalid-option", "batchSize is 21"],
  [{ seed: 0.5 }, "invalid-option", "seed"],
  [{ startBatch: -1 }, "invalid-option", "startBatch"],
  [{ batches: NaN }, "invalid-option", "batches"],
  [{ workers: -1 }, "invalid-option", "workers"],
  [{ prefetch: 0 }, "invalid-option", "prefetch"],
  [{ order: "random" as "shuffled" }, "invalid-option", "order"],
  [{ views: { count: 0, transforms: [] } }, "invalid-views", "views.count"],
])("the options %j are refused", (wrong, code, words) => {
  expect(() =>
    createLoader(numberedDataset({ length: 20 }), { batchSize: 2, views: unit, ...wrong }),
  ).toThrow(expect.objectContaining({ code, message: expect.stringContaining(words) as string }));
});

test.each([
  ["that begin late", [[1, 20]]],
  [
    "with a gap",
    [
      [0, 5],
      [6, 20],
    ],
  ],
  [
    "that overlap",
    [
      [0, 5],
      [4, 20],
    ],
  ],
  ["that end early", [[0, 19]]],
  [
    "that are empty",
    [
      [0, 0],
      [0, 20],
    ],
  ],
  ["that are none", [0, 20]],
  ["of another kind", "all"],
])("groups %s are refused", (_name, groups) => {
  const dataset = { ...numberedDataset({ length: 20 }), groups } as unknown as Dataset;
  expect(() => createLoader(dataset, { batchSize: 2, views: unit })).toThrow(
    expect.objectContaining({
      code: "invalid-option",
      message: expect.stringContaining("dataset.groups") as string,
    }),
  );
});

test.each<[object, string]>([
  [{ shape: [2, 2, 2, 2] }, "invalid-option"],
  [{ shape: [3, 2, 2, 1] }, "invalid-option"],
  [{ labels: [1] }, "label-count"],
])("an array dataset with %j is refused", (wrong, code) => {
  const right = { name: "a", images: new Uint8Array(8), shape: [2, 2, 2, 1] as const };
  expect(() => arrayDataset({ ...right, ...wrong })).toThrow(expect.objectContaining({ code }));
});
