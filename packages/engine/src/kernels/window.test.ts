import { backend_util } from "@tensorflow/tfjs-core";
import { expect, test } from "vitest";
import { exactWindow, type Window } from "./window.js";

/** Windows of `reach` rows by `stride` over `rows` rows and one column, `before` zeros before them. */
function over(
  rows: number,
  reach: number,
  stride: number,
  before: number,
  outputs: number,
): Window {
  const window = backend_util.computeConv2DInfo(
    [1, rows, 1, 1],
    [reach, 1, 1, 1],
    stride,
    1,
    "same",
  );
  return { ...window, outHeight: outputs, padInfo: { ...window.padInfo, top: before } };
}

test.each([
  ["what is left over may stay", over(8, 3, 2, 0, 3), 8, 0, 0],
  ["more than a stride of it may not", over(9, 3, 2, 0, 3), 7, 0, 0],
  ["the last output reaches beyond the end", over(7, 3, 3, 1, 3), 7, 1, 1],
  ["the first output begins behind the start", over(5, 1, 2, -1, 2), 4, 0, 0],
  ["all outputs lie in the zeros before it", over(1, 3, 3, 4, 1), 1, 4, 0],
])("of an image the part that outputs reach is taken: %s", (_, window, rows, top, bottom) => {
  const exact = exactWindow(window);
  expect(exact.inHeight).toBe(rows);
  expect(exact.inShape).toEqual([1, rows, 1, 1]);
  expect(exact.padInfo).toMatchObject({ top, bottom });
  // Every runtime counts so many outputs of it.
  const counted = Math.floor((rows + top + bottom - window.filterHeight) / window.strideHeight) + 1;
  expect(counted).toBe(window.outHeight);
});
