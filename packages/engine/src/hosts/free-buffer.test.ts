import { setImmediate as turn } from "node:timers/promises";
import { expect, test } from "vitest";
import { freeBuffer } from "./free-buffer.js";

test("a freed array has no elements, and its memory is not counted any more", async () => {
  const size = 64 * 2 ** 20;
  const array = new Float32Array(size / 4).fill(1);
  // The port that leads nowhere closes in a turn of its own.
  await turn();
  const before = process.memoryUsage().arrayBuffers;
  freeBuffer(array.buffer);
  expect(array).toHaveLength(0);
  await turn();
  expect(before - process.memoryUsage().arrayBuffers).toBeGreaterThan(0.9 * size);
});
