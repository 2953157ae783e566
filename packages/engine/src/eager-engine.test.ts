import "@tensorflow/tfjs-backend-cpu";
import * as tf from "@tensorflow/tfjs-core";
import { describe, expect, test } from "vitest";
import { createEagerEngine } from "./eager-engine.js";
import type { Step } from "./engine.js";

const double: Step = (state, inputs) => ({
  state: { w: tf.add(state.w!, inputs.x!) },
  outputs: { before: state.w!, sum: tf.sum(state.w!) },
});
const spec = {
  state: { w: { shape: [2], data: Float32Array.of(1, 2) } },
  inputs: { x: { shape: [2] } },
};

test("starting wasm adds no handlers to the process", async () => {
  const count = () => [
    process.listenerCount("uncaughtException"),
    process.listenerCount("unhandledRejection"),
  ];
  const before = count();
  await createEagerEngine("wasm");
  expect(count()).toEqual(before);
});

describe.each(["cpu", "wasm"])("the eager engine on %s", (backend) => {
  test("advances the state, returns outputs and leaves tfjs as it was", async () => {
    await tf.setBackend("cpu");
    const engine = await createEagerEngine(backend);
    const tensors = tf.memory().numTensors;
    const step = await engine.compile(double, spec);
    const first = await step.run({ x: Float32Array.of(10, 20) });
    expect([...first.before!.data, ...first.sum!.data]).toEqual([1, 2, 3]);
    await step.run({ x: { shape: [2], data: Float32Array.of(1, 1) } });
    expect([...(await step.readState()).w!.data]).toEqual([12, 23]);
    await step.writeState({ w: { shape: [2], data: Float32Array.of(5, 6) } });
    expect([...(await step.readState()).w!.data]).toEqual([5, 6]);
    expect(tf.getBackend()).toBe("cpu");
    expect(tf.memory().numTensors).toBe(tensors + 1);
    await engine.dispose();
    expect(tf.memory().numTensors).toBe(tensors);
    await expect(step.run({})).rejects.toMatchObject({ code: "disposed" });
  });
});
