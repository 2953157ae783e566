import { describe, expect, test } from "vitest";
import type { FloatImage } from "../image.js";
import { changeBrightnessContrast } from "./brightness-contrast.js";
import { blur } from "./gaussian-blur.js";
import { normaliseImage } from "./normalise.js";
import { changeThickness } from "./stroke-thickness.js";

const image = (channels: number, ...rows: number[][]): FloatImage => ({
  height: rows.length,
  width: rows[0]!.length / channels,
  channels,
  data: Float32Array.from(rows.flat()),
});
const scratch = new Float32Array(64).fill(NaN);

describe("stroke thickness", () => {
  const dot = () => image(1, [0, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]);

  test("amount 1 is the 3 x 3 dilation", () => {
    const grown = dot();
    changeThickness(grown, 1, scratch);
    expect([...grown.data]).toEqual([1, 1, 1, 0, 1, 1, 1, 0, 1, 1, 1, 0, 0, 0, 0, 0]);
  });

  test("amount -1 is the 3 x 3 erosion, where the outside does not count", () => {
    const block = image(1, [1, 1, 0], [1, 1, 0], [0, 0, 0]);
    changeThickness(block, -1, scratch);
    expect([...block.data]).toEqual([1, 0, 0, 0, 0, 0, 0, 0, 0]);
  });

  test("half the amount goes half the way", () => {
    const grown = dot();
    changeThickness(grown, 0.5, scratch);
    expect([...grown.data.slice(0, 8)]).toEqual([0.5, 0.5, 0.5, 0, 0.5, 1, 0.5, 0]);
  });

  test("amount 0 changes nothing", () => {
    const same = dot();
    changeThickness(same, 0, scratch);
    expect(same.data).toEqual(dot().data);
  });

  test("keeps the channels of a colour image apart", () => {
    const colour = image(3, [1, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0.5]);
    changeThickness(colour, 1, scratch);
    expect([...colour.data]).toEqual([1, 0, 0.5, 1, 0, 0.5, 1, 0, 0.5, 1, 0, 0.5]);
  });
});

describe("brightness and contrast", () => {
  test("brightness scales and clamps", () => {
    const bright = image(1, [0, 0.25, 0.75]);
    changeBrightnessContrast(bright, { brightness: 2, contrast: 1, overflow: "clamp" });
    expect([...bright.data]).toEqual([0, 0.5, 1]);
  });

  test("brightness keeps what overflows when told so", () => {
    const bright = image(1, [0, 0.25, 0.75]);
    changeBrightnessContrast(bright, { brightness: 2, contrast: 1, overflow: "keep" });
    expect([...bright.data]).toEqual([0, 0.5, 1.5]);
  });

  test("contrast 0 leaves the mean luma", () => {
    const flat = image(3, [1, 0, 0, 0, 1, 0]);
    changeBrightnessContrast(flat, { brightness: 1, contrast: 0, overflow: "clamp" });
    flat.data.forEach((value) => expect(value).toBeCloseTo((0.2989 + 0.587) / 2, 6));
  });
});

describe("gaussian blur", () => {
  const e = Math.exp(-0.5);

  test("spreads one pixel by the normalised kernel", () => {
    const dot = image(1, ...[0, 0, 1, 0, 0].map((row) => [0, 0, row, 0, 0]));
    blur(dot, 3, 1, scratch);
    const side = e / (1 + 2 * e);
    const middle = 1 / (1 + 2 * e);
    const kernel = [0, side, middle, side, 0];
    dot.data.forEach((value, i) =>
      expect(value).toBeCloseTo(kernel[Math.floor(i / 5)]! * kernel[i % 5]!, 6),
    );
  });

  test("reflects without repeating the edge", () => {
    const row = image(1, [1, 0, 0], [1, 0, 0]);
    blur(row, 3, 1, scratch);
    // Left of column 0 comes column 1, which is 0.
    expect(row.data[0]).toBeCloseTo(1 / (1 + 2 * e), 6);
  });

  test("leaves a constant image constant", () => {
    const flat = image(3, [0.5, 0.5, 0.5, 0.5, 0.5, 0.5], [0.5, 0.5, 0.5, 0.5, 0.5, 0.5]);
    blur(flat, 3, 2, scratch);
    flat.data.forEach((value) => expect(value).toBeCloseTo(0.5, 6));
  });

  test("refuses a kernel that reaches beyond the reflection", () => {
    expect(() => blur(image(1, [1, 2], [3, 4]), 5, 1, scratch)).toThrow(
      expect.objectContaining({ name: "LejepaError", code: "invalid-views" }),
    );
  });
});

describe("normalise", () => {
  test("takes one mean and deviation for each channel", () => {
    const colour = image(3, [1, 2, 3, 4, 5, 6]);
    normaliseImage(colour, [1, 2, 3], [1, 3, 0.5]);
    expect([...colour.data]).toEqual([0, 0, 0, 3, 1, 6]);
  });

  test("refuses three means for a grey image", () => {
    expect(() => normaliseImage(image(1, [1]), [1, 2, 3], [1])).toThrow(
      expect.objectContaining({ code: "invalid-views" }),
    );
  });
});
