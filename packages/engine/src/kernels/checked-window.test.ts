import { backend_util } from "@tensorflow/tfjs-core";
import { expect, test } from "vitest";
import { checkedWindow, type Padded } from "./checked-window.js";
import type { Window } from "./window.js";

type Pair = [number, number];

function windowOf(
  [height, width]: Pair,
  [rows, columns]: Pair,
  strides: Pair,
  { pad, dimRoundingMode }: Padded,
  dilations: Pair = [1, 1],
): Window {
  const [x, filter] = [
    [1, height, width, 1],
    [rows, columns, 1, 1],
  ] as [[number, number, number, number], [number, number, number, number]];
  return backend_util.computeConv2DInfo(x, filter, strides, dilations, pad, dimRoundingMode);
}

const explicit = (rows: Pair, columns: Pair): Padded["pad"] => [[0, 0], rows, columns, [0, 0]];

test.each<[string, Pair, Pair, Pair, Padded, string]>([
  [
    "unequal strides",
    [5, 5],
    [2, 2],
    [1, 2],
    { pad: 0 },
    "columns of the result .* 4 instead of 2",
  ],
  ["a filter that is not square", [5, 5], [3, 1], [1, 1], { pad: 1 }, "5 instead of 7"],
  ["a filter beyond the image", [3, 9], [4, 2], [1, 1], { pad: "valid" }, "4 rows, and the image"],
  ["half a pixel", [5, 5], [2, 2], [1, 1], { pad: 0.5 }, "whole numbers of 0 or more"],
  ["less than nothing", [5, 5], [2, 2], [1, 1], { pad: explicit([0, 0], [-1, 0]) }, "0, 0, -1, 0"],
])("a window is refused for %s", (_, image, filter, strides, padded, message) => {
  const window = windowOf(image, filter, strides, padded);
  expect(() => checkedWindow(window, padded)).toThrow(new RegExp(message));
});

test("a dilated filter counts its gaps", () => {
  const padded = { pad: 1 };
  const window = windowOf([9, 9], [3, 3], [1, 1], padded, [1, 2]);
  expect(() => checkedWindow(window, padded)).toThrow("9 instead of 7");
});

test.each<[string, Pair, Pair, Pair, Padded]>([
  [
    "explicit paddings by unequal strides",
    [5, 5],
    [2, 2],
    [1, 2],
    { pad: explicit([0, 0], [0, 0]) },
  ],
  ["unequal strides in one number that count the same", [5, 5], [2, 2], [3, 2], { pad: 0 }],
  ["one number, rounded up", [6, 6], [3, 3], [2, 2], { pad: 1, dimRoundingMode: "ceil" }],
  ["one number without a rounding", [6, 6], [3, 3], [2, 2], { pad: 1 }],
  ["valid by unequal strides", [7, 9], [3, 2], [2, 3], { pad: "valid" }],
  ["a part wholly beyond the image", [4, 4], [1, 1], [3, 3], { pad: 1, dimRoundingMode: "ceil" }],
  ["same by unequal strides", [7, 9], [3, 2], [2, 3], { pad: "same" }],
])("a window may have %s", (_, image, filter, strides, padded) => {
  const window = windowOf(image, filter, strides, padded);
  expect(checkedWindow(window, padded)).toBe(window);
});
