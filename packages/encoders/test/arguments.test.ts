import * as tf from "@tensorflow/tfjs-core";
import "@tensorflow/tfjs-backend-cpu";
import * as encoders from "@lejepa/encoders";
import { expect, test } from "vitest";
import { faultsOf, functionsOf, works, type ArgumentRow } from "../../../tools/bad-arguments.js";

const anyOptions = ["nothing", "an object", "an object without prototype", "a date"];
const image = { imageSize: 8, channels: 1 };
const encoder = encoders.convNet({ ...image, widths: [2], head: "mean" });
const transformer = encoders.vit({ ...image, patch: 4, dim: 4, depth: 1, heads: 2 });
const projector = encoders.projector({ inputDim: 2, hidden: [3], outputDim: 2 });
const tensorsOf = (model: { init: typeof encoder.init }) =>
  Object.fromEntries(
    Object.entries(model.init(0)).map(([name, { shape, data }]) => [
      name,
      tf.tensor(data, [...shape]),
    ]),
  );
const images = tf.ones<tf.Rank.R4>([2, 8, 8, 1]);

const rows: ArgumentRow[] = [
  {
    name: "convNet",
    call: encoders.convNet,
    args: [{ ...image, name: "mine", widths: [2, 2], head: "flatten", dim: 4 }],
    options: 0,
    allowed: {
      imageSize: ["nothing"],
      channels: ["nothing"],
      name: ["nothing", "a text"],
      dim: ["nothing"],
    },
  },
  {
    name: "resnet",
    call: encoders.resnet,
    args: [{ ...image, name: "mine", block: "basic", depths: [1] }],
    options: 0,
    allowed: {
      imageSize: ["nothing"],
      channels: ["nothing"],
      name: ["nothing", "a text"],
    },
  },
  {
    name: "vit",
    call: encoders.vit,
    args: [
      {
        ...image,
        name: "mine",
        patch: 4,
        dim: 8,
        depth: 1,
        heads: 2,
        mlpRatio: 2,
        classToken: true,
        activation: "silu",
        pool: "token",
      },
    ],
    options: 0,
    allowed: {
      imageSize: ["nothing"],
      channels: ["nothing"],
      name: ["nothing", "a text"],
      mlpRatio: ["nothing", "1.5"],
      classToken: ["nothing", "true"],
      activation: ["nothing"],
      pool: ["nothing"],
    },
  },
  {
    name: "projector",
    call: encoders.projector,
    args: [{ inputDim: 2, hidden: [3], outputDim: 2 }],
    options: 0,
    allowed: { hidden: ["nothing", "an array"], outputDim: ["nothing"] },
  },
  {
    name: "createEncoder",
    call: encoders.createEncoder,
    args: ["conv_mnist", image],
    options: 1,
    allowed: { 1: anyOptions, imageSize: ["nothing"], channels: ["nothing"] },
  },
  {
    name: "listEncoders",
    call: encoders.listEncoders,
    args: ["vit_*"],
    allowed: { 0: ["nothing", "a text"] },
  },
  { name: "encoderNames", call: encoders.encoderNames, args: [] },
  { name: "toTorch", call: encoders.toTorch, args: [encoder, encoder.init(0)] },
  {
    name: "fromTorch",
    call: encoders.fromTorch,
    args: [encoder, encoders.toTorch(encoder, encoder.init(0))],
  },
];

const methods: ArgumentRow[] = [
  {
    name: "encoder.init",
    call: (seed: number) => encoder.init(seed),
    args: [0],
    allowed: { 0: ["-1"] },
  },
  {
    name: "projector.init",
    call: (seed: number) => projector.init(seed),
    args: [0],
    allowed: { 0: ["-1"] },
  },
  {
    name: "encoder.apply",
    call: (...args: Parameters<typeof encoder.apply>) => encoder.apply(...args),
    args: [tensorsOf(encoder), images, { mode: "eval", features: ["stem"] }],
    options: 2,
    allowed: { features: ["nothing", "an array"] },
  },
  {
    name: "transformer.apply",
    call: (...args: Parameters<typeof transformer.apply>) => transformer.apply(...args),
    args: [tensorsOf(transformer), images, { mode: "eval", features: ["blocks.0"] }],
    options: 2,
    allowed: { features: ["nothing", "an array"] },
  },
  {
    name: "projector.apply",
    call: (...args: Parameters<typeof projector.apply>) => projector.apply(...args),
    args: [tensorsOf(projector), tf.ones([2, 2]), { mode: "train" }],
    options: 2,
  },
];

test("every function of the package has a row", () => {
  expect(rows.map(({ name }) => name).sort()).toEqual(functionsOf(encoders));
});

test.each([...rows, ...methods])(
  "$name refuses what is none of its arguments, by one sentence with a code",
  async (row) => {
    expect(await works(row)).toBe(true);
    expect(await faultsOf(row)).toEqual([]);
  },
);

test.each([
  [
    "of as many elements in another order of axes",
    "pos_embed",
    (t: tf.Tensor) => tf.reshape(t, [5, 1, 4]),
  ],
  ["that would be stretched", "norm.weight", (t: tf.Tensor) => tf.slice(t, [0], [1])],
  ["of a typed array", "norm.weight", (t: tf.Tensor) => t.dataSync()],
])("a parameter %s is refused by its name", (_why, name, change) => {
  const parameters = tensorsOf(transformer);
  const changed = { ...parameters, [name]: change(parameters[name]!) as tf.Tensor };
  const apply = () => transformer.apply(changed, images, { mode: "eval" });
  expect(apply).toThrow(expect.objectContaining({ name: "LejepaError" }));
  expect(apply).toThrow(name);
});

test("a parameter that is no host tensor is refused by its name", () => {
  const parameters = encoder.init(0);
  for (const wrong of [
    null,
    3,
    {},
    { shape: [2], data: [1, 2] },
    { shape: 2, data: new Float32Array(2) },
  ])
    expect(() =>
      encoders.toTorch(encoder, { ...parameters, "stem.bn.weight": wrong as never }),
    ).toThrow(expect.objectContaining({ code: "bad-parameter" }));
});

test("images of whole numbers are refused by encoders that convolve", () => {
  const whole = tf.zeros<tf.Rank.R4>([1, 8, 8, 1], "int32");
  const resnet = encoders.resnet({ ...image, name: "mine", block: "basic", depths: [1] });
  for (const each of [encoder, resnet])
    for (const mode of ["train", "eval"] as const)
      expect(() => each.apply(tensorsOf(each), whole, { mode })).toThrow(
        expect.objectContaining({
          name: "LejepaError",
          code: "bad-argument",
          message: expect.stringMatching(/float32.*"int32".*tf\.cast/) as string,
        }),
      );
});

test("a list that is none of parameters is refused by its place", () => {
  const good = encoder.parameters[0]!;
  for (const wrong of [1, null, undefined, "x", {}, { ...good, shape: 3 }, { ...good, shape: [1] }])
    for (const convert of [encoders.toTorch, encoders.fromTorch])
      expect(() =>
        convert(
          { ...encoder, parameters: [good, wrong as never] },
          encoders.toTorch(encoder, encoder.init(0)),
        ),
      ).toThrow(
        expect.objectContaining({
          code: "bad-argument",
          message: expect.stringContaining("model.parameters[1]") as string,
        }),
      );
});
