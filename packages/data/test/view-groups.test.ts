import {
  checkViewGroups,
  createLoader,
  floatImages,
  mnist,
  mnistViews,
  type Batch,
  type LoaderOptions,
  type TransformSpec,
  type ViewGroup,
} from "@lejepa/data";
import { describe, expect, test } from "vitest";
import { numberedDataset, plainDataset } from "./numbered-dataset.js";

async function firstBatch(
  options: Omit<LoaderOptions, "batchSize">,
  dataset = numberedDataset({ length: 20 }),
): Promise<Batch> {
  const loader = createLoader(dataset, { batchSize: 6, seed: 3, ...options });
  try {
    return (await loader.next()).value!;
  } finally {
    await loader.close();
  }
}
const normalise: TransformSpec = { name: "normalise", mean: 0.4, std: 0.2 };
const crop: TransformSpec = { name: "random-resized-crop", antialias: true };

describe("groups of views", () => {
  test("are numbered through, so that two groups of two are four views of the same seed", async () => {
    const dataset = await mnist({ split: "test" });
    const half = mnistViews(2);
    const whole = await firstBatch({ views: mnistViews(4), workers: 0 }, dataset);
    const parts = await firstBatch({ views: [half, half], workers: 0 }, dataset);
    expect(whole.groups).toHaveLength(1);
    expect(parts.groups.map(({ views, shape }) => [views, shape])).toEqual([
      [2, [12, 28, 28, 1]],
      [2, [12, 28, 28, 1]],
    ]);
    const together = parts.groups.flatMap(({ images }) => [...images]);
    expect(whole.groups[0].images).toEqual(Float32Array.from(together));
    expect(parts.indices).toEqual(whole.indices);
    expect(parts.labels).toEqual(whole.labels);
  });

  test("may differ in size and transforms, and are the same from threads of either kind", async () => {
    const views: ViewGroup[] = [
      { count: 2, size: [8, 6], transforms: [crop, normalise] },
      { count: 3, size: [3, 5], transforms: [{ name: "horizontal-flip" }], values: "bytes" },
    ];
    const here = await firstBatch({ views, workers: 0 });
    expect(here.groups.map(({ shape }) => shape)).toEqual([
      [12, 8, 6, 1],
      [18, 3, 5, 1],
    ]);
    expect(here.groups[1]!.images).toBeInstanceOf(Uint8Array);
    expect(await firstBatch({ views, workers: 1 })).toEqual(here);
    expect(await firstBatch({ views, workers: 1 }, plainDataset({ length: 20 }))).toEqual(here);
  });

  test("are refused with the place of what is wrong, and when there are none", () => {
    const right = { count: 1, transforms: [] };
    expect(checkViewGroups(right)).toEqual([right]);
    const list = [right, right];
    expect(checkViewGroups(list)).toEqual(list);
    for (const [views, place] of [
      [[], "the list is empty"],
      [[right, { count: 0, transforms: [] }], "views[1].count"],
      [[right, { count: 1, transforms: [{ name: "elastic" }] }], "views[1].transforms[0].sigma"],
      [new Array(2), "views[0]"],
      [{ ...right, values: "halves" }, "views.values"],
      [{ ...right, values: "bytes", transforms: [normalise, crop] }, "views.transforms[0]"],
    ] as const)
      expect(() => checkViewGroups(views)).toThrow(
        expect.objectContaining({
          code: "invalid-views",
          message: expect.stringContaining(place) as string,
        }),
      );
  });

  test("without a size need images of one size, whatever the other groups have", async () => {
    const views = [
      { count: 1, size: [4, 4] as const, transforms: [] },
      { count: 1, transforms: [] },
    ];
    const dataset = numberedDataset({ length: 6, tallerAt: 3 });
    const options = { views, order: "sequential", workers: 0 } as const;
    await expect(firstBatch(options, dataset)).rejects.toMatchObject({ code: "invalid-sample" });
  });
});

describe("views as bytes", () => {
  const group = (...transforms: TransformSpec[]): ViewGroup => ({
    count: 2,
    size: [6, 5],
    transforms,
  });
  const both = async (views: ViewGroup) => {
    const dataset = await mnist({ split: "test" });
    const [floats] = (await firstBatch({ views, workers: 0 }, dataset)).groups;
    const inBytes = { ...views, values: "bytes" } as const;
    const [bytes] = (await firstBatch({ views: inBytes, workers: 0 }, dataset)).groups;
    expect(floats.normalise).toBeUndefined();
    expect(floatImages(floats)).toBe(floats.images);
    expect(bytes.images).toBeInstanceOf(Uint8Array);
    return { floats: floats.images, bytes };
  };

  test("normalised later are the views as floats, bit for bit, of bytes sampled and mirrored", async () => {
    const { floats, bytes } = await both(group(crop, { name: "horizontal-flip" }, normalise));
    expect(bytes.normalise).toEqual({ mean: [0.4], std: [0.2] });
    expect(floatImages(bytes)).toEqual(floats);
    expect(new Set(floats).size).toBeGreaterThan(20);
  });

  test("are at most half a level off after any other transform, in units of the deviation", async () => {
    const { floats, bytes } = await both(
      group({ name: "affine", degrees: 20 }, { name: "gaussian-blur", kernel: 3 }, normalise),
    );
    const later = floatImages(bytes);
    floats.forEach((value, i) =>
      expect(Math.abs(later[i]! - value)).toBeLessThanOrEqual(0.5 / 255 / 0.2 + 1e-6),
    );
    expect(later).not.toEqual(floats);
  });

  test("are limited to what bytes hold, and without a normalisation are left at that", async () => {
    const brighter: TransformSpec = {
      name: "brightness-contrast",
      brightness: 1,
      overflow: "keep",
    };
    const { floats, bytes } = await both(group(brighter));
    expect(bytes.normalise).toBeUndefined();
    expect(Math.max(...floats)).toBeGreaterThan(1.2);
    const limited = Array.from(floats, (value) => Math.round(255 * Math.min(value, 1)));
    expect([...bytes.images]).toEqual(limited);
  });

  test("of three channels are normalised channel by channel", () => {
    const normalised = floatImages({
      images: Uint8Array.of(0, 51, 255, 255, 0, 102),
      shape: [2, 1, 1, 3],
      normalise: { mean: [0, 0.2, 1], std: [1, 0.5, 2] },
    });
    expect([...normalised].map((value) => Number(value.toFixed(6)))).toEqual([
      0, 0, 0, 1, -0.4, -0.3,
    ]);
    const shape = [1, 1, 1, 1] as const;
    expect(() => floatImages({ images: Uint8Array.of(1, 2), shape, normalise: undefined })).toThrow(
      expect.objectContaining({ code: "invalid-option" }),
    );
  });
});
