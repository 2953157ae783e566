import * as tf from "@tensorflow/tfjs-core";
import "@tensorflow/tfjs-backend-cpu";
import type { BatchGroup } from "@lejepa/data";
import { convNet, projector, vit, type Encoder } from "@lejepa/encoders";
import type { HostTensors, Tensors } from "@lejepa/ops";
import { beforeAll, describe, expect, test } from "vitest";
import { lejepaStep, type LejepaStep, type LejepaStepOptions } from "./lejepa-step.js";

beforeAll(async () => {
  await tf.setBackend("cpu");
});

const encoder = convNet({ imageSize: 8, channels: 1, widths: [4, 4, 4], head: "mean" });
const head = projector({ inputDim: encoder.dim, hidden: [6], outputDim: 3 });
const options = {
  encoder,
  projector: head,
  batch: { images: 5, groups: [{ views: 2 }] },
  slices: 8,
};
const learningRate = 0.01;

/** Ten images of a smooth pattern that differs from image to image. */
const images = Float32Array.from({ length: 10 * 64 }, (_, i) => Math.sin(0.37 * i + (i >> 6)));
const groupOf = (data: Float32Array, views: number): BatchGroup => ({
  views,
  shape: [data.length / 64, 8, 8, 1],
  images: data,
  normalise: undefined,
});
const batch = { groups: [groupOf(images, 2)] as const };

function asTensors(state: HostTensors): Record<string, tf.Tensor> {
  return Object.fromEntries(
    Object.entries(state).map(([name, { shape, data }]) => [name, tf.tensor(data, [...shape])]),
  );
}

/** The inputs of step `step` as tensors. */
function inputsOf(
  definition: LejepaStep,
  step: number,
  given: Parameters<LejepaStep["inputsAt"]>[1] = batch,
): Record<string, tf.Tensor> {
  const values = definition.inputsAt({ step, learningRate, seed: 3 }, given);
  return Object.fromEntries(
    Object.entries(definition.inputs).map(([name, { shape }]) => {
      const value = values[name]!;
      return [
        name,
        tf.tensor(typeof value === "number" ? [value] : (value as Float32Array), [...shape]),
      ];
    }),
  );
}

const numbers = (tensors: Tensors): Record<string, number[]> =>
  Object.fromEntries(Object.entries(tensors).map(([name, t]) => [name, [...t.dataSync()]]));

/** One step eagerly, as plain numbers. */
function runOnce(
  definition: LejepaStep,
  state: HostTensors,
  given: Parameters<LejepaStep["inputsAt"]>[1] = batch,
) {
  return tf.tidy(() => {
    const result = definition.step(asTensors(state), inputsOf(definition, 0, given));
    return { state: numbers(result.state), outputs: numbers(result.outputs) };
  });
}

test("state in and out have the same names and shapes, and every trained parameter moves", () => {
  const definition = lejepaStep(options);
  const state = definition.initialState(0);
  const after = runOnce(definition, state);
  expect(Object.keys(after.state).sort()).toEqual(Object.keys(state).sort());
  for (const { name, buffer } of [...encoder.parameters, ...head.parameters]) {
    const before = [...state[name]!.data];
    expect(after.state[name], buffer ? `${name}, a buffer` : name).not.toEqual(before);
    expect(after.state[name]).toHaveLength(before.length);
  }
});

test("the total is the convex combination of its terms", () => {
  const definition = lejepaStep({ ...options, loss: { lambda: 0.3 } });
  const { loss, prediction, sigreg } = runOnce(definition, definition.initialState(0)).outputs;
  expect(loss![0]).toBeCloseTo(0.7 * prediction![0]! + 0.3 * sigreg![0]!, 6);
  expect(prediction![0]).toBeGreaterThan(0);
});

test("the first update is the learning rate against the sign of the finite difference", () => {
  const definition = lejepaStep({ ...options, optimizer: { weightDecay: 0 } });
  const state = definition.initialState(0);
  const after = runOnce(definition, state);
  const name = "projector.3.weight";
  const lossAt = (index: number, change: number): number => {
    const data = state[name]!.data.slice();
    data[index]! += change;
    const moved = { ...state, [name]: { shape: state[name]!.shape, data } };
    return runOnce(definition, moved).outputs["loss"]![0]!;
  };
  for (const index of [0, 7, 17]) {
    const slope = (lossAt(index, 1e-2) - lossAt(index, -1e-2)) / 2e-2;
    const gradient = after.state[`exp_avg.${name}`]![index]! / 0.1;
    expect(gradient).toBeCloseTo(slope, 3);
    const change = after.state[name]![index]! - state[name]!.data[index]!;
    expect(change).toBeCloseTo(-learningRate * Math.sign(slope), 5);
  }
});

test("weight decay shrinks the parameters that say so and nothing else", () => {
  const state = lejepaStep(options).initialState(0);
  const [without, decayed] = [0, 0.5].map((weightDecay) =>
    runOnce(lejepaStep({ ...options, optimizer: { weightDecay } }), state),
  );
  const moved = { decayed: 0, other: 0 };
  for (const { name, decay } of [...encoder.parameters, ...head.parameters]) {
    const difference = decayed!.state[name]!.map((value, i) => value - without!.state[name]![i]!);
    const expected = [...state[name]!.data].map((value) =>
      decay ? -learningRate * 0.5 * value : 0,
    );
    difference.forEach((value, i) => expect(value).toBeCloseTo(expected[i]!, 6));
    moved[decay ? "decayed" : "other"]++;
  }
  expect(moved.decayed).toBeGreaterThan(0);
  expect(moved.other).toBeGreaterThan(0);
});

test("an eager run leaks no tensor and leaves its state alone", () => {
  const definition = lejepaStep(options);
  const state = asTensors(definition.initialState(0));
  const inputs = inputsOf(definition, 0);
  const before = tf.memory().numTensors;
  const result = definition.step(state, inputs);
  const returned = Object.keys(result.state).length + Object.keys(result.outputs).length;
  expect(tf.memory().numTensors).toBe(before + returned);
  expect(Object.values(state).some((tensor) => tensor.isDisposed)).toBe(false);
  tf.dispose([result.state, result.outputs]);
  expect(tf.memory().numTensors).toBe(before);
  // Inside a scope nothing outlives it.
  tf.tidy(() => void definition.step(state, inputs));
  expect(tf.memory().numTensors).toBe(before);
  tf.dispose([state, inputs]);
});

test("a buffer that the encoder does not update, or returns as it is, passes through", () => {
  const frozen: Encoder = {
    ...encoder,
    apply: (parameters, shown, mode) => ({
      ...encoder.apply(parameters, shown, mode),
      updates: Object.fromEntries(
        Object.keys(parameters)
          .filter((name) => name.endsWith("running_mean") && !name.startsWith("projector"))
          .map((name) => [name, parameters[name]!]),
      ),
    }),
  };
  const definition = lejepaStep({ ...options, encoder: frozen });
  const state = asTensors(definition.initialState(0));
  const before = tf.memory().numTensors;
  const first = definition.step(state, inputsOf(definition, 0));
  const buffers = encoder.parameters.filter(({ buffer }) => buffer);
  expect(buffers.length).toBeGreaterThan(0);
  for (const { name } of buffers) {
    expect(state[name]!.isDisposed).toBe(false);
    expect([...first.state[name]!.dataSync()]).toEqual([...state[name]!.dataSync()]);
  }
  expect(tf.memory().numTensors).toBeGreaterThan(before);
});

test("directions and corrections belong to the step, the images are passed on uncopied", () => {
  const definition = lejepaStep(options);
  const moment = { step: 4, learningRate, seed: 3 };
  const [once, again] = [definition.inputsAt(moment, batch), definition.inputsAt(moment, batch)];
  expect(once).toEqual(again);
  expect(once["images/0"]).toBe(images);
  expect(once["correction1"]).toBeCloseTo(1 - 0.9 ** 5, 12);
  expect(once["correction2"]).toBeCloseTo(1 - 0.999 ** 5, 12);
  expect(definition.inputsAt({ ...moment, step: 5 }, batch)["directions"]).not.toEqual(
    once["directions"],
  );
});

describe("two groups of views", () => {
  const local = Float32Array.from({ length: 15 * 64 }, (_, i) => Math.cos(0.21 * i + (i >> 6)));
  const both = { groups: [groupOf(images, 2), groupOf(local, 3)] as const };
  const grouped = { ...options, batch: { images: 5, groups: [{ views: 2 }, { views: 3 }] } };
  const all = new Float32Array(images.length + local.length);
  all.set(images);
  all.set(local, images.length);
  /** The largest difference between two lists of numbers by name. */
  const difference = (a: Record<string, number[]>, b: Record<string, number[]>): number =>
    Math.max(
      ...Object.keys(a).flatMap((name) => a[name]!.map((x, i) => Math.abs(x - b[name]![i]!))),
    );

  test("are an input each, and the state is that of one group", () => {
    const definition = lejepaStep(grouped);
    expect(definition.inputs).toMatchObject({
      "images/0": { shape: [10, 8, 8, 1] },
      "images/1": { shape: [15, 8, 8, 1] },
    });
    expect(definition.initialState(0)).toEqual(lejepaStep(options).initialState(0));
  });

  test("of an encoder without batch normalisation train as all views in one group", () => {
    const plain = vit({ dim: 8, depth: 1, heads: 2, patch: 4, imageSize: 8, channels: 1 });
    const own = {
      ...grouped,
      encoder: plain,
      projector: projector({ inputDim: 8, hidden: [6], outputDim: 3 }),
    };
    const apart = lejepaStep(own);
    const together = lejepaStep({ ...own, batch: { images: 5, groups: [{ views: 5 }] } });
    const state = apart.initialState(0);
    const [a, b] = [
      runOnce(apart, state, both),
      runOnce(together, state, { groups: [groupOf(all, 5)] }),
    ];
    expect(difference(a.outputs, b.outputs)).toBeLessThan(1e-6);
    // The mean of gradients, as AdamW makes a whole step of any gradient, however small.
    const means = (of: Record<string, number[]>) =>
      Object.fromEntries(Object.entries(of).filter(([name]) => name.startsWith("exp_avg.")));
    expect(difference(means(a.state), means(b.state))).toBeLessThan(1e-6);
    expect(a.outputs["loss"]![0]).toBeGreaterThan(0.01);
  });

  test("are normalised group by group, and running statistics go on from one to the next", () => {
    const definition = lejepaStep(grouped);
    const state = definition.initialState(0);
    const after = runOnce(definition, state, both).state;
    const expected = tf.tidy(() => {
      const tensors = asTensors(state);
      const apply = (data: Float32Array, parameters: Tensors) =>
        encoder.apply(parameters, tf.tensor4d(data, [data.length / 64, 8, 8, 1]), {
          mode: "train",
        });
      const first = apply(images, tensors).updates;
      return numbers(apply(local, { ...tensors, ...first }).updates);
    });
    expect(Object.keys(expected).length).toBeGreaterThan(0);
    for (const [name, values] of Object.entries(expected))
      values.forEach((value, i) => expect(after[name]![i]).toBeCloseTo(value, 6));
  });

  test("with a global target predict the mean of the first group, or of as many views as given", () => {
    const { prediction } = runOnce(
      lejepaStep(grouped),
      lejepaStep(grouped).initialState(0),
      both,
    ).outputs;
    const of = (loss: NonNullable<LejepaStepOptions["loss"]>) => {
      const definition = lejepaStep({ ...grouped, loss });
      return runOnce(definition, definition.initialState(0), both).outputs["prediction"]![0]!;
    };
    const first = of({ target: "global" });
    expect(first).toBe(of({ target: "global", globalViews: 2 }));
    expect(first).not.toBeCloseTo(of({ target: "global", globalViews: 1 }), 3);
    // The mean of all views is nearest to all of them.
    expect(first).toBeGreaterThan(prediction![0]!);
  });

  test("may be bytes, which are normalised when they are passed on", () => {
    const bytes = Uint8Array.from({ length: 640 }, (_, i) => (i * 37) % 256);
    const normalise = { mean: [0.5], std: [0.25] };
    const given = { ...groupOf(images, 2), images: bytes, normalise };
    const value = lejepaStep(options).inputsAt(
      { step: 0, learningRate, seed: 3 },
      { groups: [given] },
    );
    (value["images/0"] as Float32Array).forEach((x, i) =>
      expect(x).toBeCloseTo((bytes[i]! / 255 - 0.5) / 0.25, 5),
    );
  });

  test("of a size that the encoder does not take are refused", () => {
    const groups = [{ views: 2 }, { views: 3, size: [4, 8] as const }];
    const sized = { ...options, batch: { images: 5, groups } };
    const one = { ...encoder, accepts: (height: number, width: number) => height === width };
    expect(() => lejepaStep({ ...sized, encoder: one })).toThrow(
      expect.objectContaining({
        name: "LejepaError",
        code: "image-shape",
        message: expect.stringContaining("group 1 are 4 x 8") as string,
      }),
    );
    const other = { ...encoder, accepts: (height: number) => height >= 4 };
    expect(lejepaStep({ ...sized, encoder: other }).inputs["images/1"]!.shape).toEqual([
      15, 4, 8, 1,
    ]);
  });
});
