import { batchNorm, convBlock } from "@lejepa/ops";
import * as tf from "@tensorflow/tfjs-core";
import { expect, test } from "vitest";
import type { EngineName } from "@lejepa/engine";
import { needs } from "../../../tools/backends.js";
import { namedEngines } from "./named-engines.js";

type Program = (x: tf.Tensor4D, w: tf.Tensor) => tf.Tensor;

/** What goes before an activation, of images [2, 8, 8, 16], with weights of their own: each is fused with it somewhere. */
const layers: Readonly<Record<string, Program>> = {
  convolution: (x, w) => tf.conv2d(x, tf.reshape(w, [3, 3, 16, 16]), 1, "same"),
  "convolution with bias": (x, w) =>
    tf.add(tf.conv2d(x, tf.reshape(w, [3, 3, 16, 16]), 1, "same"), tf.fill([16], 0.1)),
  "depthwise convolution with bias": (x, w) =>
    tf.add(
      tf.depthwiseConv2d(x, tf.reshape(tf.slice(w, [0], [144]), [3, 3, 16, 1]), 1, "same"),
      tf.fill([16], 0.1),
    ),
  "product with bias": (x, w) =>
    tf.add(
      tf.matMul(tf.reshape(x, [128, 16]), tf.reshape(tf.slice(w, [0], [1024]), [16, 64])),
      tf.fill([64], 0.1),
    ),
};
const activations: Readonly<Record<string, (x: tf.Tensor) => tf.Tensor>> = {
  relu: tf.relu,
  relu6: tf.relu6,
  leakyRelu: (x) => tf.leakyRelu(x, 0.1),
  elu: tf.elu,
  tanh: tf.tanh,
  sigmoid: tf.sigmoid,
};
const statistics = () => ({ mean: tf.zeros([16]), variance: tf.ones([16]) });
const blocks: Readonly<Record<string, Program>> = Object.fromEntries(
  (["train", "eval"] as const).flatMap((mode): [string, Program][] => [
    [
      `a batch norm with ReLU, ${mode}`,
      (x) =>
        batchNorm(x, tf.ones([16]), tf.zeros([16]), statistics(), { mode, activation: "relu" }).y,
    ],
    [
      `a convolution, batch norm and ReLU, ${mode}`,
      (x, w) => {
        const norm = { weight: tf.ones([16]), bias: tf.zeros([16]), running: statistics() };
        return convBlock(x, tf.reshape(w, [3, 3, 16, 16]), norm, { mode, padding: 1 }).y;
      },
    ],
  ]),
);
const programs: Readonly<Record<string, Program>> = {
  ...Object.fromEntries(
    Object.entries(layers).flatMap(([layer, before]) =>
      Object.entries(activations).map(([name, activation]): [string, Program] => [
        `${name} of a ${layer}`,
        (x, w) => activation(before(x, w)),
      ]),
    ),
  ),
  ...blocks,
  "a resizing to the nearest pixel": (x) => tf.image.resizeNearestNeighbor(x, [5, 3]),
  "a resizing between pixels": (x) => tf.image.resizeBilinear(x, [5, 11], false, true),
};
const hasNoWeights = (program: string): boolean => /^a (batch norm|resizing)/.test(program);

const engines = namedEngines();
async function run(name: EngineName, program: string, x: Float32Array, w: Float32Array) {
  const step = await engines[name]!.compile(
    (state, inputs) => ({
      state,
      outputs: { y: programs[program]!(inputs["x"] as tf.Tensor4D, inputs["w"]!) },
    }),
    {
      state: { unused: { shape: [1], data: new Float32Array(1) } },
      inputs: { x: { shape: [2, 8, 8, 16] }, w: { shape: [2304] } },
    },
  );
  const { y } = await step.run({ x, w });
  await step.dispose();
  return Array.from(y!.data, (value) => Number.isNaN(value));
}

const sine = (length: number): Float32Array => Float32Array.from({ length }, (_, i) => Math.sin(i));
const withNaN = (values: Float32Array, at: number): Float32Array => {
  values[at] = NaN;
  return values;
};

for (const place of ["images", "weights"] as const) {
  test.for(Object.keys(programs))(
    `a NaN of the ${place} comes through %s`,
    async (program, context) => {
      needs("eager", context);
      const x = sine(2048);
      const w = sine(2304);
      // In the middle: no resizing leaves it out.
      if (place === "images") withNaN(x, 16 * (8 * 3 + 2) + 5);
      else withNaN(w, 5);
      const eager = await run("eager", program, x, w);
      expect(eager.includes(true)).toBe(place === "images" || !hasNoWeights(program));
      for (const name of Object.keys(engines) as EngineName[])
        expect({ name, places: await run(name, program, x, w) }).toEqual({ name, places: eager });
    },
  );
}
