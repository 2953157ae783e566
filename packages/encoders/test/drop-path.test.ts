import { createEncoder, type Encoder, resnet, vit } from "@lejepa/encoders";
import "@tensorflow/tfjs-backend-cpu";
import * as tf from "@tensorflow/tfjs-core";
import { beforeEach, describe, expect, test } from "vitest";
import { expectSlopeAlongGradient, gradientsOf, numbers, toTensors } from "./trainable.js";

beforeEach(() => tf.setBackend("cpu"));

const transformer = (dropPath?: number) =>
  vit({
    ...{ imageSize: 8, channels: 1, patch: 4, dim: 6, depth: 3, heads: 2 },
    ...(dropPath !== undefined && { dropPath }),
  });
const residual = (dropPath?: number) =>
  resnet({
    ...{ imageSize: 8, channels: 1, block: "basic", depths: [1, 2] },
    ...(dropPath !== undefined && { dropPath }),
  });
/** Every draw of the encoder, the same for all branches. */
const drawsOf = (encoder: Encoder, values: readonly number[]) =>
  Object.fromEntries(
    Object.keys(encoder.draws(values.length)).map((name) => [name, tf.tensor1d([...values])]),
  );
const images = (count: number) => numbers([count, 8, 8, 1]) as tf.Tensor4D;
/** Moved off their start, where residual branches are zero. */
const parametersOf = (encoder: Encoder) =>
  Object.fromEntries(
    Object.entries(toTensors(encoder.init(2))).map(([name, t], i) => [
      name,
      tf.add(t, tf.mul(tf.abs(numbers(t.shape, i + 2)), 0.1)),
    ]),
  );
const expectClose = (got: tf.Tensor, expected: tf.Tensor, tolerance = 1e-5) => {
  expect(got.shape).toEqual(expected.shape);
  expect(tf.max(tf.abs(tf.sub(got, expected))).dataSync()[0]).toBeLessThan(tolerance);
};

test("an encoder says which draws it takes: none for the first block, two for each later one", () => {
  expect(transformer(0.2).draws(5)).toEqual({
    "blocks.1.drop_path1": { shape: [5] },
    "blocks.1.drop_path2": { shape: [5] },
    "blocks.2.drop_path1": { shape: [5] },
    "blocks.2.drop_path2": { shape: [5] },
  });
  expect(residual(0.2).draws(5)).toEqual({
    "layer2.0.drop_path": { shape: [5] },
    "layer2.1.drop_path": { shape: [5] },
  });
  expect(transformer().draws(5)).toEqual({});
  const named = createEncoder("vit_tiny_patch16_224", { dropPath: 0.1 });
  expect(Object.keys(named.draws(1))).toHaveLength(22);
  expect(() => named.draws(0)).toThrow(expect.objectContaining({ code: "bad-argument" }));
});

describe.each([
  ["a transformer", transformer],
  ["a residual network", residual],
] as const)("%s", (_title, make) => {
  test("at a rate of 0 it computes the same numbers from the same parameters", () => {
    const parameters = parametersOf(make());
    expect(make(0).parameters).toEqual(make().parameters);
    expect(make(0.5).parameters).toEqual(make().parameters);
    const [zero, none] = [make(0), make()].map((encoder) => [
      ...encoder.apply(parameters, images(3), { mode: "train" }).embedding.dataSync(),
    ]);
    expect(zero).toEqual(none);
  });

  test("in evaluation nothing is dropped, and no draws are read", () => {
    const parameters = parametersOf(make());
    const embed = (encoder: Encoder, draws?: Record<string, tf.Tensor>) =>
      encoder.apply(parameters, images(3), { mode: "eval", ...(draws && { draws }) }).embedding;
    const dropping = make(0.5);
    expectClose(embed(dropping), embed(make()));
    expectClose(embed(dropping, drawsOf(dropping, [0.9, 0.9, 0.9])), embed(make()));
  });

  test("every parameter of a branch that is kept receives its gradient", () => {
    const encoder = make(0.5);
    const tensors = parametersOf(encoder);
    const draws = drawsOf(encoder, [0.1, 0.95, 0.2, 0.3]);
    const embed = (parameters: Record<string, tf.Tensor>) =>
      encoder.apply(parameters, images(4), { mode: "train", draws }).embedding;
    const { gradients } = gradientsOf(encoder, tensors, embed);
    expect(Object.values(gradients).filter((g) => g.every((v) => v === 0))).toEqual([]);
    const loss = (parameters: Record<string, tf.Tensor>) => {
      const y = embed(parameters);
      return tf.sum(tf.mul(y, numbers(y.shape, 7))).dataSync()[0] as number;
    };
    expectSlopeAlongGradient(tensors, gradients, loss, 1e-3);
  });

  test("training without draws, or with draws of other images, is refused by name", () => {
    const encoder = make(0.5);
    const parameters = parametersOf(encoder);
    const [name] = Object.keys(encoder.draws(3)) as [string];
    const apply = (draws?: Record<string, tf.Tensor>) => () =>
      encoder.apply(parameters, images(3), { mode: "train", ...(draws && { draws }) });
    expect(apply()).toThrow(expect.objectContaining({ code: "missing-draws" }));
    expect(apply()).toThrow(`there are no draws "${name}" to train with`);
    expect(apply(drawsOf(encoder, [0.1, 0.2]))).toThrow(`${name} should have shape [3], got [2].`);
  });

  test.each([-0.1, 1, 2, NaN, "0.1"])("a rate of %s is refused", (rate) => {
    expect(() => make(rate as number)).toThrow(
      expect.objectContaining({ code: "bad-encoder-option" }),
    );
  });
});

test("a transformer's rates grow linearly over its depth, so that a draw drops the later blocks first", () => {
  const encoder = transformer(0.5);
  // Rates 0, 0.25, 0.5: of these draws the first keeps all, the second drops block 2, the third blocks 1 and 2.
  const { features } = encoder.apply(parametersOf(encoder), images(3), {
    mode: "train",
    draws: drawsOf(encoder, [0.4, 0.6, 0.8]),
    features: encoder.features,
  });
  const moved = (block: number) => {
    const [before, after] = [block - 1, block].map((i) => features![`blocks.${i}`]!);
    return tf.max(tf.abs(tf.sub(after!, before!)), [1, 2]).dataSync();
  };
  expect([...moved(1)].map((v) => v > 0)).toEqual([true, true, false]);
  expect([...moved(2)].map((v) => v > 0)).toEqual([true, false, false]);
});

test("a dropped block of a residual network is its shortcut", () => {
  const options = { imageSize: 8, channels: 1, block: "basic" } as const;
  const encoder = resnet({ ...options, depths: [2], dropPath: 0.5 });
  const parameters = parametersOf(encoder);
  const layer1 = (each: Encoder, draws = {}) =>
    each.apply(parameters, images(2), { mode: "train", draws, features: ["layer1"] }).features![
      "layer1"
    ]!;
  const dropped = layer1(encoder, { "layer1.1.drop_path": tf.tensor1d([0.9, 0.1]) });
  const shorter = layer1(resnet({ ...options, depths: [1] }));
  const difference = tf.max(tf.abs(tf.sub(dropped, shorter)), [1, 2, 3]).dataSync();
  expect(difference[0]).toBe(0);
  expect(difference[1]).toBeGreaterThan(0.1);
});

test("the mean over draws is what evaluation computes, of a branch that ends the net", () => {
  const encoder = vit({
    ...{ imageSize: 8, channels: 1, patch: 4, dim: 6, depth: 2, heads: 2, dropPath: 0.4 },
  });
  const tensors = parametersOf(encoder);
  // The second branch of the last block adds nothing, so that its tokens are linear in the draws of the first.
  const parameters = {
    ...tensors,
    "blocks.1.mlp.fc2.weight": tf.zeros([24, 6]),
    "blocks.1.mlp.fc2.bias": tf.zeros([6]),
  };
  const count = 20;
  const same = tf.tile(images(1), [count, 1, 1, 1]);
  const last = (options: Parameters<Encoder["apply"]>[2]) =>
    encoder.apply(parameters, same, { ...options, features: ["blocks.1"] }).features!["blocks.1"]!;
  const evenly = Array.from({ length: count }, (_, i) => (i + 0.5) / count);
  const trained = last({ mode: "train", draws: drawsOf(encoder, evenly) });
  expectClose(tf.mean(trained, 0), tf.mean(last({ mode: "eval" }), 0));
  const spread = tf.sub(tf.max(trained, 0), tf.min(trained, 0));
  expect(tf.max(spread).dataSync()[0]).toBeGreaterThan(0.01);
});

test("a family without the option refuses it", () => {
  expect(() => createEncoder("conv_mnist", { dropPath: 0.1 })).toThrow(
    expect.objectContaining({ code: "bad-encoder-option" }),
  );
});
