import { adamw } from "@lejepa/ops";
import * as tf from "@tensorflow/tfjs-core";
import { expect, test } from "vitest";
import { capture } from "../capture/capture.js";
import type { Step } from "../engine.js";
import type { Graph } from "../graph/graph.js";
import { verify } from "../graph/verify.js";
import { onnxTarget } from "../kernels/table.js";
import { compileGraph, onnxPasses, rewriteCaptured } from "../passes/run-passes.js";
import { resolveInputs } from "../step-values.js";
import { splitUpdates } from "./host-updates.js";

const two = { shape: [2], data: Float32Array.of(1, 2) };
const state = Object.fromEntries(["p", "m", "v", "q", "n", "w"].map((name) => [name, two]));
const inputs = resolveInputs({ rate: { shape: [] }, x: { shape: [2] } });

/** AdamW of p and q, by x and its square. */
const step: Step = ({ p, m, v, q, n, w }, { rate, x }) => {
  const scalars = { learningRate: rate!, correction1: rate!, correction2: rate! };
  const constants = { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0.1 };
  const slot = { parameter: p!, mean: m!, square: v!, gradient: x! };
  const first = adamw({ ...slot, ...scalars }, constants);
  const other = { parameter: q!, mean: n!, square: w!, gradient: tf.square(x!) };
  const second = adamw({ ...other, ...scalars }, constants);
  return {
    state: {
      ...{ p: first.parameter, m: first.mean, v: first.square },
      ...{ q: second.parameter, n: second.mean, w: second.square },
    },
    outputs: {},
  };
};

const lowered = (
  smallState: "packed" | "apart",
  updates: "by-host" | "in-graph" = "by-host",
): Graph =>
  compileGraph(
    rewriteCaptured(capture(step, state, inputs, onnxTarget).graph, { smallState, updates }),
    onnxTarget,
    onnxPasses(),
  );

const operations = ({ nodes }: Graph) => nodes.map(({ op }) => op);

test("updates of tensors that the host keeps become ports of what they need", () => {
  const before = lowered("apart");
  expect(operations(before).filter((op) => op === "Adamw")).toHaveLength(2);
  const { graph, updates } = splitUpdates(before);
  verify(graph, "lowered", "updates of the host");
  expect(operations(graph)).toEqual(operations(before).filter((op) => op !== "Adamw"));
  const rates = { beta1: 0.9, beta2: 0.999 };
  const scalars = { stepSize: "update/1", epsilon: "update/2", decay: "update/3" };
  expect(updates).toEqual([
    { parameter: "p", mean: "m", square: "v", gradient: "update/0", ...scalars, ...rates },
    { parameter: "q", mean: "n", square: "w", gradient: "update/4", ...scalars, ...rates },
  ]);
  expect(graph.outputs.map(({ name }) => name)).toEqual([0, 1, 2, 3, 4].map((i) => `update/${i}`));
});

test("an update of tensors laid end to end that the host keeps apart is composed", () => {
  const before = lowered("packed");
  expect(operations(before).filter((op) => op === "Adamw")).toHaveLength(1);
  const { graph, updates } = splitUpdates(before);
  verify(graph, "lowered", "updates of the host");
  expect(updates).toEqual([]);
  const composed = [
    ...["Mul", "Mul", "Add", "Mul", "Mul", "Mul", "Add", "Sqrt"],
    ...["Add", "Div", "Mul", "Mul", "Sub"],
  ];
  expect(operations(graph)).toEqual(
    operations(before).flatMap((op) => (op === "Adamw" ? composed : [op])),
  );
  expect(graph.outputs.map(({ name }) => name)).toEqual(before.outputs.map(({ name }) => name));
});

test("for a host that updates nothing, updates are the operations that they are composed of", () => {
  const before = lowered("packed", "in-graph");
  expect(operations(before)).not.toContain("Adamw");
  expect(operations(before)).toContain("Sqrt");
  const { graph, updates } = splitUpdates(before);
  expect(updates).toEqual([]);
  expect(graph.outputs.map(({ name }) => name)).toEqual(
    Object.keys(state).map((name) => `next/${name}`),
  );
});

test("a graph without updates stays as it is", () => {
  const { graph } = splitUpdates(lowered("apart"));
  expect(splitUpdates(graph)).toEqual({ graph, updates: [] });
  expect(splitUpdates(graph).graph).toBe(graph);
});
