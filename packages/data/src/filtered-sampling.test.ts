import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { filterNames, sampleFiltered, type FilterName } from "./filtered-sampling.js";
import type { Image } from "./image.js";
import { randomOf } from "./random.js";
import { wholeOf, type Window } from "./window.js";

const golden = <Case>(name: string): Case[] =>
  (
    JSON.parse(readFileSync(new URL(`../test/golden/${name}`, import.meta.url), "utf8")) as {
      cases: Case[];
    }
  ).cases;

const imageOf = ([height, width, channels]: number[], values: number[], kind: string): Image => ({
  height: height!,
  width: width!,
  channels: channels!,
  data: kind === "uint8" ? Uint8Array.from(values) : Float32Array.from(values),
});

/** Largest difference; NaN counts as infinite. */
const furthest = (got: ArrayLike<number>, expected: number[]): number =>
  expected.reduce((most, value, i) => {
    const off = Math.abs(got[i]! - value);
    return off <= most ? most : Number.isNaN(off) ? Infinity : off;
  }, 0);

describe("Pillow 13", () => {
  const cases = golden<{
    kind: "uint8" | "float32";
    filter: FilterName;
    shape: number[];
    box: [left: number, top: number, right: number, bottom: number];
    size: [number, number];
    values: number[];
    expected: number[];
  }>("pillow-resize.json");

  test("has cases of every filter, of bytes and of floats", () => {
    expect(cases).toHaveLength(84);
    expect(new Set(cases.map(({ filter }) => filter))).toEqual(new Set(filterNames));
  });

  test.each(cases)("$kind $filter of $shape, box $box to $size", (each) => {
    const image = imageOf(each.shape, each.values, each.kind);
    const [left, top, right, bottom] = each.box;
    const window: Window = { top, left, height: bottom - top, width: right - left };
    const [height, width] = each.size;
    const resized = sampleFiltered(image, window, wholeOf(image), { height, width }, each.filter);
    expect(resized).toMatchObject({ height, width, channels: image.channels });
    expect(resized.data).toBeInstanceOf(image.data.constructor);
    expect(resized.data).toHaveLength(each.expected.length);
    // Bytes are the same to the last one; floats are stored with six decimals.
    expect(furthest(resized.data, each.expected)).toBeLessThanOrEqual(
      each.kind === "uint8" ? 0 : 2e-6,
    );
    expect(furthest(new Float32Array(each.expected.length), each.expected)).toBeGreaterThan(0.1);
  });
});

describe("torchvision's resized crop", () => {
  const cases = [
    ...golden<TorchvisionCrop>("resized-crop-bilinear.json"),
    ...golden<TorchvisionCrop>("resized-crop-bicubic.json"),
  ];
  interface TorchvisionCrop {
    id: string;
    dtype: string;
    inputs: { image: { shape: number[]; data: number[] } };
    options: Window & { size: [number, number]; interpolation: "bilinear" | "bicubic" };
    expected: { image: { data: number[] } };
    tolerance: { abs: number; maxDifferingFraction?: number };
  }
  test("has 27 cases", () => expect(cases).toHaveLength(27));

  test.each(cases)("$id $dtype $options.interpolation", ({ dtype, ...each }) => {
    const image = imageOf(each.inputs.image.shape, each.inputs.image.data, dtype);
    const { size, interpolation, ...window } = each.options;
    const [height, width] = size;
    const { data } = sampleFiltered(image, window, window, { height, width }, interpolation);
    const expected = each.expected.image.data;
    expect(data).toHaveLength(expected.length);
    expect(furthest(data, expected)).toBeLessThanOrEqual(each.tolerance.abs);
    const differing = expected.filter((value, i) => value !== data[i]).length / expected.length;
    if (dtype === "uint8")
      expect(differing).toBeLessThanOrEqual(each.tolerance.maxDifferingFraction!);
  });
});

test("noise shrunk 16 times keeps a sixteenth of its deviation: every pixel counts", () => {
  const random = randomOf("noise");
  const data = Float32Array.from({ length: 512 * 512 }, () => (random() < 0.5 ? 0 : 1));
  const image: Image = { height: 512, width: 512, channels: 1, data };
  const size = { height: 32, width: 32 };
  const shrunk = sampleFiltered(image, wholeOf(image), wholeOf(image), size, "box");
  const values = [...shrunk.data];
  const mean = values.reduce((sum, value) => sum + value / 1024, 0);
  const deviation = Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2 / 1024, 0));
  // Of a mean of 256 values of deviation 0.5, with four of its own standard errors, 0.031 / sqrt(2 * 1024).
  expect(Math.abs(deviation - 0.5 / 16)).toBeLessThan(4 * (0.03125 / Math.sqrt(2048)));
});

test("a constant image stays constant whatever the filter, the window and the size", () => {
  for (const filter of filterNames)
    for (const [side, output] of [
      [3, 9],
      [7, 7],
      [9, 2],
    ] as const) {
      const image: Image = {
        height: 9,
        width: 11,
        channels: 3,
        data: new Uint8Array(297).fill(200),
      };
      const window = { top: 0, left: 1, height: side, width: side };
      const size = { height: output, width: output };
      const { data } = sampleFiltered(image, window, window, size, filter);
      expect([...data]).toEqual(Array(output * output * 3).fill(200));
    }
});

test("a whole image at its own size is the image itself", () => {
  const image: Image = { height: 2, width: 2, channels: 1, data: Uint8Array.of(1, 2, 3, 4) };
  expect(sampleFiltered(image, wholeOf(image), wholeOf(image), image, "lanczos")).toBe(image);
});
