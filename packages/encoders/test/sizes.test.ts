import { convNet, createEncoder, resnet, vit } from "@lejepa/encoders";
import "@tensorflow/tfjs-backend-cpu";
import * as tf from "@tensorflow/tfjs-core";
import { beforeEach, expect, test } from "vitest";
import { resampledPositions } from "../src/layers/resampled-positions.js";
import { expectSlopeAlongGradient, gradientsOf, numbers, toTensors } from "./trainable.js";

beforeEach(() => tf.setBackend("cpu"));

const small = { imageSize: 12, channels: 1 };
const transformer = vit({ ...small, patch: 3, dim: 8, depth: 1, heads: 2 });
const partial = vit({ ...small, imageSize: 11, patch: 3, dim: 8, depth: 1, heads: 2 });
const residual = resnet({ ...small, block: "basic", depths: [1, 1] });
const mean = convNet({ ...small, widths: [4, 4, 4], head: "mean" });
const flat = createEncoder("conv_mnist");

const images = (height: number, width: number) => numbers([2, height, width, 1]) as tf.Tensor4D;

test.each([
  {
    title: "a transformer",
    encoder: transformer,
    yes: [12, 12, 6, 9, 3, 30],
    no: [12, 13, 0, 3, 1.5, 3],
  },
  {
    title: "one with a partial patch",
    encoder: partial,
    yes: [11, 11, 6, 9],
    no: [11, 12, 10, 10],
  },
  { title: "a residual network", encoder: residual, yes: [12, 12, 1, 1, 5, 9], no: [0, 5, 2.5, 5] },
  {
    title: "a conv net that averages",
    encoder: mean,
    yes: [12, 12, 2, 2, 7, 9],
    no: [1, 5, NaN, 5],
  },
  { title: "a conv net that flattens", encoder: flat, yes: [28, 28], no: [29, 29, 28, 27, 14, 56] },
])("$title takes the sizes that it accepts and refuses the others", ({ encoder, yes, no }) => {
  const parameters = toTensors(encoder.init(1));
  const pairs = (sides: number[]) =>
    Array.from(
      { length: sides.length / 2 },
      (_, i) => sides.slice(2 * i, 2 * i + 2) as [number, number],
    );
  for (const [height, width] of pairs(yes)) {
    expect(encoder.accepts(height, width), `${height} x ${width}`).toBe(true);
    const { embedding } = encoder.apply(parameters, images(height, width), { mode: "eval" });
    expect(embedding.shape).toEqual([2, encoder.dim]);
    expect(embedding.dataSync().every(Number.isFinite)).toBe(true);
  }
  for (const [height, width] of pairs(no)) {
    expect(encoder.accepts(height, width), `${height} x ${width}`).toBe(false);
    if (!(Number.isInteger(height) && height > 0)) continue;
    expect(() => encoder.apply(parameters, images(height, width), { mode: "eval" })).toThrow(
      expect.objectContaining({ name: "LejepaError", code: "bad-shape" }),
    );
  }
});

test("the message says which sizes there are", () => {
  const apply = () =>
    transformer.apply(toTensors(transformer.init(1)), images(12, 13), { mode: "eval" });
  expect(apply).toThrow(
    "vit: images should have shape [N, H, W, 1] with H and W multiples of 3, got [2, 12, 13, 1].",
  );
});

test("a transformer on other images is the one made for them, with its positions resampled", () => {
  const larger = vit({ ...small, imageSize: 15, patch: 3, dim: 8, depth: 1, heads: 2 });
  const parameters = toTensors(transformer.init(1));
  const pos_embed = resampledPositions(parameters["pos_embed"]!, 1, [4, 4], [5, 5]);
  const x = images(15, 15);
  const [one, two] = [
    transformer.apply(parameters, x, { mode: "eval" }),
    larger.apply({ ...parameters, pos_embed }, x, { mode: "eval" }),
  ].map(({ embedding }) => [...embedding.dataSync()]);
  expect(one).toEqual(two);
  expect(one!.some((value) => Math.abs(value) > 0.1)).toBe(true);
});

test("on images of another size every parameter of a transformer receives its gradient", () => {
  const tensors = toTensors(transformer.init(3));
  const x = images(6, 9);
  const embed = (parameters: Record<string, tf.Tensor>) =>
    transformer.apply(parameters, x, { mode: "train" }).tokens!;
  const { gradients } = gradientsOf(transformer, tensors, embed);
  expect(Object.values(gradients).filter((g) => g.every((v) => v === 0))).toEqual([]);
  const loss = (parameters: Record<string, tf.Tensor>) => {
    const y = embed(parameters);
    return tf.sum(tf.mul(y, numbers(y.shape, 7))).dataSync()[0] as number;
  };
  expectSlopeAlongGradient(tensors, gradients, loss, 5e-3);
});

test("running statistics of groups of views: the updates of one feed the next, in order", () => {
  const parameters = toTensors(residual.init(1));
  const groups = [images(12, 12), images(5, 9)];
  const name = "layer2.0.bn1.running_mean";
  const after = (each: tf.Tensor4D, given: Record<string, tf.Tensor>) =>
    residual.apply(given, each, { mode: "train" }).updates;
  // What each group alone makes of a mean of 0.
  const [first, second] = groups.map((group) => after(group, parameters)[name]!.dataSync());
  let all: Record<string, tf.Tensor> = parameters;
  for (const group of groups) all = { ...all, ...after(group, all) };
  const both = all[name]!.dataSync();
  expect(Math.max(...first!.map(Math.abs))).toBeGreaterThan(0.01);
  // m <- m + 0.1 (batch - m), twice.
  both.forEach((value, i) => expect(value).toBeCloseTo(0.9 * first![i]! + second![i]!, 5));
});
