import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { gzipSync } from "node:zlib";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { readIdx } from "./idx.js";

let folder: string;
beforeAll(async () => void (folder = await mkdtemp(join(tmpdir(), "lejepa-idx-"))));
afterAll(() => rm(folder, { recursive: true }));

/** Two images of 2 x 3: 4 bytes of type and rank, three sizes, twelve values. */
const good = [
  ...[0, 0, 8, 3],
  ...[0, 0, 0, 2],
  ...[0, 0, 0, 2],
  ...[0, 0, 0, 3],
  ...[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 255],
];

async function written(bytes: readonly number[]): Promise<string> {
  const file = join(folder, "images");
  await writeFile(file, Uint8Array.from(bytes));
  return file;
}

test("reads sizes and values, into memory that threads share", async () => {
  const { shape, data } = await readIdx(await written(good), 3);
  expect(shape).toEqual([2, 2, 3]);
  expect([...data]).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 255]);
  expect(data.buffer).toBeInstanceOf(SharedArrayBuffer);
});

const packed = (bytes: readonly number[]): number[] => [...gzipSync(Uint8Array.from(bytes))];
/** The checksum of the content stands 8 bytes before the end. */
const damaged = packed(good).map((byte, at, all) => (at === all.length - 8 ? byte ^ 1 : byte));

test("reads a file compressed with gzip, in one part or in several, whatever its name", async () => {
  const parts = [...packed(good.slice(0, 9)), ...packed(good.slice(9))];
  for (const bytes of [packed(good), parts]) {
    const { shape, data } = await readIdx(await written(bytes), 3);
    expect(shape).toEqual([2, 2, 3]);
    expect([...data]).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 255]);
    expect(data.buffer).toBeInstanceOf(SharedArrayBuffer);
  }
});

const faults: [string, number[], string, string][] = [
  ["an empty file", [], "idx-truncated", "0 bytes"],
  ["a file that ends in the header", good.slice(0, 9), "idx-truncated", "9 bytes"],
  [
    "a file that lacks its last value",
    good.slice(0, -1),
    "idx-truncated",
    "27 bytes of at least 28",
  ],
  ["a file with one value too many", [...good, 0], "idx-trailing-bytes", "1 bytes after"],
  ["a wrong first byte", [1, ...good.slice(1)], "idx-magic", "not an IDX file"],
  ["a text file", [...Buffer.from("<!doctype html>")], "idx-magic", "not an IDX file"],
  ["a compressed file that ends early", packed(good).slice(0, -6), "idx-gzip", "unpacked"],
  ["gzip's first bytes and nothing else", [0x1f, 0x8b, 8, 0, 0], "idx-gzip", "unpacked"],
  ["a compressed file whose checksum is wrong", damaged, "idx-gzip", "unpacked"],
  [
    "a compressed file that lacks its last value",
    packed(good.slice(0, -1)),
    "idx-truncated",
    "27 bytes of at least 28",
  ],
  [
    "a compressed file with one value too many",
    packed([...good, 0]),
    "idx-trailing-bytes",
    "1 bytes after",
  ],
  [
    "a compressed text",
    packed([...Buffer.from("<!doctype html>")]),
    "idx-magic",
    "not an IDX file",
  ],
  ["no axes", [0, 0, 8, 0], "idx-magic", "not an IDX file"],
  ["32-bit values", [0, 0, 0x0c, ...good.slice(3)], "idx-type", "0x0c"],
  ["labels in place of images", [0, 0, 8, 1, 0, 0, 0, 1, 7], "idx-dimensions", "1 axes"],
  ["no images", [0, 0, 8, 3, 0, 0, 0, 0, ...good.slice(8, 16)], "idx-dimensions", "empty"],
];
test.each(faults)(
  "%s is refused with the file and what to do",
  async (_name, bytes, code, words) => {
    const file = await written(bytes);
    await expect(readIdx(file, 3)).rejects.toMatchObject({
      name: "LejepaError",
      code,
      file,
      message: expect.stringContaining(words) as string,
    });
  },
);

test.each<[string, (path: string) => unknown, string]>([
  ["nothing", () => undefined, "it is not there"],
  ["a folder", (path) => mkdir(path), "it is a folder"],
  ["a device", (path) => symlink("/dev/null", path), "no plain file"],
])("%s in the place of the file is refused with its path", async (name, make, words) => {
  const file = join(folder, name);
  await make(file);
  await expect(readIdx(file)).rejects.toMatchObject({
    name: "LejepaError",
    code: "missing-file",
    file,
    message: expect.stringContaining(words) as string,
  });
});
