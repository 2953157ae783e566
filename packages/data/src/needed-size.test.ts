import { expect, test } from "vitest";
import { neededSize } from "./needed-size.js";
import { randomOf } from "./random.js";
import { drawWindow } from "./transforms/random-resized-crop.js";
import type { TransformSpec } from "./transforms/table.js";

const of = (...transforms: TransformSpec[]) =>
  neededSize([{ count: 1, size: [24, 32], transforms }]);

test.each<[string, TransformSpec[], [number, number] | undefined]>([
  ["nothing but a stretch", [], [24, 32]],
  [
    "a flip and values",
    [{ name: "horizontal-flip" }, { name: "normalise", mean: 0, std: 1 }],
    [24, 32],
  ],
  // 32^2 / 1 / 0.25 pixels are a square of 64.
  [
    "windows of a quarter",
    [{ name: "random-resized-crop", scale: [0.25, 1], ratio: [1, 1] }],
    [64, 64],
  ],
  // 32^2 / (1/4) / 1 pixels: the narrowest window of the whole area is half as wide as high.
  ["narrow windows", [{ name: "random-resized-crop", scale: [1, 1], ratio: [0.25, 1] }], [64, 64]],
  ["twice the size", [{ name: "affine", scale: [0.5, 2] }], [48, 64]],
  ["four times as wide as high", [{ name: "affine", aspect: [1, 4] }], [48, 64]],
  ["a blur of the view", [{ name: "gaussian-blur", kernel: 3 }], [24, 32]],
  [
    "a blur before a crop",
    [{ name: "gaussian-blur", kernel: 3 }, { name: "random-resized-crop" }],
    undefined,
  ],
  ["the middle of the image", [{ name: "center-crop" }], undefined],
  [
    "the middle of an image of one size",
    [{ name: "resize", shorterSide: 40 }, { name: "center-crop" }],
    [40, 40],
  ],
  [
    "antialiased windows of a quarter",
    [{ name: "random-resized-crop", antialias: true, scale: [0.25, 1], ratio: [1, 1] }],
    [64, 64],
  ],
])("%s", (_name, transforms, expected) => {
  const size = of(...transforms);
  expect(size && [size.height, size.width]).toEqual(expected);
});

test("views of the size of the image need it as it is", () => {
  expect(neededSize([{ count: 1, transforms: [] }])).toBeUndefined();
});

test("of several groups the largest counts, and one that needs images as they are", () => {
  const square = (side: number) => ({ count: 1, size: [side, side] as const, transforms: [] });
  expect(neededSize([square(9), square(30), square(8)])).toEqual({ height: 30, width: 30 });
  expect(neededSize([square(9), { count: 1, transforms: [] }])).toBeUndefined();
});

test.each([
  { scale: [0.08, 1] as const, ratio: [3 / 4, 4 / 3] as const },
  { scale: [0.3, 0.4] as const, ratio: [0.5, 2] as const },
  { scale: [1, 1] as const, ratio: [2, 3] as const },
])("no window of an image so large, whatever its shape, is smaller than the view: %j", (crop) => {
  const least = of({ name: "random-resized-crop", ...crop })!;
  for (const [height, width] of [
    [least.height, least.width],
    [least.height, 5 * least.width],
    [5 * least.height, least.width],
  ] as const)
    for (let i = 0; i < 300; i++) {
      const window = drawWindow(randomOf(`needed/${i}`), { height, width }, crop.scale, crop.ratio);
      expect(window.height).toBeGreaterThanOrEqual(24);
      expect(window.width).toBeGreaterThanOrEqual(32);
    }
});
