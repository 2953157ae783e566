import "@tensorflow/tfjs-backend-cpu";
import type { Batch } from "@lejepa/data";
import { convNet, projector, vit, type Encoder } from "@lejepa/encoders";
import { createEngine, type Engine, type ProcessGroup } from "@lejepa/engine";
import type { HostTensors, Tensors } from "@lejepa/ops";
import * as tf from "@tensorflow/tfjs-core";
import { afterEach, describe, expect, test } from "vitest";
import { needs } from "../../../tools/backends.js";
import { localGroups } from "../../engine/test/ranks/local-groups.js";
import { lockstep } from "../../ops/test/lockstep.js";
import { imagesOfEach, lejepaStep, type LejepaStep } from "./lejepa-step.js";
import { buffersOf, partsOfBatch } from "./parts-of-batch.js";

const engines: Engine[] = [];
afterEach(async () => {
  for (const engine of engines.splice(0)) await engine.dispose();
});

const [size, steps, seed] = [7, 2, 3];
const head = (encoder: Encoder) => projector({ inputDim: encoder.dim, hidden: [6], outputDim: 3 });
const withBatchNorm = convNet({ imageSize: 8, channels: 1, widths: [4, 4, 4], head: "mean" });
const encoders: Record<string, Encoder> = {
  "a convolutional encoder with batch normalisation": withBatchNorm,
  "a vision transformer": vit({
    name: "vit",
    dim: 8,
    depth: 1,
    heads: 2,
    patch: 4,
    imageSize: 8,
    channels: 1,
  }),
};
/** Each with the views of its groups. */
const cases: Record<string, Case> = {
  ...Object.fromEntries(
    Object.entries(encoders).map(([name, encoder]) => [name, { encoder, groups: [2] }]),
  ),
  "a convolutional encoder of two groups of views": { encoder: withBatchNorm, groups: [2, 1] },
};
interface Case {
  readonly encoder: Encoder;
  readonly groups: readonly number[];
}

/** Views of seven images of a smooth pattern that differs from image to image. */
const batchOf = (step: number, groups: readonly number[]): Batch => ({
  index: step,
  epoch: 0,
  size,
  indices: Int32Array.from({ length: size }, (_, n) => n),
  labels: undefined,
  groups: groups.map((views, g) => ({
    views,
    shape: [views * size, 8, 8, 1],
    images: Float32Array.from({ length: views * size * 64 }, (_, i) =>
      Math.sin(0.37 * i + (i >> 6) + 5 * step + g),
    ),
    normalise: undefined,
  })) as unknown as Batch["groups"],
});

/** The step of one of `processes`, or with rank undefined that of one process with the whole batch. */
const define = ({ encoder, groups }: Case, processes: number, rank?: number): LejepaStep =>
  lejepaStep({
    encoder,
    projector: head(encoder),
    batch: { images: size, groups: groups.map((views) => ({ views })) },
    slices: 8,
    loss: { lambda: 0.3 },
    // AdamW's usual one makes whole steps of the rounding of gradients that are zero, as that of a key's bias is.
    optimizer: { epsilon: 1e-2 },
    ...(rank !== undefined && { share: { rank, samples: imagesOfEach(size, processes) } }),
  });

async function compile(name: "onnx" | "tensorflow", of: Case, group?: ProcessGroup) {
  const engine = await createEngine(name, {
    thread: "main",
    threads: 1,
    ...(group && { processes: group }),
  });
  engines.push(engine);
  const definition = define(of, group?.size ?? 1, group?.rank);
  const state = definition.initialState(0);
  const compiled = await engine.compile(definition.step, { state, inputs: definition.inputs });
  return {
    restart: () => compiled.writeState(state),
    run: (step: number, batch: Batch) =>
      compiled.run(definition.inputsAt({ step, learningRate: 0.005, seed }, batch)),
    readState: () => compiled.readState(),
  };
}
type Rank = Awaited<ReturnType<typeof compile>>;

interface Trained {
  readonly losses: readonly number[][];
  readonly state: HostTensors;
}

async function alone(name: "onnx" | "tensorflow", of: Case): Promise<Trained> {
  const one = await compile(name, of);
  const losses: number[][] = [];
  for (let step = 0; step < steps; step++)
    losses.push(terms(await one.run(step, batchOf(step, of.groups))));
  return { losses, state: await one.readState() };
}

const compileAll = (
  name: "onnx" | "tensorflow",
  of: Case,
  groups: readonly ProcessGroup[],
): Promise<Rank[]> => Promise.all(groups.map((group) => compile(name, of, group)));

/** Training from the first state on. */
async function together(ranks: readonly Rank[], groups: readonly number[]): Promise<Trained[]> {
  await Promise.all(ranks.map((rank) => rank.restart()));
  const losses: number[][][] = ranks.map(() => []);
  for (let step = 0; step < steps; step++) {
    const parts = partsOfBatch(batchOf(step, groups), imagesOfEach(size, ranks.length));
    const outputs = await Promise.all(ranks.map((rank, i) => rank.run(step, parts[i]!)));
    outputs.forEach((output, i) => losses[i]!.push(terms(output)));
  }
  const states = await Promise.all(ranks.map((rank) => rank.readState()));
  return states.map((state, i) => ({ losses: losses[i]!, state }));
}

const onHost = (tensors: Tensors): HostTensors =>
  Object.fromEntries(
    Object.entries(tensors).map(([name, tensor]) => [
      name,
      { shape: tensor.shape, data: Float32Array.from(tensor.dataSync()) },
    ]),
  );

const terms = (outputs: HostTensors): number[] =>
  ["loss", "prediction", "sigreg"].map((name) => outputs[name]!.data[0]!);

/** Largest difference of losses, and of states. */
function difference(a: Trained, b: Trained): { losses: number; state: number } {
  const largest = (pairs: readonly (readonly [number, number])[]): number =>
    pairs.reduce((most, [x, y]) => (Math.abs(x - y) <= most ? most : Math.abs(x - y)), 0);
  return {
    losses: largest(a.losses.flat().map((x, i) => [x, b.losses.flat()[i]!])),
    state: largest(
      Object.entries(a.state).flatMap(([name, { data }]) =>
        Array.from(data, (x, i) => [x, b.state[name]!.data[i]!] as const),
      ),
    ),
  };
}

describe.each(Object.entries(cases))("%s", (_name, of) => {
  test.for([
    { name: "onnx", processes: 2 },
    { name: "onnx", processes: 3 },
    { name: "tensorflow", processes: 2 },
  ] as const)("on $name trains in $processes as in one", async ({ name, processes }, context) => {
    needs(name, context);
    const whole = await alone(name, of);
    const ranks = await together(await compileAll(name, of, localGroups(processes)), of.groups);
    for (const rank of ranks) {
      const { losses, state } = difference(rank, whole);
      expect(losses).toBeLessThan(1e-5);
      expect(state).toBeLessThan(1e-5);
      // To the bit, so that the processes never drift apart.
      expect(rank).toEqual(ranks[0]);
    }
  });

  test("makes the same step operation by operation, in 2", async (context) => {
    const processes = 2;
    needs("eager", context);
    await tf.setBackend("cpu");
    const step = (batch: Batch, rank?: number): Trained => {
      const definition = define(of, processes, rank);
      const given = definition.inputsAt({ step: 0, learningRate: 0.005, seed }, batch);
      let trained!: Trained;
      tf.tidy(() => {
        const inputs = Object.entries(definition.inputs).map(([name, { shape }]) => {
          const value = given[name] as number | Float32Array;
          return [
            name,
            tf.tensor(typeof value === "number" ? [value] : value, [...shape]),
          ] as const;
        });
        const state = Object.entries(definition.initialState(0)).map(
          ([name, { data, shape }]) => [name, tf.tensor(data, [...shape])] as const,
        );
        const result = definition.step(Object.fromEntries(state), Object.fromEntries(inputs));
        trained = { losses: [terms(onHost(result.outputs))], state: onHost(result.state) };
      });
      return trained;
    };
    const whole = step(batchOf(0, of.groups));
    const parts = partsOfBatch(batchOf(0, of.groups), imagesOfEach(size, processes));
    const ranks = lockstep(processes, (rank) => step(parts[rank]!, rank));
    for (const rank of ranks) {
      const { losses, state } = difference(rank, whole);
      expect(losses).toBeLessThan(1e-5);
      expect(state).toBeLessThan(1e-5);
      expect(rank).toEqual(ranks[0]);
    }
  });
});

describe("an exchange that is left out is noticed", () => {
  test.for(Object.entries(encoders))("of %s", async ([, encoder], context) => {
    needs("onnx", context);
    const parameters = [...encoder.parameters, ...head(encoder).parameters];
    const layers = parameters.filter(({ name }) => name.endsWith("running_mean")).length;
    let left: (exchange: number) => boolean = () => false;
    const calls = [0, 0];
    const groups = localGroups(2).map((group, rank) => ({
      ...group,
      allReduceMean: (values: Float32Array) =>
        left(calls[rank]!++) ? undefined : group.allReduceMean(values),
    }));
    const views = [2];
    const ranks = await compileAll("onnx", { encoder, groups: views }, groups);
    const [right] = await together(ranks, views);
    const exchanges = calls[0]! / steps;
    // Batch statistics layer by layer, the terms of the loss, their cotangents, the layers back, the last gradients.
    expect(exchanges).toBe(2 * layers + 3);
    const harmless: number[] = [];
    for (let skipped = 0; skipped < exchanges; skipped++) {
      left = (exchange) => exchange % exchanges === skipped;
      const [wrong] = await together(ranks, views);
      const { losses, state } = difference(wrong!, right!);
      if (losses < 1e-5 && state < 1e-5) harmless.push(skipped);
    }
    // Every process has the same loss and so the same cotangents, of which the mean changes nothing.
    expect(harmless).toEqual([layers + 1]);
  });
});

test.each([
  [7, 1, [7]],
  [7, 2, [4, 3]],
  [7, 3, [3, 2, 2]],
  [2, 2, [1, 1]],
])("%i images are shared out among %i", (images, processes, expected) => {
  expect(imagesOfEach(images, processes)).toEqual(expected);
});

test("each part has its images of every view of every group, their indices and labels", () => {
  // Two views of three images of two pixels, and one as bytes of a pixel.
  const normalise = { mean: [0.5], std: [1] };
  const batch: Batch = {
    index: 4,
    epoch: 1,
    size: 3,
    indices: Int32Array.of(7, 8, 9),
    labels: Int32Array.of(1, 2, 3),
    groups: [
      {
        views: 2,
        shape: [6, 1, 2, 1],
        images: Float32Array.of(10, 11, 20, 21, 30, 31, 110, 111, 120, 121, 130, 131),
        normalise: undefined,
      },
      { views: 1, shape: [3, 1, 1, 1], images: Uint8Array.of(4, 5, 6), normalise },
    ],
  };
  const parts = partsOfBatch(batch, [2, 1]);
  expect(parts).toEqual([
    {
      ...batch,
      size: 2,
      indices: Int32Array.of(7, 8),
      labels: Int32Array.of(1, 2),
      groups: [
        {
          ...batch.groups[0],
          shape: [4, 1, 2, 1],
          images: Float32Array.of(10, 11, 20, 21, 110, 111, 120, 121),
        },
        { views: 1, shape: [2, 1, 1, 1], images: Uint8Array.of(4, 5), normalise },
      ],
    },
    {
      ...batch,
      size: 1,
      indices: Int32Array.of(9),
      labels: Int32Array.of(3),
      groups: [
        { ...batch.groups[0], shape: [2, 1, 2, 1], images: Float32Array.of(30, 31, 130, 131) },
        { views: 1, shape: [1, 1, 1, 1], images: Uint8Array.of(6), normalise },
      ],
    },
  ]);
  // All of it is given away.
  expect(buffersOf(parts[0]!).map(({ byteLength }) => byteLength)).toEqual([32, 2, 8, 8]);
});

test("parts that do not add up to the batch are refused", () => {
  const encoder = Object.values(encoders)[0]!;
  const definition = {
    encoder,
    projector: head(encoder),
    batch: { images: size, groups: [{ views: 2 }] },
  };
  expect(() => lejepaStep({ ...definition, share: { rank: 0, samples: [3, 3] } })).toThrow(
    expect.objectContaining({ code: "bad-share" }),
  );
});
