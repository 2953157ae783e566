import {
  arrayDataset,
  fingerprintDifferences,
  fingerprintOf,
  type ArrayDatasetOptions,
  type Dataset,
} from "@lejepa/data";
import { describe, expect, test } from "vitest";

/** Images of 4 x 3 bytes, no two alike, with labels 0..4. */
const options = (length: number) => ({
  name: "numbers",
  images: Uint8Array.from({ length: length * 12 }, (_, i) => {
    const [item, pixel] = [Math.floor(i / 12), i % 12];
    return pixel === 0 ? item & 255 : pixel === 1 ? item >> 8 : (item * pixel) % 251;
  }),
  shape: [length, 4, 3, 1] as const,
  labels: Array.from({ length }, (_, i) => i % 5),
});
const numbers = (length: number): Dataset => arrayDataset(options(length));

const differences = async (before: Dataset, now: Dataset): Promise<readonly string[]> => {
  // Through JSON, as a run stores it.
  const stored = JSON.parse(JSON.stringify(await fingerprintOf(before))) as Awaited<
    ReturnType<typeof fingerprintOf>
  >;
  return fingerprintDifferences(stored, now);
};

/** The same images behind promises, counting how many are read. */
function lazily(dataset: Dataset): { dataset: Dataset; read: () => number } {
  let read = 0;
  const { name, length } = dataset;
  return {
    dataset: { name, length, item: async (index) => (read++, await dataset.item(index)) },
    read: () => read,
  };
}

describe("a fingerprint", () => {
  test("says what the dataset is, in JSON of less than 3 kB", async () => {
    const found = await fingerprintOf(arrayDataset({ ...options(1000), classes: ["a", "b"] }));
    expect(found).toMatchObject({
      name: "numbers",
      count: 1000,
      size: "4 x 3",
      channels: 1,
      values: "bytes",
      labelled: true,
      classes: { count: 2 },
      sampled: 1000,
    });
    expect(found.hash).toMatch(/^[0-9a-f]{64}$/);
    expect(JSON.stringify(found).length).toBeLessThan(3000);
  });

  test("is the same each time, from another copy, under another name and read later", async () => {
    const before = numbers(200);
    expect(await fingerprintOf(numbers(200))).toEqual(await fingerprintOf(before));
    expect(await differences(before, { ...numbers(200), name: "moved" })).toEqual([]);
    expect(await differences(before, lazily(numbers(200)).dataset)).toEqual([]);
    expect(await differences(lazily(numbers(200)).dataset, before)).toEqual([]);
  });

  test("reads at most 256 items of data that are not in memory, the first and the last among them", async () => {
    const many = lazily(numbers(2000));
    expect(await fingerprintOf(many.dataset)).toMatchObject({ count: 2000, sampled: 256 });
    // The first one also tells size and kind.
    expect(many.read()).toBe(257);
    // A resumed run that has the same data in memory reads the same sample.
    expect(await differences(many.dataset, numbers(2000))).toEqual([]);
    for (const item of [0, 1999]) {
      const { images, ...rest } = options(2000);
      images[item * 12 + 5]! ^= 1;
      const other = await differences(many.dataset, arrayDataset({ images, ...rest }));
      expect(other).toEqual([`other pixels in item ${item}`]);
    }
  });

  test("of images of several sizes gives their range", async () => {
    const image = (height: number) => ({
      image: { height, width: 2, channels: 1, data: new Uint8Array(height * 2) },
    });
    const dataset = { name: "sizes", length: 3, item: (index: number) => image(4 + index) };
    expect(await fingerprintOf(dataset)).toMatchObject({ size: "4 to 6 x 2", labelled: false });
  });
});

describe("what differs is named", () => {
  const changed = (length: number, change: (made: ReturnType<typeof options>) => void): Dataset => {
    const made = options(length);
    change(made);
    return arrayDataset(made);
  };

  test.each([200, 60_000])("one bit of one pixel of %i images", async (length) => {
    const item = length / 2 + 31;
    const now = changed(length, ({ images }) => (images[item * 12 + 7]! ^= 1));
    const [difference, ...others] = await differences(numbers(length), now);
    expect(others).toEqual([]);
    const range = /^other pixels in (?:item (\d+)|one of items (\d+) to (\d+))$/.exec(difference!)!;
    const [first, last] = [range[1] ?? range[2]!, range[1] ?? range[3]!].map(Number);
    expect(first).toBeLessThanOrEqual(item);
    expect(last).toBeGreaterThanOrEqual(item);
    expect(last! - first!).toBeLessThan(length / 250);
  });

  test("one label, several labels", async () => {
    const one = changed(200, ({ labels }) => (labels[137] = 9));
    expect(await differences(numbers(200), one)).toEqual(["other labels of item 137"]);
    const three = changed(200, ({ labels }) => [7, 8, 199].forEach((item) => (labels[item] = 9)));
    expect(await differences(numbers(200), three)).toEqual(["other labels of item 7 and 2 others"]);
  });

  test("two images that changed places", async () => {
    const now = changed(200, ({ images }) => {
      const third = images.slice(36, 48);
      images.copyWithin(36, 48, 60);
      images.set(third, 48);
    });
    expect(await differences(numbers(200), now)).toEqual([
      "the same images in another order (item 3 and 1 other)",
    ]);
  });

  test("fewer images, appended images, and other images in front", async () => {
    expect(await differences(numbers(200), numbers(65))).toEqual(["65 images instead of 200"]);
    expect(await differences(numbers(200), numbers(265))).toEqual([
      "265 images instead of 200, of which the first 200 are the same",
    ]);
    const other = changed(265, ({ images }) => (images[0] = 77));
    expect(await differences(numbers(200), other)).toEqual([
      "265 images instead of 200, and the first 200 are not the same",
    ]);
  });

  test("size, channels, floats, labels and classes", async () => {
    const { images, labels, name } = options(60);
    const of = (rest: Partial<ArrayDatasetOptions>): Dataset =>
      arrayDataset({ name, images, labels, shape: [60, 4, 3, 1], ...rest });
    const before = of({ classes: ["a", "b"] });
    const now = async (rest: Partial<ArrayDatasetOptions>) =>
      differences(before, of({ classes: ["a", "b"], ...rest }));
    expect(await now({ shape: [60, 3, 4, 1] })).toEqual(["3 x 4 pixels instead of 4 x 3"]);
    expect(await now({ shape: [20, 4, 3, 3], labels: labels.slice(0, 20) })).toEqual([
      "20 images instead of 60",
      "3 channels instead of 1",
    ]);
    expect(await now({ images: Float32Array.from(images) })).toEqual([
      "floats as pixels instead of bytes",
    ]);
    expect(await now({ classes: ["a", "c"] })).toEqual(["other names of classes"]);
    expect(await now({ classes: ["a", "b", "c"] })).toEqual(["3 names of classes instead of 2"]);
    const unlabelled = arrayDataset({ name, images, shape: [60, 4, 3, 1], classes: ["a", "b"] });
    expect(await differences(before, unlabelled)).toEqual(["no labels where there were"]);
    expect(await differences(unlabelled, before)).toEqual(["labels where there were none"]);
  });

  test("ids, when both have them", async () => {
    const ids = Array.from({ length: 200 }, (_, i) => `${i}.png`);
    const before: Dataset = { ...numbers(200), ids };
    expect(await differences(before, { ...numbers(200), ids: [...ids] })).toEqual([]);
    expect(await differences(before, numbers(200))).toEqual([]);
    const renamed = ids.map((id) => (id === "12.png" ? "dozen.png" : id));
    expect(await differences(before, { ...numbers(200), ids: renamed })).toEqual([
      "other ids of item 12",
    ]);
  });
});

describe("refused", () => {
  test.each([0, -1, Number.NaN])("a dataset of length %s", async (length) => {
    const dataset = { ...numbers(3), length };
    await expect(fingerprintOf(dataset)).rejects.toMatchObject({ code: "invalid-option" });
  });

  test("ids that are not as many as the images", async () => {
    const dataset = { ...numbers(3), ids: ["a"] };
    await expect(fingerprintOf(dataset)).rejects.toMatchObject({ code: "invalid-option" });
  });

  test.each(["at once", "later"])("items that fail %s are named", async (when) => {
    const fail = (): never => {
      throw new Error("no such file");
    };
    const good = numbers(40);
    const item = (index: number) => (index === 33 ? fail() : good.item(index));
    const later = async (index: number) => Promise.resolve(item(index));
    const dataset = { name: "files", length: 40, item: when === "later" ? later : item };
    await expect(fingerprintOf(dataset)).rejects.toMatchObject({ code: "item-failed", index: 33 });
  });
});
