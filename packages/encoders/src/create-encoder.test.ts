import { expect, test } from "vitest";
import { createEncoder, encoderNames } from "./create-encoder.js";

const count = (name: string, options = {}) =>
  createEncoder(name, options)
    .parameters.filter(({ role }) => role !== "buffer")
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
