import * as dataPackage from "@lejepa/data";
import { describe, expect, test } from "vitest";
import { faultsOf, functionsOf, works, type ArgumentRow } from "../../../tools/bad-arguments.js";

const { arrayDataset, createLoader, makeView, mnistViews, plainView, randomOf } = dataPackage;
const images = {
  name: "four",
  images: new Uint8Array(16),
  shape: [4, 2, 2, 1] as const,
  labels: [0, 1, 2, 3],
  classes: ["a", "b", "c", "d"],
};
const dataset = arrayDataset(images);
const views = { count: 1, size: [2, 2], transforms: [] };

const rows: ArgumentRow[] = [
  {
    name: "arrayDataset",
    call: arrayDataset,
    args: [images],
    options: 0,
    allowed: {
      name: ["a text"],
      labels: ["nothing"],
      classes: ["nothing", "an array", "an array of texts"],
    },
  },
  { name: "checkDataset", call: dataPackage.checkDataset, args: [dataset] },
  {
    name: "createLoader",
    call: async (...args: Parameters<typeof createLoader>) => createLoader(...args).close(),
    args: [
      dataset,
      {
        batchSize: 2,
        views,
        seed: 1,
        order: "shuffled",
        dropLast: true,
        startBatch: 0,
        batches: 2,
        workers: 0,
        prefetch: 1,
        signal: new AbortController().signal,
      },
    ],
    options: 1,
    allowed: {
      seed: ["nothing", "-1"],
      order: ["nothing"],
      dropLast: ["nothing", "true"],
      startBatch: ["nothing"],
      batches: ["nothing", "Infinity"],
      workers: ["nothing"],
      prefetch: ["nothing"],
      signal: ["nothing"],
    },
  },
  { name: "fingerprintOf", call: dataPackage.fingerprintOf, args: [dataset] },
  {
    name: "fingerprintDifferences",
    call: dataPackage.fingerprintDifferences,
    args: [await dataPackage.fingerprintOf(dataset), dataset],
    options: 0,
    allowed: {
      name: ["a text"],
      size: ["a text"],
      labelled: ["true"],
      classes: ["nothing"],
      ids: ["nothing"],
    },
  },
  {
    name: "mnist",
    call: dataPackage.mnist,
    args: [{ split: "test" }],
    options: 0,
  },
  {
    name: "openDataset",
    call: dataPackage.openDataset,
    args: ["mnist", { split: "test" }],
    options: 1,
  },
  { name: "datasetNames", call: dataPackage.datasetNames, args: [] },
  {
    name: "readIdx",
    call: async (file: string, axes?: number) => {
      // A file that is there is not needed to see that the arguments are right.
      await dataPackage.readIdx(file, axes).catch((error: dataPackage.LejepaError) => {
        if (error.code !== "missing-file") throw error;
      });
    },
    args: ["nowhere/images", 3],
    allowed: { 0: ["a text"], 1: ["nothing"] },
  },
  { name: "randomOf", call: randomOf, args: ["7/0"], allowed: { 0: ["a text"] } },
  {
    name: "makeView",
    call: makeView,
    args: [
      { height: 2, width: 2, channels: 1, data: new Uint8Array(4) },
      { size: [2, 2], transforms: [] },
      randomOf("view"),
    ],
    options: 1,
    allowed: { size: ["nothing"], transforms: ["an array"], 2: ["a function"] },
  },
  {
    name: "checkViewSpec",
    call: dataPackage.checkViewSpec,
    args: [views],
    options: 0,
    allowed: { size: ["nothing"], transforms: ["an array"] },
  },
  {
    name: "checkViewGroups",
    call: dataPackage.checkViewGroups,
    args: [views],
    options: 0,
    allowed: { size: ["nothing"], transforms: ["an array"] },
  },
  {
    name: "floatImages",
    call: dataPackage.floatImages,
    args: [{ images: new Uint8Array(4), shape: [1, 2, 2, 1], normalise: { mean: [0], std: [1] } }],
    options: 0,
    allowed: { normalise: ["nothing"] },
  },
  { name: "mnistViews", call: mnistViews, args: [2], allowed: { 0: ["nothing"] } },
  { name: "plainView", call: plainView, args: [mnistViews(2)] },
];

test("every function of the package has a row", () => {
  expect(rows.map(({ name }) => name).sort()).toEqual(functionsOf(dataPackage));
});

test.each(rows)(
  "$name refuses what is none of its arguments, by one sentence with a code",
  async (row) => {
    expect(await works(row)).toBe(true);
    expect(await faultsOf({ ...row, allowed: { 0: [], ...row.allowed } })).toEqual([]);
  },
);

test("a view of a function, of a hole in a list and of what no message can show is refused as what it is", () => {
  const message = (value: unknown): string => {
    try {
      dataPackage.checkViewSpec(value);
    } catch (error) {
      expect(error).toMatchObject({ name: "LejepaError", code: "invalid-views" });
      return (error as Error).message;
    }
    return "taken";
  };
  expect(message(() => 1)).toMatch(/must be an object, got a function/);
  expect(message({ count: 1n, transforms: [] })).toMatch(/views.count.* got the bigint 1/);
  const cycle: Record<string, unknown> = { transforms: [] };
  expect(message({ ...cycle, count: cycle })).toMatch(/views.count.* got an object/);
  expect(message({ count: 1, transforms: new Array(1) })).toMatch(/views.transforms\[0\]/);
  expect(message({ count: 1, size: [1e9, 1e9], transforms: [] })).toMatch(/views.size/);
  const holes = [{ name: "normalise", mean: new Array(3), std: 1 }];
  expect(message({ count: 1, transforms: holes })).toMatch(/mean/);
});

describe.each([0, 1])("with %i worker threads", (workers) => {
  const batchOf = async (given: object) => {
    const loader = createLoader(arrayDataset({ ...images, ...given }), {
      batchSize: 4,
      views: { count: 1, transforms: [] },
      order: "sequential",
      workers,
    });
    const { value } = await loader.next();
    await loader.close();
    return value!;
  };
  const bytes = [...images.images].map((_, i) => 16 * i);

  test("clamped bytes are bytes, and labels of any list are numbers", async () => {
    const plain = await batchOf({ images: Uint8Array.from(bytes) });
    const clamped = await batchOf({
      images: Uint8ClampedArray.from(bytes),
      labels: Float64Array.of(0, 1, 2, 3),
    });
    expect(clamped.groups).toEqual(plain.groups);
    expect([...clamped.labels!]).toEqual([0, 1, 2, 3]);
  });

  test.each([
    ["a list", { images: bytes }],
    ["float64", { images: Float64Array.from(bytes) }],
    ["16-bit", { images: Uint16Array.from(bytes) }],
    ["a label of 1.5", { labels: [0, 1, 1.5, 2] }],
    ["a label below 0", { labels: [0, 1, -1, 2] }],
    ["a hole among labels", { labels: new Array(4) }],
  ])("%s is refused", async (_name, given) => {
    await expect(batchOf(given)).rejects.toMatchObject({
      name: "LejepaError",
      code: "invalid-option",
    });
  });
});

test("a batch that no memory holds is refused, not a raw error", async () => {
  const loader = createLoader(dataset, {
    batchSize: 4,
    views: { count: 1_000_000, size: [65_536, 65_536], transforms: [] },
    workers: 0,
  });
  await expect(loader.next()).rejects.toMatchObject({
    name: "LejepaError",
    code: "invalid-option",
  });
});
