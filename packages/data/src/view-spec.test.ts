import { describe, expect, test } from "vitest";
import type { TransformSpec } from "./transforms/table.js";
import { checkViewSpec, mnistViews, plainView } from "./view-spec.js";

const withTransform = (transform: unknown) => ({ count: 2, transforms: [transform] });

test.each([
  ["the recipe", mnistViews()],
  ["the plain view", plainView(mnistViews())],
  ["optional fields left undefined", { count: 1, size: undefined, transforms: [] }],
])("%s passes, also through JSON", (_name, spec) => {
  expect(checkViewSpec(spec)).toBe(spec);
  expect(checkViewSpec(JSON.parse(JSON.stringify(spec)))).toEqual(JSON.parse(JSON.stringify(spec)));
});

test("the recipe is four views of these five transforms", () => {
  expect(mnistViews()).toEqual({
    count: 4,
    transforms: [
      {
        name: "affine",
        degrees: expect.closeTo(17.18873, 5) as number,
        scale: [0.8, expect.closeTo(1.176471, 6)],
        aspect: [expect.closeTo(0.869358, 6), expect.closeTo(1.150274, 6)],
        shear: 0.25,
        shift: expect.closeTo(0.0892857, 7) as number,
      },
      { name: "elastic", sigma: expect.closeTo(0.0357143, 7) as number, grid: 4 },
      { name: "stroke-thickness", amount: [-0.6, 0.6] },
      { name: "brightness-contrast", brightness: 0.2, overflow: "keep" },
      { name: "normalise", mean: 0.13, std: 0.31 },
    ],
  });
});

test.each([
  ["nothing", undefined, "views: "],
  ["no views", { count: 0, transforms: [] }, "views.count"],
  ["an unknown key", { count: 1, transforms: [], sizes: [2, 2] }, '"size"'],
  ["half a size", { count: 1, transforms: [], size: [2] }, "views.size"],
  ["no list", { count: 1 }, "views.transforms"],
  ["a transform that is a word", withTransform("affine"), "views.transforms[0]"],
  ["a misspelt option", withTransform({ name: "affine", degree: 3 }), '"degrees"'],
  ["degrees below zero", withTransform({ name: "affine", degrees: -3 }), "degrees"],
  ["a range the wrong way round", withTransform({ name: "affine", scale: [2, 1] }), "scale"],
  ["a scale of zero", withTransform({ name: "affine", scale: [0, 1] }), "scale"],
  ["NaN", withTransform({ name: "elastic", sigma: NaN }), "sigma"],
  ["a required option left out", withTransform({ name: "elastic" }), "sigma"],
  ["half a grid point", withTransform({ name: "elastic", sigma: 1, grid: 1.5 }), "grid"],
  ["too much thickness", withTransform({ name: "stroke-thickness", amount: [-2, 0] }), "amount"],
  ["an even kernel", withTransform({ name: "gaussian-blur", kernel: 4 }), "kernel"],
  ["a probability of 2", withTransform({ name: "horizontal-flip", probability: 2 }), "probability"],
  ["a deviation of zero", withTransform({ name: "normalise", mean: 0, std: 0 }), "std"],
  ["two means", withTransform({ name: "normalise", mean: [0, 0], std: 1 }), "mean"],
  ["an unknown filter", withTransform({ name: "resize", filter: "nearest" }), "filter"],
  [
    "an unknown antialias",
    withTransform({ name: "random-resized-crop", antialias: 2 }),
    "antialias",
  ],
  ["half a pixel", withTransform({ name: "resize", shorterSide: 0.5 }), "shorterSide"],
  [
    "images of several sizes",
    withTransform({ name: "resize", shorterSide: 9 }),
    "views.transforms[0]",
  ],
  [
    "a size of its own after that of the view",
    {
      count: 1,
      size: [8, 8],
      transforms: [{ name: "center-crop" }, { name: "resize", shorterSide: 9 }],
    },
    "views.transforms[1] (resize)",
  ],
  ["an unknown word", withTransform({ name: "brightness-contrast", overflow: "wrap" }), "overflow"],
])("%s is refused with its place", (_name, spec, place) => {
  expect(() => checkViewSpec(spec)).toThrow(
    expect.objectContaining({
      name: "LejepaError",
      code: "invalid-views",
      message: expect.stringContaining(place) as string,
    }),
  );
});

test("an unknown transform is refused with the nearest name", () => {
  expect(() => checkViewSpec(withTransform({ name: "horizontal_flop" }))).toThrow(
    expect.objectContaining({
      code: "unknown-transform",
      message: expect.stringContaining('Did you mean "horizontal-flip"?') as string,
    }),
  );
});

describe("the plain view", () => {
  const mean = { name: "normalise", mean: 0.5, std: 0.2 } as const;
  const plainOf = (...transforms: TransformSpec[]) =>
    plainView({ count: 3, size: [8, 8], transforms: [...transforms, mean] });
  const plain = (...transforms: TransformSpec[]) => ({
    count: 1,
    size: [8, 8],
    transforms: [...transforms, mean],
  });

  test("is antialiased if the crops were, by the same filter", () => {
    expect(plainOf({ name: "random-resized-crop" })).toEqual(plain());
    expect(plainOf({ name: "random-resized-crop", antialias: false })).toEqual(plain());
    expect(plainOf({ name: "random-resized-crop", antialias: true })).toEqual(
      plain({ name: "resize" }),
    );
    expect(plainOf({ name: "random-resized-crop", antialias: "bicubic" })).toEqual(
      plain({ name: "resize", filter: "bicubic" }),
    );
  });

  test("keeps sizes that are not drawn, but for one that only led to a crop that was", () => {
    const shorter = { name: "resize", shorterSide: 12 } as const;
    const middle = { name: "center-crop" } as const;
    expect(plainOf(shorter, middle)).toEqual(plain(shorter, middle));
    expect(plainOf(shorter, { name: "random-resized-crop" })).toEqual(plain());
    expect(plainOf(shorter, { name: "random-resized-crop", antialias: true })).toEqual(
      plain(shorter, { name: "resize" }),
    );
  });
});
