import { adamw, type HostTensors } from "@lejepa/ops";
import * as tf from "@tensorflow/tfjs-core";
import * as onnxruntime from "onnxruntime-node";
import { expect, test } from "vitest";
import type { Step } from "./engine.js";
import { OnnxSessionHost } from "./hosts/onnx-session-host.js";
import { onnxMaker } from "./onnx-maker.js";
import { sessionEngine } from "./session-program.js";

const sine = (shape: number[], phase: number) => ({
  shape,
  data: Float32Array.from({ length: shape.reduce((size, length) => size * length, 1) }, (_, i) =>
    Math.sin(i + phase),
  ),
});
const start: HostTensors = {
  weight: sine([3, 2], 1),
  "weight/mean": sine([3, 2], 2),
  "weight/square": { shape: [3, 2], data: new Float32Array(6).fill(0.5) },
  bias: sine([2], 3),
  "bias/mean": sine([2], 4),
  "bias/square": { shape: [2], data: new Float32Array(2).fill(0.25) },
};

/** AdamW of two parameters by the gradient of a sum of squares. */
const step: Step = (state, { x, rate }) => {
  const loss = (...[weight, bias]: tf.Tensor[]) =>
    tf.sum(tf.square(tf.add(tf.matMul(x as tf.Tensor2D, weight as tf.Tensor2D), bias!)));
  const { value, grads } = tf.valueAndGrads(loss)([state.weight!, state.bias!]);
  const scalars = { learningRate: rate!, correction1: rate!, correction2: rate! };
  const constants = { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0.1 };
  const next: Record<string, tf.Tensor> = {};
  for (const [i, name] of ["weight", "bias"].entries()) {
    const slot = { mean: state[`${name}/mean`]!, square: state[`${name}/square`]! };
    const updated = adamw(
      { parameter: state[name]!, gradient: grads[i]!, ...slot, ...scalars },
      constants,
    );
    next[name] = updated.parameter;
    next[`${name}/mean`] = updated.mean;
    next[`${name}/square`] = updated.square;
  }
  return { state: next, outputs: { loss: value } };
};

async function trained(updates: "by-host" | "in-graph") {
  const settings = { engine: "onnx", threads: 1, memoryArena: true } as const;
  const engine = sessionEngine(
    onnxMaker({ blockSize: undefined, batches: "whole", updates, processes: undefined }),
    () => new OnnxSessionHost(onnxruntime, { ...settings, provider: "cpu", state: "cpu" }),
  );
  const compiled = await engine.compile(step, {
    state: start,
    inputs: { x: { shape: [4, 3] }, rate: { shape: [] } },
  });
  const losses: number[] = [];
  for (let i = 0; i < 5; i++) {
    const { loss } = await compiled.run({ x: sine([4, 3], i), rate: 0.1 });
    losses.push(loss!.data[0]!);
  }
  const state = await compiled.readState();
  await engine.dispose();
  return { losses, state, nodes: compiled.nodes };
}

test("a step trains alike whether the host or the graph updates its parameters", async () => {
  const [host, graph] = [await trained("by-host"), await trained("in-graph")];
  expect(graph.nodes).toBeGreaterThan(host.nodes + 10);
  expect(host.losses[4]).not.toBeCloseTo(host.losses[0]!, 1);
  host.losses.forEach((loss, i) => expect(graph.losses[i]! / loss).toBeCloseTo(1, 5));
  for (const [name, { shape, data }] of Object.entries(host.state)) {
    expect(graph.state[name]!.shape).toEqual(shape);
    data.forEach((number, i) => expect(graph.state[name]!.data[i]).toBeCloseTo(number, 5));
  }
});
