import "@tensorflow/tfjs-backend-cpu";
import { convNet, projector, vit, type Encoder } from "@lejepa/encoders";
import { createEngine, type Engine, type ProcessGroup } from "@lejepa/engine";
import type { HostTensors, Tensors } from "@lejepa/ops";
import * as tf from "@tensorflow/tfjs-core";
import { afterEach, describe, expect, test } from "vitest";
import { needs } from "../../../tools/backends.js";
import { localGroups } from "../../engine/test/ranks/local-groups.js";
import { lockstep } from "../../ops/test/lockstep.js";
import { imagesOfEach, lejepaStep, type LejepaStep } from "./lejepa-step.js";
import { partsOfBatch } from "./parts-of-batch.js";

const engines: Engine[] = [];
afterEach(async () => {
  for (const engine of engines.splice(0)) await engine.dispose();
});

const [views, size, steps, seed] = [2, 7, 2, 3];
const head = (encoder: Encoder) => projector({ inputDim: encoder.dim, hidden: [6], outputDim: 3 });
const encoders: Record<string, Encoder> = {
  "a convolutional encoder with batch normalisation": convNet({
    imageSize: 8,
    channels: 1,
    widths: [4, 4, 4],
    head: "mean",
  }),
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
/** Two views of seven images of a smooth pattern that differs from image to image. */
const imagesOf = (step: number): Float32Array =>
  Float32Array.from({ length: views * size * 64 }, (_, i) =>
    Math.sin(0.37 * i + (i >> 6) + 5 * step),
  );

/** The step of one of `processes`, or with rank undefined that of one process with the whole batch. */
const define = (encoder: Encoder, processes: number, rank?: number): LejepaStep =>
  lejepaStep({
    encoder,
    projector: head(encoder),
    batch: { views, size },
    slices: 8,
    loss: { lambda: 0.3 },
    // AdamW's usual one makes whole steps of the rounding of gradients that are zero, as that of a key's bias is.
    optimizer: { epsilon: 1e-2 },
    ...(rank !== undefined && { share: { rank, samples: imagesOfEach(size, processes) } }),
  });

async function compile(name: "onnx" | "tensorflow", encoder: Encoder, group?: ProcessGroup) {
  const engine = await createEngine(name, {
    thread: "main",
    threads: 1,
    ...(group && { processes: group }),
  });
  engines.push(engine);
  const definition = define(encoder, group?.size ?? 1, group?.rank);
  const state = definition.initialState(0);
  const compiled = await engine.compile(definition.step, { state, inputs: definition.inputs });
  return {
    restart: () => compiled.writeState(state),
    run: (step: number, images: Float32Array) =>
      compiled.run(definition.inputsAt({ step, learningRate: 0.005, seed }, images)),
    readState: () => compiled.readState(),
  };
}
type Rank = Awaited<ReturnType<typeof compile>>;

interface Trained {
  readonly losses: readonly number[][];
  readonly state: HostTensors;
}

async function alone(name: "onnx" | "tensorflow", encoder: Encoder): Promise<Trained> {
  const one = await compile(name, encoder);
  const losses: number[][] = [];
  for (let step = 0; step < steps; step++) losses.push(terms(await one.run(step, imagesOf(step))));
  return { losses, state: await one.readState() };
}

const compileAll = (
  name: "onnx" | "tensorflow",
  encoder: Encoder,
  groups: readonly ProcessGroup[],
): Promise<Rank[]> => Promise.all(groups.map((group) => compile(name, encoder, group)));

/** Training from the first state on. */
async function together(ranks: readonly Rank[]): Promise<Trained[]> {
  await Promise.all(ranks.map((rank) => rank.restart()));
  const losses: number[][][] = ranks.map(() => []);
  for (let step = 0; step < steps; step++) {
    const parts = partsOfBatch(imagesOf(step), views, imagesOfEach(size, ranks.length));
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

describe.each(Object.entries(encoders))("%s", (_name, encoder) => {
  test.for([
    { name: "onnx", processes: 2 },
    { name: "onnx", processes: 3 },
    { name: "tensorflow", processes: 2 },
  ] as const)("on $name trains in $processes as in one", async ({ name, processes }, context) => {
    needs(name, context);
    const whole = await alone(name, encoder);
    const ranks = await together(await compileAll(name, encoder, localGroups(processes)));
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
    const step = (images: Float32Array, rank?: number): Trained => {
      const definition = define(encoder, processes, rank);
      const given = definition.inputsAt({ step: 0, learningRate: 0.005, seed }, images);
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
    const whole = step(imagesOf(0));
    const parts = partsOfBatch(imagesOf(0), views, imagesOfEach(size, processes));
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
    const ranks = await compileAll("onnx", encoder, groups);
    const [right] = await together(ranks);
    const exchanges = calls[0]! / steps;
    // Batch statistics layer by layer, the terms of the loss, their cotangents, the layers back, the last gradients.
    expect(exchanges).toBe(2 * layers + 3);
    const harmless: number[] = [];
    for (let skipped = 0; skipped < exchanges; skipped++) {
      left = (exchange) => exchange % exchanges === skipped;
      const [wrong] = await together(ranks);
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

test("each part has its images of every view", () => {
  // Two views of three images of two pixels.
  const images = Float32Array.of(10, 11, 20, 21, 30, 31, 110, 111, 120, 121, 130, 131);
  expect(partsOfBatch(images, 2, [2, 1]).map((part) => [...part])).toEqual([
    [10, 11, 20, 21, 110, 111, 120, 121],
    [30, 31, 130, 131],
  ]);
});

test("parts that do not add up to the batch are refused", () => {
  const encoder = Object.values(encoders)[0]!;
  const definition = { encoder, projector: head(encoder), batch: { views, size } };
  expect(() => lejepaStep({ ...definition, share: { rank: 0, samples: [3, 3] } })).toThrow(
    expect.objectContaining({ code: "bad-share" }),
  );
});
