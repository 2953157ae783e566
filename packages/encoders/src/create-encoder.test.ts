import { expect, test } from "vitest";
import { createEncoder, encoderNames, listEncoders } from "./create-encoder.js";

const count = (name: string, options = {}) =>
  createEncoder(name, options)
    .parameters.filter(({ buffer }) => !buffer)
    .reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0);

// timm 1.0.31 with num_classes=0, from its meta models; conv_mnist by hand.
test.each([
  ["vit_tiny_patch16_224", 5_524_416],
  ["vit_small_patch16_224", 21_665_664],
  ["vit_base_patch16_224", 85_798_656],
  ["resnet18", 11_176_512],
  ["resnet50", 23_508_032],
  [
    "conv_mnist",
    16 * 16 + 9 * 16 * 32 + 9 * 32 * 32 + 9 * 32 * 64 + 1024 * 128 + 2 * (16 + 32 + 32 + 64 + 128),
  ],
])("%s has %i parameters", (name, expected) => {
  expect(count(name)).toBe(expected);
});

test.each(encoderNames())(
  "%s makes an encoder that carries its name, and adapts to images",
  (name) => {
    expect(createEncoder(name).name).toBe(name);
    const encoder = createEncoder(name, { imageSize: 48, channels: 2 });
    expect([encoder.imageSize, encoder.channels]).toEqual([48, 2]);
    const names = encoder.parameters.map((p) => p.name);
    expect(new Set(names).size).toBe(names.length);
  },
);

test("a transformer's name may carry any image size", () => {
  const encoder = createEncoder("vit_tiny_patch8_64");
  expect(encoder.imageSize).toBe(64);
  expect(encoder.parameters.find(({ name }) => name === "pos_embed")?.shape).toEqual([1, 65, 192]);
  expect(createEncoder("vit_tiny_patch8_64", { imageSize: 32 }).imageSize).toBe(32);
});

test("an unknown name suggests the nearest", () => {
  const unknown = (name: string) => () => createEncoder(name);
  expect(unknown("resnet8")).toThrow('did you mean "resnet18"?');
  expect(unknown("vit_tinny_patch16_224")).toThrow('did you mean "vit_tiny_patch16_224"?');
  expect(unknown("vit_tinny")).toThrow('did you mean "vit_tiny_patch8_224"?');
  expect(unknown("resnet")).toThrow('did you mean "resnet18"?');
  expect(unknown("something else entirely")).toThrow("the names are conv_mnist, resnet18");
  expect(unknown("toString")).toThrow(
    expect.objectContaining({ name: "LejepaError", code: "unknown-encoder" }),
  );
});

test("sizes that make no encoder are refused", () => {
  for (const options of [
    { imageSize: 0 },
    { imageSize: 27.5 },
    { channels: -1 },
    { imageSize: NaN },
  ]) {
    for (const name of ["conv_mnist", "resnet18", "vit_tiny_patch16_224"]) {
      expect(() => createEncoder(name, options), name).toThrow(
        expect.objectContaining({ code: "bad-encoder-option" }),
      );
    }
  }
  expect(() => createEncoder("vit_tiny_patch16_224", { imageSize: 15 })).toThrow(
    "imageSize / patch",
  );
});

test("encoders are listed by pattern, with the images that they take", () => {
  const names = (pattern?: string) => listEncoders(pattern).map(({ name }) => name);
  expect(names()).toEqual(encoderNames());
  expect(names("resnet*")).toEqual(["resnet18", "resnet34", "resnet50"]);
  expect(names("*patch8*")).toEqual([
    "vit_tiny_patch8_224",
    "vit_small_patch8_224",
    "vit_base_patch8_224",
  ]);
  expect(names("resnet18")).toEqual(["resnet18"]);
  // A star is the only sign that stands for others.
  for (const none of ["resnet", "resnet..", "resnet1?", "*(", "["]) expect(names(none)).toEqual([]);
  expect(listEncoders("vit_small_patch16*")).toEqual([
    {
      name: "vit_small_patch16_224",
      family: "vit",
      options: { dim: 384, depth: 12, heads: 6, patch: 16 },
      input: {
        size: 224,
        mean: [0.5, 0.5, 0.5],
        std: [0.5, 0.5, 0.5],
        interpolation: "bicubic",
        crop: 0.9,
      },
    },
  ]);
});

test.each(listEncoders())("$name has statistics for each channel that it takes", (row) => {
  const { name, input } = row;
  const { imageSize, channels } = createEncoder(name);
  expect([imageSize, channels]).toEqual([input.size, input.mean.length]);
  expect(input.std).toHaveLength(channels);
  expect([...input.mean, ...input.std, input.crop].every((v) => v > 0 && v <= 1)).toBe(true);
});

test("only a name that ends in its own image size may end in another", () => {
  for (const name of ["resnet18_96", "conv_mnist_28", "vit_tiny_patch16_", "vit_tiny_patch12_224"])
    expect(() => createEncoder(name)).toThrow(expect.objectContaining({ code: "unknown-encoder" }));
  expect(createEncoder("vit_tiny_patch16_32", { imageSize: undefined as never }).imageSize).toBe(
    32,
  );
});
