import { createHash } from "node:crypto";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { gzipSync } from "node:zlib";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { datasetNames, mnist, openDataset, readIdx, type Dataset } from "@lejepa/data";
import { describe, expect, test } from "vitest";

/** SHA-256 of the IDX file that holds this array. */
function sha256OfIdx(shape: number[], data: Uint8Array): string {
  const header = Buffer.alloc(4 + 4 * shape.length);
  header.set([0, 0, 8, shape.length]);
  shape.forEach((side, axis) => header.writeUInt32BE(side, 4 + 4 * axis));
  return createHash("sha256").update(header).update(data).digest("hex");
}

/** All pixels, then all labels, of a dataset read item by item. */
async function contentOf(dataset: Dataset): Promise<{ pixels: Uint8Array; labels: Uint8Array }> {
  const pixels = new Uint8Array(dataset.length * 784);
  const labels = new Uint8Array(dataset.length);
  for (let i = 0; i < dataset.length; i++) {
    const { image, label } = await dataset.item(i);
    pixels.set(image.data, i * 784);
    labels[i] = label!;
  }
  return { pixels, labels };
}

describe("mnist", () => {
  // The checksums of the four original files, unpacked.
  test.each([
    [
      "train",
      60_000,
      5,
      "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
      "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    ],
    [
      "test",
      10_000,
      7,
      "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
      "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    ],
  ] as const)(
    "%s holds %i digits, the first a %i",
    async (split, length, first, pixels, labels) => {
      const dataset = await mnist({ split });
      expect(dataset).toMatchObject({ name: `mnist/${split}`, length });
      const sample = await dataset.item(0);
      expect(sample.label).toBe(first);
      expect(sample.image).toMatchObject({ height: 28, width: 28, channels: 1 });
      const content = await contentOf(dataset);
      expect(sha256OfIdx([length, 28, 28], content.pixels)).toBe(pixels);
      expect(sha256OfIdx([length], content.labels)).toBe(labels);
    },
  );

  test("refuses an index outside the dataset", async () => {
    const dataset = await openDataset("mnist", { split: "test" });
    expect(() => dataset.item(10_000)).toThrow(
      expect.objectContaining({ name: "LejepaError", code: "invalid-option" }),
    );
  });
});

describe("mnist from a folder", () => {
  const images = [0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 1, 10, 20];
  const inFolder = async (
    files: Record<string, number[]>,
    check: (folder: string) => Promise<void>,
  ) => {
    const folder = await mkdtemp(join(tmpdir(), "lejepa-mnist-"));
    for (const [name, bytes] of Object.entries(files))
      await writeFile(join(folder, name), Uint8Array.from(bytes));
    await check(folder);
    await rm(folder, { recursive: true });
  };

  test("reads both usual file names", () =>
    inFolder(
      {
        "t10k-images.idx3-ubyte": images,
        "t10k-labels-idx1-ubyte": [0, 0, 8, 1, 0, 0, 0, 2, 3, 4],
      },
      async (folder) => {
        const dataset = await mnist({ split: "test", folder });
        expect(dataset.length).toBe(2);
        expect(await dataset.item(1)).toEqual({
          image: { height: 1, width: 1, channels: 1, data: Uint8Array.of(20) },
          label: 4,
        });
      },
    ));

  test("reads compressed files, and files beside a folder of the other name", () =>
    inFolder(
      {
        "t10k-images.idx3-ubyte": images,
        "t10k-labels-idx1-ubyte.gz": [...gzipSync(Uint8Array.of(0, 0, 8, 1, 0, 0, 0, 2, 3, 4))],
      },
      async (folder) => {
        await mkdir(join(folder, "t10k-images-idx3-ubyte"));
        const dataset = await mnist({ split: "test", folder });
        expect(await dataset.item(1)).toMatchObject({ label: 4 });
      },
    ));

  test("a folder in the place of the only file is refused as one", () =>
    inFolder({ "t10k-labels-idx1-ubyte": [0, 0, 8, 1, 0, 0, 0, 2, 3, 4] }, async (folder) => {
      const place = join(folder, "t10k-images.idx3-ubyte");
      await mkdir(place);
      await expect(mnist({ split: "test", folder })).rejects.toMatchObject({
        code: "missing-file",
        file: place,
        message: expect.stringContaining("it is a folder") as string,
      });
    }));

  test("refuses other numbers of images and labels", () =>
    inFolder(
      {
        "t10k-images-idx3-ubyte": images,
        "t10k-labels-idx1-ubyte": [0, 0, 8, 1, 0, 0, 0, 3, 3, 4, 5],
      },
      async (folder) => {
        await expect(mnist({ split: "test", folder })).rejects.toMatchObject({
          code: "label-count",
          file: join(folder, "t10k-labels-idx1-ubyte"),
          message: expect.stringContaining("3 labels for the 2 images") as string,
        });
      },
    ));

  test("refuses a truncated file", () =>
    inFolder(
      {
        "t10k-images-idx3-ubyte": images.slice(0, -1),
        "t10k-labels-idx1-ubyte": [0, 0, 8, 1, 0, 0, 0, 2, 3, 4],
      },
      async (folder) => {
        await expect(mnist({ split: "test", folder })).rejects.toMatchObject({
          code: "idx-truncated",
          file: join(folder, "t10k-images-idx3-ubyte"),
        });
      },
    ));

  test("refuses what is no folder", () =>
    inFolder({ file: [1] }, async (folder) => {
      for (const path of [join(folder, "nowhere"), join(folder, "file")])
        await expect(mnist({ split: "test", folder: path })).rejects.toMatchObject({
          code: "missing-file",
          file: path,
          message: expect.stringContaining("is no folder") as string,
        });
    }));

  test("refuses an empty folder with the file it looked for", () =>
    inFolder({}, async (folder) => {
      await expect(mnist({ split: "test", folder })).rejects.toMatchObject({
        code: "missing-file",
        file: expect.stringContaining("t10k-") as string,
      });
      await expect(readIdx(join(folder, "x"))).rejects.toMatchObject({ code: "missing-file" });
    }));
});

describe("openDataset", () => {
  test("knows mnist", () => expect(datasetNames()).toEqual(["mnist"]));

  test.each([
    ["minst", 'Did you mean "mnist"?'],
    ["imagenet", "Known: mnist."],
    ["toString", "Known: mnist."],
  ])("refuses %s and says which there are", async (name, words) => {
    await expect(openDataset(name, { split: "train" })).rejects.toMatchObject({
      name: "LejepaError",
      code: "unknown-dataset",
      message: expect.stringContaining(words) as string,
    });
  });

  test("refuses an unknown split", async () => {
    await expect(openDataset("mnist", { split: "val" as "test" })).rejects.toMatchObject({
      code: "invalid-option",
    });
  });
});
