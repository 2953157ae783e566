import { createLoader, type Dataset, type LoaderOptions, type ViewSpec } from "@lejepa/data";
import { describe, expect, test } from "vitest";
import { newWatch, watched, watchedDataset, type Watch } from "./watched-dataset.js";

const views: ViewSpec = { count: 2, size: [8, 6], transforms: [{ name: "random-resized-crop" }] };

/** The watched dataset, opened again in threads or read by the main one for them. */
const places: Record<string, { workers: number; open: (watch: Watch) => Dataset }> = {
  "in this thread": { workers: 0, open: watchedDataset },
  "in a worker thread": { workers: 1, open: watchedDataset },
  "in this thread for a worker thread": {
    workers: 1,
    open: (watch) => {
      const dataset = watchedDataset(watch);
      return {
        name: dataset.name,
        length: dataset.length,
        item: (index, hint) => dataset.item(index, hint),
      };
    },
  },
};

describe.each(Object.entries(places))("read %s", (_name, { workers, open }) => {
  const load = async (watch: Watch, options: Partial<LoaderOptions> = {}) => {
    const dataset = open(watch);
    const loader = createLoader(dataset, {
      batchSize: 32,
      views,
      workers,
      prefetch: 1,
      ...options,
    });
    const batches = [];
    for await (const batch of loader) batches.push(batch);
    return batches;
  };

  test("a batch of 32 images never holds more than a few of them at once", async () => {
    const watch = newWatch(32);
    expect(await load(watch)).toHaveLength(1);
    // 32 for the batch, and one to learn what images are like.
    expect(watch.seen[watched.asked]).toBe(33);
    // One whose views are made, four ahead of it, and one that the engine may not have let go of.
    expect(watch.seen[watched.live]).toBeGreaterThan(0);
    expect(watch.seen[watched.live]).toBeLessThanOrEqual(6);
  });

  test("items are asked for at the size that the views need, or as they are", async () => {
    const watch = newWatch(4);
    await load(watch, { batchSize: 4 });
    // The smallest window of 0.08 of the area is at least 6 wide from an area of 600, and 8 high from 1066.7.
    expect([watch.seen[watched.height], watch.seen[watched.width]]).toEqual([33, 33]);
    await load(watch, { batchSize: 4, views: { count: 1, transforms: [] } });
    expect([watch.seen[watched.height], watch.seen[watched.width]]).toEqual([0, 0]);
  });
});

test("an item that fails after others were asked for is the one reported, and nothing is asked for after it", async () => {
  const asked: number[] = [];
  const broken: Dataset = {
    name: "broken",
    length: 20,
    item: async (index) => {
      asked.push(index);
      await new Promise((resolve) => setTimeout(resolve, index === 3 ? 10 : 1));
      if (index === 3) throw new TypeError("torn");
      return { image: { height: 2, width: 2, channels: 1, data: new Uint8Array(4) } };
    },
  };
  for (const workers of [0, 1]) {
    asked.length = 0;
    const plain = { count: 1, transforms: [] };
    const options = { batchSize: 20, views: plain, order: "sequential", workers } as const;
    await expect(createLoader(broken, options).next()).rejects.toMatchObject({
      code: "item-failed",
      index: 3,
      cause: { name: "TypeError" },
    });
    // The first twice: it is what the others are compared with.
    expect(asked).toEqual([0, 0, 1, 2, 3, 4, 5, 6].slice(0, asked.length));
    expect(asked.length).toBeGreaterThanOrEqual(5);
  }
});
