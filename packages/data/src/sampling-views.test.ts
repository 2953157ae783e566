import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { sampleFiltered, type FilterName } from "./filtered-sampling.js";
import type { Image } from "./image.js";
import { randomOf } from "./random.js";
import { middleWindow } from "./transforms/center-crop.js";
import { drawWindow } from "./transforms/random-resized-crop.js";
import { sizeWithShorterSide } from "./transforms/resize.js";
import type { TransformSpec } from "./transforms/table.js";
import { createViewMaker, makeView } from "./view-maker.js";

const noise = (height: number, width: number, channels: number): Image => {
  const random = randomOf(`${height}/${width}/${channels}`);
  const data = Uint8Array.from({ length: height * width * channels }, () => random() * 256);
  return { height, width, channels, data };
};
const inFloats = (image: Image): Image => ({
  ...image,
  data: Float32Array.from(image.data, (byte) => byte / 255),
});
const size = [8, 6] as const;

describe("resize and centre crop are torchvision's", () => {
  const { cases } = JSON.parse(
    readFileSync(new URL("../test/golden/resize-center-crop.json", import.meta.url), "utf8"),
  ) as {
    cases: {
      id: string;
      dtype: "uint8" | "float32";
      inputs: { image: { shape: [number, number, number]; data: number[] } };
      options: {
        resize_shorter_side: number;
        interpolation: FilterName;
        crop_size: [number, number];
        resized_shape: [number, number];
      };
      expected: { image: { shape: number[]; data: number[] } };
      tolerance: { abs: number };
    }[];
  };
  test("in 13 cases", () => expect(cases).toHaveLength(13));

  test.each(cases)("$id $dtype", ({ dtype, inputs, options, expected, tolerance }) => {
    const [height, width, channels] = inputs.image.shape;
    const isBytes = dtype === "uint8";
    const data = (isBytes ? Uint8Array : Float32Array).from(inputs.image.data);
    const image: Image = { height, width, channels, data };
    const shorterSide = options.resize_shorter_side;
    const resized = sizeWithShorterSide(image, shorterSide);
    expect([resized.height, resized.width]).toEqual(options.resized_shape);
    const transforms: TransformSpec[] = [
      { name: "resize", shorterSide, filter: options.interpolation },
      { name: "center-crop" },
    ];
    const view = makeView(image, { size: options.crop_size, transforms }, randomOf(""));
    expect([view.height, view.width, view.channels]).toEqual(expected.image.shape);
    const unit = isBytes ? 255 : 1;
    expect(view.data).toHaveLength(expected.image.data.length);
    expected.image.data.forEach((value, i) =>
      expect(Math.abs(view.data[i]! * unit - value)).toBeLessThanOrEqual(tolerance.abs + 1e-5),
    );
  });
});

test("the middle is rounded half to even, and an image that is too small lies in zeros", () => {
  const window = (height: number, width: number, to: [number, number]) => {
    const { top, left } = middleWindow({ height, width }, { height: to[0], width: to[1] });
    return [top, left];
  };
  expect(window(5, 7, [4, 4])).toEqual([0, 2]);
  expect(window(3, 6, [6, 3])).toEqual([-1, 2]);
  const image: Image = { height: 1, width: 3, channels: 1, data: Float32Array.of(1, 2, 3) };
  const view = makeView(
    image,
    { size: [3, 2], transforms: [{ name: "center-crop" }] },
    randomOf(""),
  );
  expect([...view.data]).toEqual([0, 0, 1, 2, 0, 0]);
});

describe.each([true, "bilinear", "bicubic", "box", "lanczos"] as const)(
  "a random resized crop with antialias %j",
  (antialias) => {
    const crop: TransformSpec = { name: "random-resized-crop", antialias };
    const filter = antialias === true ? "bilinear" : antialias;

    test.each([noise(40, 30, 3), inFloats(noise(9, 33, 1))])(
      "samples the window drawn",
      (image) => {
        const maker = createViewMaker({ size, transforms: [crop] });
        maker.load(image);
        for (let i = 0; i < 20; i++) {
          const view = maker.make(randomOf(`crop/${i}`));
          const window = drawWindow(randomOf(`crop/${i}`), image, [0.08, 1], [3 / 4, 4 / 3]);
          const output = { height: 8, width: 6 };
          const { data } = sampleFiltered(image, window, window, output, filter);
          const unit = data instanceof Uint8Array ? 255 : 1;
          expect(view).toMatchObject({ ...output, channels: image.channels });
          expect([...view.data]).toEqual([...data].map((value) => Math.fround(value / unit)));
        }
      },
    );
  },
);

test("what follows a sampling transform works on what it gives, and what was before it stays", () => {
  const image = noise(20, 24, 3);
  const before = image.data.slice();
  const transforms: TransformSpec[] = [
    { name: "horizontal-flip", probability: 1 },
    { name: "resize", shorterSide: 12, filter: "box" },
    { name: "center-crop" },
    { name: "horizontal-flip", probability: 1 },
    { name: "normalise", mean: 0.5, std: 0.25 },
  ];
  const maker = createViewMaker({ size, transforms });
  maker.load(image);
  const first = maker.make(randomOf("")).data.slice();
  expect(maker.make(randomOf("")).data).toEqual(first);
  expect(image.data).toEqual(before);
  // Both flips are exact, so the middle of an image mirrored twice is the middle of the image; of floats, unrounded.
  const plain = makeView(
    inFloats(image),
    { size, transforms: transforms.filter(({ name }) => name !== "horizontal-flip") },
    randomOf(""),
  );
  first.forEach((value, i) => expect(value).toBeCloseTo(plain.data[i]!, 5));
});

test("without a size a sampling transform gives the size of the image", () => {
  const image = noise(9, 7, 1);
  for (const name of ["resize", "center-crop"] as const) {
    const view = makeView(image, { transforms: [{ name }] }, randomOf(""));
    expect(view.data).toEqual(inFloats(image).data);
  }
  const crop = { name: "random-resized-crop", antialias: true } as const;
  const view = makeView(image, { transforms: [crop] }, randomOf(""));
  expect([view.height, view.width]).toEqual([9, 7]);
});
