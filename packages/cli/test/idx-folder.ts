import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** The four files of MNIST with images of our own. */
export function writeIdxFolder(folder: string, counts: { train: number; test: number }): void {
  const be = (value: number): number[] => [0, 0, value >> 8, value & 255];
  mkdirSync(folder);
  for (const [prefix, count] of [
    ["train", counts.train],
    ["t10k", counts.test],
  ] as const) {
    const pixels = Array.from({ length: count * 784 }, (_, i) => (i * (1 + (i >> 9))) & 255);
    const labels = Array.from({ length: count }, (_, i) => i % 2);
    const images = [0, 0, 8, 3, ...be(count), ...be(28), ...be(28), ...pixels];
    writeFileSync(join(folder, `${prefix}-images-idx3-ubyte`), Uint8Array.from(images));
    writeFileSync(
      join(folder, `${prefix}-labels-idx1-ubyte`),
      Uint8Array.from([0, 0, 8, 1, ...be(count), ...labels]),
    );
  }
}
