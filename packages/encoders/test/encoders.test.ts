import { convNet, createEncoder, type Encoder, resnet, vit } from "@lejepa/encoders";
import "@tensorflow/tfjs-backend-cpu";
import "@tensorflow/tfjs-backend-wasm";
import * as tf from "@tensorflow/tfjs-core";
import { beforeEach, describe, expect, test } from "vitest";
import { expectSlopeAlongGradient, gradientsOf, numbers, toTensors } from "./trainable.js";

beforeEach(async () => {
  await tf.setBackend("wasm");
  await tf.ready();
});

/** A copy of the elements. */
const values = (t: tf.Tensor): number[] => [...t.dataSync()];

const referenceVit = () =>
  vit({
    imageSize: 28,
    channels: 1,
    patch: 7,
    dim: 64,
    depth: 3,
    heads: 4,
    mlpRatio: 4,
    classToken: false,
    activation: "quick_gelu",
    pool: "mean",
  });

const members: { title: string; make: () => Encoder; batch: number; dim: number }[] = [
  { title: "conv_mnist", make: () => createEncoder("conv_mnist"), batch: 3, dim: 128 },
  {
    title: "the conv net of the speed reference",
    make: () => convNet({ imageSize: 28, channels: 1, widths: [32, 64, 128], head: "mean" }),
    batch: 2,
    dim: 128,
  },
  {
    title: "a conv net of one width on odd images",
    make: () => convNet({ imageSize: 9, channels: 3, widths: [8], head: "flatten", dim: 5 }),
    batch: 4,
    dim: 5,
  },
  { title: "the transformer of the speed reference", make: referenceVit, batch: 3, dim: 64 },
  {
    title: "a transformer with a class token, mean pooling and a partial patch",
    make: () =>
      vit({ imageSize: 11, channels: 2, patch: 3, dim: 12, depth: 2, heads: 2, pool: "mean" }),
    batch: 2,
    dim: 12,
  },
  {
    title: "a transformer that pools by its class token",
    make: () => vit({ imageSize: 8, channels: 3, patch: 4, dim: 12, depth: 2, heads: 3 }),
    batch: 2,
    dim: 12,
  },
  {
    title: "a residual network of basic blocks on odd images",
    make: () => resnet({ imageSize: 11, channels: 1, block: "basic", depths: [1, 1] }),
    batch: 2,
    dim: 128,
  },
  {
    title: "a residual network of bottlenecks",
    make: () => resnet({ imageSize: 10, channels: 3, block: "bottleneck", depths: [1, 2] }),
    batch: 2,
    dim: 512,
  },
];

describe.each(members)("$title", ({ make, batch, dim }) => {
  const encoder = make();
  const shape = [batch, encoder.imageSize, encoder.imageSize, encoder.channels];

  /** Initial values, moved a little so that no branch starts at exactly zero. */
  const parameters = () =>
    Object.fromEntries(
      Object.entries(toTensors(encoder.init(3))).map(([name, tensor], i) => [
        name,
        tf.add(tensor, tf.mul(tf.abs(numbers(tensor.shape, i + 2)), 0.1)),
      ]),
    );

  test("the same seed gives the same values, in every shape that is listed", () => {
    const first = encoder.init(5);
    expect(first).toEqual(encoder.init(5));
    expect(first).not.toEqual(encoder.init(6));
    expect(Object.entries(first).map(([name, t]) => [name, t.shape])).toEqual(
      encoder.parameters.map((p) => [p.name, p.shape]),
    );
  });

  test("embeddings are [N, D] and no two images share one", () => {
    const images = numbers(shape) as tf.Tensor4D;
    const { embedding, updates } = encoder.apply(parameters(), images, { mode: "eval" });
    expect(encoder.dim).toBe(dim);
    expect(embedding.shape).toEqual([batch, dim]);
    expect(updates).toEqual({});
    const rows = embedding.arraySync();
    expect(rows.flat().every(Number.isFinite)).toBe(true);
    expect(rows[0]).not.toEqual(rows[1]);
  });

  test("training updates exactly the buffers and changes nothing that was passed in", () => {
    const tensors = parameters();
    const before = Object.values(tensors).map(values);
    const images = numbers(shape) as tf.Tensor4D;
    const { updates } = encoder.apply(tensors, images, { mode: "train" });
    const buffers = encoder.parameters.filter(({ buffer }) => buffer);
    expect(Object.keys(updates).sort()).toEqual(buffers.map(({ name }) => name).sort());
    for (const { name, shape } of buffers) {
      expect(updates[name]?.shape).toEqual(shape);
      expect(values(updates[name] as tf.Tensor)).not.toEqual(values(tensors[name] as tf.Tensor));
    }
    expect(Object.values(tensors).map(values)).toEqual(before);
  });

  test.each(["cpu", "wasm"])("on %s every parameter receives its gradient", async (backend) => {
    await tf.setBackend(backend);
    const tensors = parameters();
    const images = numbers(shape) as tf.Tensor4D;
    const embed = (p: Record<string, tf.Tensor>) =>
      encoder.apply(p, images, { mode: "train" }).embedding;
    const { gradients } = gradientsOf(encoder, tensors, embed);
    const silent = Object.entries(gradients).filter(([, g]) => g.every((v) => v === 0));
    expect(silent.map(([name]) => name)).toEqual([]);
    const loss = (p: Record<string, tf.Tensor>) => {
      const y = embed(p);
      return tf.sum(tf.mul(y, numbers(y.shape, 7))).dataSync()[0] as number;
    };
    expectSlopeAlongGradient(tensors, gradients, loss, 5e-3);
  });

  test("images of a size that it does not accept or of other channels are refused", () => {
    const tensors = parameters();
    for (const wrong of [
      [batch, 0, encoder.imageSize, encoder.channels],
      [batch, encoder.imageSize, encoder.imageSize, encoder.channels + 1],
    ]) {
      const images = tf.zeros<tf.Rank.R4>(wrong as [number, number, number, number]);
      expect(() => encoder.apply(tensors, images, { mode: "eval" })).toThrow(
        expect.objectContaining({ name: "LejepaError", code: "bad-shape" }),
      );
    }
  });
});

test("the two references have the parameters of their definition", () => {
  const names = (encoder: Encoder) => encoder.parameters.map(({ name }) => name);
  const block = (i: number) =>
    ["norm1", "attn.qkv", "attn.proj", "norm2", "mlp.fc1", "mlp.fc2"].flatMap((layer) => [
      `blocks.${i}.${layer}.weight`,
      `blocks.${i}.${layer}.bias`,
    ]);
  expect(names(referenceVit())).toEqual([
    "pos_embed",
    "patch_embed.proj.weight",
    "patch_embed.proj.bias",
    ...[0, 1, 2].flatMap(block),
    "norm.weight",
    "norm.bias",
  ]);
  const conv = convNet({ imageSize: 28, channels: 1, widths: [32, 64, 128], head: "mean" });
  const decayed = conv.parameters.filter(({ decay }) => decay);
  expect(decayed.map(({ name, shape, layout }) => [name, shape, layout])).toEqual([
    ["stem.conv.weight", [4, 4, 1, 32], "conv"],
    ["stages.0.conv.weight", [3, 3, 32, 64], "conv"],
    ["stages.0.residual.conv.weight", [3, 3, 64, 64], "conv"],
    ["stages.1.conv.weight", [3, 3, 64, 128], "conv"],
  ]);
});

test("without positions a mean-pooled transformer does not see the order of the patches", () => {
  const encoder = referenceVit();
  const tensors = toTensors(encoder.init(1));
  const unplaced = { ...tensors, pos_embed: tf.zerosLike(tensors["pos_embed"] as tf.Tensor) };
  const images = numbers([2, 28, 28, 1]) as tf.Tensor4D;
  // The upper and the lower half change places: rows of patches move as a whole.
  const swapped = tf.concat(
    [
      tf.slice(images, [0, 14, 0, 0], [2, 14, 28, 1]),
      tf.slice(images, [0, 0, 0, 0], [2, 14, 28, 1]),
    ],
    1,
  );
  const embed = (parameters: Record<string, tf.Tensor>, x: tf.Tensor4D) =>
    encoder.apply(parameters, x, { mode: "eval" }).embedding;
  const distance = (parameters: Record<string, tf.Tensor>) =>
    tf.max(tf.abs(tf.sub(embed(parameters, images), embed(parameters, swapped)))).dataSync()[0];
  expect(distance(unplaced)).toBeLessThan(1e-4);
  expect(distance(tensors)).toBeGreaterThan(1e-3);
});

test("the class token is the first of the tokens, and the embedding by default", () => {
  const encoder = vit({ imageSize: 8, channels: 3, patch: 4, dim: 12, depth: 1, heads: 3 });
  const images = numbers([2, 8, 8, 3]) as tf.Tensor4D;
  const { embedding, tokens } = encoder.apply(toTensors(encoder.init(1)), images, { mode: "eval" });
  expect(tokens?.shape).toEqual([2, 5, 12]);
  expect(embedding.arraySync()).toEqual(tokens?.arraySync().map((t) => t[0]));
});

test("a fresh ResNet's blocks are their shortcuts: the last norm of each starts at zero", () => {
  const encoder = createEncoder("resnet18", { imageSize: 32 });
  const initial = encoder.init(1);
  const zero = encoder.parameters.filter(
    ({ name }) => /bn\d\.weight$/.test(name) && initial[name]?.data.every((v) => v === 0),
  );
  expect(zero.map(({ name }) => name)).toEqual(
    [1, 2, 3, 4].flatMap((l) => [`layer${l}.0.bn2.weight`, `layer${l}.1.bn2.weight`]),
  );
});

test("only weights of products are decayed: norms, biases, positions and class token are not", () => {
  const specs = Object.fromEntries(
    createEncoder("vit_tiny_patch16_224").parameters.map(({ name, layout, decay, buffer }) => [
      name,
      { layout, decay, buffer },
    ]),
  );
  const undecayed = { layout: "as-is", decay: false, buffer: false };
  expect(specs).toMatchObject({
    cls_token: undecayed,
    pos_embed: undecayed,
    "patch_embed.proj.weight": { layout: "conv", decay: true, buffer: false },
    "patch_embed.proj.bias": undecayed,
    "blocks.0.norm1.weight": undecayed,
    "blocks.0.attn.qkv.weight": { layout: "linear", decay: true, buffer: false },
    "blocks.0.attn.qkv.bias": undecayed,
    "norm.bias": undecayed,
  });
});

test("options that fit no transformer are refused", () => {
  const options = { imageSize: 8, channels: 3, patch: 4, dim: 12, depth: 1, heads: 3 };
  for (const wrong of [
    { heads: 5 },
    { classToken: false, pool: "token" } as const,
    { depth: 0 },
    { mlpRatio: 0 },
  ]) {
    expect(() => vit({ ...options, ...wrong })).toThrow(
      expect.objectContaining({ name: "LejepaError", code: "bad-encoder-option" }),
    );
  }
});

test("a parameter that was not passed is named", () => {
  const encoder = createEncoder("conv_mnist");
  const rest = toTensors(encoder.init(1));
  delete rest["head.fc.weight"];
  const images = tf.zeros<tf.Rank.R4>([2, 28, 28, 1]);
  expect(() => encoder.apply(rest, images, { mode: "eval" })).toThrow(
    'conv_mnist: there is no parameter "head.fc.weight"',
  );
});
