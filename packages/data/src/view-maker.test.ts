import { describe, expect, test } from "vitest";
import type { Image } from "./image.js";
import { randomOf } from "./random.js";
import type { TransformSpec } from "./transforms/table.js";
import { createViewMaker, makeView } from "./view-maker.js";
import { mnistViews, plainView } from "./view-spec.js";

const noise = (height: number, width: number, channels: number): Image => {
  const random = randomOf(`${height}/${width}/${channels}`);
  const data = Uint8Array.from({ length: height * width * channels }, () => random() * 256);
  return { height, width, channels, data };
};
const half: TransformSpec = { name: "horizontal-flip" };
const everything: TransformSpec[] = [
  { name: "random-resized-crop" },
  half,
  { name: "gaussian-blur", kernel: 3, probability: 0.5 },
  ...mnistViews().transforms.slice(0, 4),
  { name: "brightness-contrast", brightness: 0.4, contrast: 0.4 },
  { name: "normalise", mean: 0.5, std: 0.25 },
];

describe("a view", () => {
  test("without transforms is the image as floats", () => {
    const image: Image = { height: 1, width: 3, channels: 1, data: Uint8Array.of(0, 51, 255) };
    const view = makeView(image, { transforms: [] }, randomOf(""));
    expect(view).toEqual({ ...image, data: Float32Array.of(0, 0.2, 1) });
  });

  test("of identity parameters is the image", () => {
    const image = noise(5, 4, 3);
    const view = makeView(
      image,
      {
        transforms: [
          { name: "random-resized-crop", scale: [1, 1], ratio: [0.8, 0.8] },
          { name: "horizontal-flip", probability: 0 },
          { name: "affine" },
          { name: "elastic", sigma: 0 },
          { name: "stroke-thickness", amount: [0, 0] },
          { name: "brightness-contrast" },
          { name: "gaussian-blur", kernel: 3, probability: 0 },
          { name: "normalise", mean: 0, std: 1 },
        ],
      },
      randomOf("identity"),
    );
    expect(view.data).toEqual(makeView(image, { transforms: [] }, randomOf("")).data);
  });

  test.each([
    [28, 28, 1],
    [28, 28, 3],
    [9, 14, 1],
    [33, 17, 3],
    [3, 3, 1],
  ])("of %i x %i x %i works with every transform, and repeats bit for bit", (h, w, c) => {
    const image = noise(h, w, c);
    const before = image.data.slice();
    const view = () => makeView(image, { transforms: everything }, randomOf("k"));
    const first = view();
    expect([first.height, first.width, first.channels]).toEqual([h, w, c]);
    expect(first.data.every(Number.isFinite)).toBe(true);
    expect(view().data).toEqual(first.data);
    expect(image.data).toEqual(before);
    const floats = { ...image, data: Float32Array.from(image.data, (byte) => byte / 255) };
    expect(makeView(floats, { transforms: everything }, randomOf("k")).data).toEqual(first.data);
  });

  test("differs from the next view", () => {
    const maker = createViewMaker({ transforms: everything });
    maker.load(noise(28, 28, 1));
    const views = [0, 1, 2].map((v) => maker.make(randomOf(`0/${v}`)).data.slice());
    expect(views[0]).not.toEqual(views[1]);
    expect(views[1]).not.toEqual(views[2]);
  });

  test("does not depend on the images and views made before it", () => {
    const maker = createViewMaker({ transforms: everything, size: [16, 20] });
    for (const image of [noise(28, 28, 1), noise(9, 14, 3), noise(30, 12, 1)]) {
      maker.load(image);
      maker.make(randomOf("before"));
      const kept = maker.make(randomOf("k"));
      const fresh = makeView(image, { transforms: everything, size: [16, 20] }, randomOf("k"));
      expect(kept).toEqual(fresh);
      expect([kept.height, kept.width]).toEqual([16, 20]);
    }
  });

  test("of the MNIST recipe keeps the ink within bounds", () => {
    const image: Image = { height: 28, width: 28, channels: 1, data: new Uint8Array(784) };
    for (let y = 8; y < 20; y++) for (let x = 12; x < 16; x++) image.data[y * 28 + x] = 255;
    const ink = (data: Float32Array) => data.reduce((sum, value) => sum + value, 0);
    const geometric = { transforms: mnistViews().transforms.slice(0, 2) };
    let total = 0;
    for (let i = 0; i < 200; i++) {
      const drawn = ink(makeView(image, geometric, randomOf(`ink/${i}`)).data);
      // 48 pixels, scaled by 0.8..1.18 on each side and bent.
      expect(drawn).toBeGreaterThan(48 * 0.4);
      expect(drawn).toBeLessThan(48 * 2.2);
      total += drawn;
    }
    expect(total / 200).toBeGreaterThan(48 * 0.85);
    expect(total / 200).toBeLessThan(48 * 1.15);
  });

  test("brightness of the recipe leaves the normalised background where it was", () => {
    const black: Image = { height: 28, width: 28, channels: 1, data: new Uint8Array(784) };
    const view = makeView(black, mnistViews(), randomOf("black"));
    view.data.forEach((value) => expect(value).toBeCloseTo(-0.13 / 0.31, 6));
  });
});

describe("the size of a view", () => {
  test("stretches the image when no transform crops", () => {
    const image: Image = { height: 1, width: 2, channels: 1, data: Float32Array.of(0, 1) };
    const view = makeView(image, { size: [2, 4], transforms: [] }, randomOf(""));
    expect(view).toEqual({
      height: 2,
      width: 4,
      channels: 1,
      data: Float32Array.of(0, 0.25, 0.75, 1, 0, 0.25, 0.75, 1),
    });
  });

  test("is reached by the crop, after transforms of the whole image", () => {
    const spec = {
      size: [4, 6] as const,
      transforms: [half, { name: "affine" } as const, ...everything],
    };
    const view = makeView(noise(11, 7, 3), spec, randomOf("size"));
    expect([view.height, view.width, view.channels, view.data.length]).toEqual([4, 6, 3, 72]);
  });

  test("is that of the training views in the plain view", () => {
    const trained = { count: 2, size: [8, 8] as const, transforms: everything };
    expect(plainView(trained)).toEqual({
      count: 1,
      size: [8, 8],
      transforms: [{ name: "normalise", mean: 0.5, std: 0.25 }],
    });
  });
});

test("flip of probability 0.5 happens in half of 1,000 views (+- 5 deviations)", () => {
  const image: Image = { height: 1, width: 2, channels: 1, data: Float32Array.of(0, 1) };
  let flips = 0;
  for (let i = 0; i < 1000; i++)
    flips += makeView(image, { transforms: [half] }, randomOf(`${i}`)).data[0]!;
  expect(Math.abs(flips - 500)).toBeLessThan(80);
});
