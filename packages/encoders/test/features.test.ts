import { convNet, createEncoder, projector, resnet, vit } from "@lejepa/encoders";
import { layerNorm } from "@lejepa/ops";
import "@tensorflow/tfjs-backend-cpu";
import * as tf from "@tensorflow/tfjs-core";
import { beforeEach, expect, test } from "vitest";
import { numbers, toTensors } from "./trainable.js";

beforeEach(() => tf.setBackend("cpu"));

const residual = resnet({ imageSize: 9, channels: 1, block: "basic", depths: [1, 2] });
const tiny = { imageSize: 8, channels: 1, patch: 4, dim: 6, heads: 2 };
const transformer = vit({ ...tiny, depth: 2 });
const images = (count: number, side: number) => numbers([count, side, side, 1]) as tf.Tensor4D;
const expectClose = (got: tf.Tensor, expected: tf.Tensor) => {
  expect(got.shape).toEqual(expected.shape);
  expect(tf.max(tf.abs(tf.sub(got, expected))).dataSync()[0]).toBeLessThan(1e-5);
  expect(tf.max(tf.abs(expected)).dataSync()[0]).toBeGreaterThan(0.01);
};

test("encoders name their features, first to last", () => {
  expect(residual.features).toEqual(["act1", "layer1", "layer2"]);
  expect(transformer.features).toEqual(["blocks.0", "blocks.1"]);
  expect(createEncoder("conv_mnist").features).toEqual(["stem", "stages.0", "stages.1"]);
  expect(createEncoder("vit_tiny_patch16_224").features).toHaveLength(12);
});

test("those that are asked for are handed out, and no others", () => {
  const parameters = toTensors(residual.init(1));
  const apply = (features?: string[]) =>
    residual.apply(parameters, images(2, 9), { mode: "train", ...(features && { features }) });
  expect(apply().features).toBeUndefined();
  expect(apply([]).features).toEqual({});
  const { features, embedding } = apply(["layer2", "act1"]);
  expect(Object.keys(features!).sort()).toEqual(["act1", "layer2"]);
  expect(features!["act1"]!.shape).toEqual([2, 5, 5, 64]);
  expect(features!["layer2"]!.shape).toEqual([2, 2, 2, 128]);
  expectClose(tf.mean(features!["layer2"]!, [1, 2]), embedding);
});

test("a conv net's last stage is what its head averages", () => {
  const encoder = convNet({ imageSize: 9, channels: 1, widths: [3, 4], head: "mean" });
  const { features, embedding } = encoder.apply(toTensors(encoder.init(1)), images(2, 9), {
    mode: "eval",
    features: ["stages.0"],
  });
  expectClose(tf.mean(features!["stages.0"]!, [1, 2]), embedding);
});

test("blocks of a transformer hand out tokens, image by image and ahead of the last norm", () => {
  const parameters = toTensors(transformer.init(1));
  const { features, tokens } = transformer.apply(parameters, images(3, 8), {
    mode: "eval",
    features: ["blocks.0", "blocks.1"],
  });
  const norm = (x: tf.Tensor) =>
    layerNorm(x, parameters["norm.weight"]!, parameters["norm.bias"]!, 1e-6);
  expect(features!["blocks.0"]!.shape).toEqual([3, 5, 6]);
  expectClose(norm(features!["blocks.1"]!), tokens!);
  // A transformer that ends there.
  const shorter = vit({ ...tiny, depth: 1 }).apply(parameters, images(3, 8), { mode: "eval" });
  expectClose(norm(features!["blocks.0"]!), shorter.tokens!);
});

test("a batch that goes through in parts has its features whole", () => {
  const wide = vit({ ...tiny, imageSize: 4, depth: 1, mlpRatio: 2 ** 15, classToken: false });
  const parameters = toTensors(wide.init(1));
  const x = images(12, 4);
  const embed = (features?: string[]) =>
    wide.apply(parameters, x, { mode: "eval", ...(features && { features }) });
  const asked = embed(["blocks.0"]);
  expect(asked.features!["blocks.0"]!.shape).toEqual([12, 1, 6]);
  expectClose(asked.embedding, embed().embedding);
});

test("gradients flow through a feature", () => {
  const parameters = toTensors(residual.init(1));
  const loss = (weight: tf.Tensor) => {
    const { features } = residual.apply({ ...parameters, "conv1.weight": weight }, images(2, 9), {
      mode: "train",
      features: ["layer1"],
    });
    return tf.sum(tf.mul(features!["layer1"]!, numbers(features!["layer1"]!.shape, 5)));
  };
  const gradient = tf.grad(loss)(parameters["conv1.weight"]!);
  expect(tf.max(tf.abs(gradient)).dataSync()[0]).toBeGreaterThan(1e-3);
});

test("an unknown feature is refused with those that there are", () => {
  const ask = (features: string[]) => () =>
    residual.apply(toTensors(residual.init(1)), images(2, 9), { mode: "eval", features });
  expect(ask(["layer3"])).toThrow(
    expect.objectContaining({ name: "LejepaError", code: "unknown-feature" }),
  );
  expect(ask(["layer3"])).toThrow(
    'resnet: there is no feature "layer3"; did you mean "layer1"? The names are act1, layer1, layer2.',
  );
  expect(ask([7 as never])).toThrow(expect.objectContaining({ code: "unknown-feature" }));
  const head = projector({ inputDim: 2 });
  expect(() =>
    head.apply(toTensors(head.init(1)), tf.ones([2, 2]), { mode: "eval", features: ["x"] }),
  ).toThrow('projector: there is no feature "x"; there are none.');
});
