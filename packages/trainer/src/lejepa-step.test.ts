import * as tf from "@tensorflow/tfjs-core";
import "@tensorflow/tfjs-backend-cpu";
import { convNet, projector, type Encoder } from "@lejepa/encoders";
import type { HostTensors, Tensors } from "@lejepa/ops";
import { beforeAll, expect, test } from "vitest";
import { lejepaStep, type LejepaStep } from "./lejepa-step.js";

beforeAll(async () => {
  await tf.setBackend("cpu");
});

const encoder = convNet({ imageSize: 8, channels: 1, widths: [4, 4, 4], head: "mean" });
const head = projector({ inputDim: encoder.dim, hidden: [6], outputDim: 3 });
const options = { encoder, projector: head, batch: { views: 2, size: 5 }, slices: 8 };
const learningRate = 0.01;

/** Ten images of a smooth pattern that differs from image to image. */
const images = Float32Array.from({ length: 10 * 64 }, (_, i) => Math.sin(0.37 * i + (i >> 6)));

function asTensors(state: HostTensors): Record<string, tf.Tensor> {
  return Object.fromEntries(
    Object.entries(state).map(([name, { shape, data }]) => [name, tf.tensor(data, [...shape])]),
  );
}

/** The inputs of step `step` as tensors. */
function inputsOf(definition: LejepaStep, step: number): Record<string, tf.Tensor> {
  const values = definition.inputsAt({ step, learningRate, seed: 3 }, images);
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
function runOnce(definition: LejepaStep, state: HostTensors, step = 0) {
  return tf.tidy(() => {
    const result = definition.step(asTensors(state), inputsOf(definition, step));
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
    apply: (parameters, batch, mode) => ({
      ...encoder.apply(parameters, batch, mode),
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
  const [once, again] = [definition.inputsAt(moment, images), definition.inputsAt(moment, images)];
  expect(once).toEqual(again);
  expect(once["images"]).toBe(images);
  expect(once["correction1"]).toBeCloseTo(1 - 0.9 ** 5, 12);
  expect(once["correction2"]).toBeCloseTo(1 - 0.999 ** 5, 12);
  expect(definition.inputsAt({ ...moment, step: 5 }, images)["directions"]).not.toEqual(
    once["directions"],
  );
});
