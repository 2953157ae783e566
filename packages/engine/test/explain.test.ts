import "@tensorflow/tfjs-backend-cpu";
import { readdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { createEngine, type Step } from "@lejepa/engine";
import * as tf from "@tensorflow/tfjs-core";
import { InferenceSession } from "onnxruntime-node";
import { expect, test } from "vitest";
import { needs } from "../../../tools/backends.js";

const [rows, width] = [64, 128];
const step: Step = (state, { x, label }) => {
  const h = tf.relu(tf.matMul(x as tf.Tensor2D, state.w as tf.Tensor2D));
  const picked = tf.gather(h, label as tf.Tensor1D);
  return { state: { w: tf.add(state.w!, tf.mean(h)) }, outputs: { picked, sum: tf.sum(h) } };
};
const spec = {
  state: { w: { shape: [width, width], data: new Float32Array(width * width).fill(0.1) } },
  inputs: { x: { shape: [rows, width] }, label: { shape: [3], dtype: "int32" as const } },
};

test("an explanation gives costs, memory and the graph, and leaves the state alone", async (context) => {
  needs("onnx", context);
  const engine = await createEngine("onnx");
  const compiled = await engine.compile(step, spec);
  const folders = () => readdirSync(tmpdir()).filter((name) => name.startsWith("lejepa-profile"));
  const before = folders();
  const told = await compiled.explain({ runs: 3 });
  expect(folders()).toEqual(before);
  expect((await compiled.readState()).w!.data).toEqual(spec.state.w.data);

  expect(told.runs).toBe(3);
  expect(told.milliseconds).toBeGreaterThan(0);
  expect(told.compileMilliseconds).toBe(compiled.compileMilliseconds);
  expect(Object.values(told.nodes).reduce((a, b) => a + b)).toBe(compiled.nodes);
  // The step's own, and that of the check of its indices.
  expect(told.nodes.Gather).toBe(2);
  expect(told.costs.map(({ op }) => op)).toContain("Gather");
  expect(told.costs.reduce((sum, { share }) => sum + share, 0)).toBeCloseTo(1);
  expect(told.costs.reduce((sum, { count }) => sum + count, 0)).toBe(told.slowest.length);
  const [first, second] = told.costs;
  expect(first!.milliseconds).toBeGreaterThanOrEqual(second!.milliseconds);
  const gather = told.slowest.find(({ op }) => op === "Gather")!;
  expect(gather.calledAt).toMatch(/explain\.test\.ts:\d+:\d+$/);

  const { stateBytes, inputBytes, arenaPeakBytes, arenaHeldBytes, peakBytes } = told.memory;
  expect(stateBytes).toBe(4 * width * width);
  expect(inputBytes).toBe(4 * (rows * width + 3));
  // The activations and the next state at least, and no more than a few times as much.
  expect(arenaPeakBytes).toBeGreaterThanOrEqual(4 * (rows * width + width * width));
  expect(arenaPeakBytes).toBeLessThan(8 * 4 * (rows * width + width * width));
  expect(arenaHeldBytes).toBeGreaterThanOrEqual(arenaPeakBytes);
  expect(peakBytes).toBe(stateBytes + inputBytes + arenaPeakBytes);
  const session = await InferenceSession.create(told.onnx);
  expect(session.inputNames).toEqual(["state/w", "input/x", "input/label"]);
  await session.release();
  await engine.dispose();
});

test("a step is explained on inputs of one's own, and refused on wrong ones", async (context) => {
  needs("onnx", context);
  const engine = await createEngine("onnx");
  const compiled = await engine.compile(step, spec);
  const inputs = { x: new Float32Array(rows * width), label: Int32Array.of(0, 1, 2) };
  expect((await compiled.explain({ inputs, runs: 1 })).runs).toBe(1);
  await expect(compiled.explain({ inputs: { x: inputs.x } })).rejects.toMatchObject({
    code: "bad-input",
  });
  await expect(compiled.explain({ runs: 0 })).rejects.toMatchObject({ code: "bad-option" });
  await compiled.dispose();
  await expect(compiled.explain()).rejects.toMatchObject({ code: "disposed" });
  await engine.dispose();
});

test("the eager engine has nothing to explain", async () => {
  const engine = await createEngine("eager");
  const compiled = await engine.compile(step, spec);
  await expect(compiled.explain()).rejects.toMatchObject({ code: "no-graph" });
  await engine.dispose();
});
