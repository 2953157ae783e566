import { adamw, type HostTensors } from "@lejepa/ops";
import * as tf from "@tensorflow/tfjs-core";
import { expect, test } from "vitest";
import { capture } from "../capture/capture.js";
import type { Step } from "../engine.js";
import type { Graph } from "../graph/graph.js";
import { onnxTarget } from "../kernels/table.js";
import { lower } from "../lower.js";
import { encode } from "../onnx/encode.js";
import { loadOnnxRuntime } from "../onnx-engine.js";
import { resolveInputs } from "../step-values.js";
import { flatUpdates } from "./flat-updates.js";
import { runPasses } from "./run-passes.js";

type Kind = "decay" | "no-decay";

const constants = { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0.1 };
const scalars = ["learningRate", "correction1", "correction2"];
const inputs = resolveInputs(Object.fromEntries(scalars.map((name) => [name, { shape: [] }])));

/** A step that updates parameters of the given shapes, with twice the parameter as the gradient. */
function graphOf(
  parameters: readonly { shape: readonly number[]; kind: Kind }[],
  after: Step = (state) => ({ state, outputs: {} }),
): Graph {
  const state: Record<string, HostTensors[string]> = {};
  parameters.forEach(({ shape }, i) => {
    const size = shape.reduce((product, length) => product * length, 1);
    const data = Float32Array.from({ length: size }, (_, k) => Math.sin(k + 10 * i));
    for (const name of ["p", "m", "v"]) state[`${name}${i}`] = { shape, data };
  });
  const step: Step = (tensors, given) => {
    const next: Record<string, tf.Tensor> = {};
    parameters.forEach(({ kind }, i) => {
      const updated = adamw(
        {
          parameter: tensors[`p${i}`]!,
          mean: tensors[`m${i}`]!,
          square: tensors[`v${i}`]!,
          gradient: tf.mul(tensors[`p${i}`]!, 2),
          learningRate: given["learningRate"]!,
          correction1: given["correction1"]!,
          correction2: given["correction2"]!,
        },
        { ...constants, weightDecay: kind === "decay" ? 0.1 : 0 },
      );
      next[`p${i}`] = updated.parameter;
      next[`m${i}`] = updated.mean;
      next[`v${i}`] = updated.square;
    });
    return after(next, given);
  };
  return capture(step, state, inputs, onnxTarget).graph;
}

const updates = ({ nodes }: Graph): number[] =>
  nodes.filter(({ op }) => op === "LejepaAdamw").map(({ outputs }) => outputs[0]!.shape[0]!);

async function evaluate(captured: Graph): Promise<Record<string, number[]>> {
  const { InferenceSession, Tensor } = await loadOnnxRuntime();
  const graph = lower(captured, onnxTarget);
  const session = await InferenceSession.create(encode(graph), { logSeverityLevel: 3 });
  const feeds = Object.fromEntries(
    graph.inputs.map(({ name, value: { shape } }, i) => {
      const size = shape.reduce((product, length) => product * length, 1);
      const data = Float32Array.from({ length: size }, (_, k) => ((k + 1) * 0.37 + i * 0.11) % 1);
      return [name, new Tensor("float32", data, shape)];
    }),
  );
  const results = await session.run(feeds);
  await session.release();
  return Object.fromEntries(
    Object.entries(results).map(([name, { data }]) => [name, [...(data as Float32Array)]]),
  );
}

const small = [[2, 3], [4], [], [3, 1, 2], [5]];

test("updates of one kind become one over all of them, each kind its own, with equal numbers", async () => {
  const kinds: Kind[] = ["decay", "no-decay", "no-decay", "decay", "no-decay"];
  const graph = graphOf(small.map((shape, i) => ({ shape, kind: kinds[i]! })));
  const passed = runPasses(graph, [flatUpdates]);
  expect(updates(graph)).toHaveLength(5);
  expect(updates(passed)).toEqual([6 + 6, 4 + 1 + 5]);
  const wanted = await evaluate(graph);
  expect(await evaluate(passed)).toEqual(wanted);
  expect(new Set(Object.values(wanted).flat()).size).toBeGreaterThan(40);
});

test("two updates become Reshape and Concat, one update, Split and Reshape", () => {
  const graph = graphOf([
    { shape: [2, 3], kind: "decay" },
    { shape: [4], kind: "decay" },
  ]);
  const multiply = Array.from({ length: 2 }, () => "Multiply");
  expect(graph.nodes.map(({ op }) => op)).toEqual([
    ...["Multiply", "LejepaAdamw", "Multiply", "LejepaAdamw"],
  ]);
  const operand = ["Reshape", "Reshape", "Concat"];
  const result = ["SplitV", "Reshape", "Reshape"];
  expect(runPasses(graph, [flatUpdates]).nodes.map(({ op }) => op)).toEqual([
    ...multiply,
    ...[...operand, ...operand, ...operand, ...operand],
    ...["LejepaAdamw", ...result, ...result, ...result],
  ]);
});

test.each([
  { why: "it is alone of its kind", shapes: [[2], [3]], kinds: ["decay", "no-decay"] },
  { why: "it is too large", shapes: [[131_073], [257, 512]], kinds: ["decay", "decay"] },
] as const)("an update stays as it is where $why", ({ shapes, kinds }) => {
  const graph = graphOf(shapes.map((shape, i) => ({ shape, kind: kinds[i]! })));
  expect(runPasses(graph, [flatUpdates]).nodes).toEqual(graph.nodes);
});

test("a vector that grows too long is followed by another", () => {
  const graph = graphOf(
    [120_000, 80_000, 64_000, 5].map((size) => ({ shape: [size], kind: "decay" })),
  );
  expect(updates(runPasses(graph, [flatUpdates]))).toEqual([200_000, 64_005]);
});

test("an update stays as it is where the step goes on to use its results", () => {
  const graph = graphOf(
    small.map((shape) => ({ shape, kind: "decay" })),
    (state) => ({ state, outputs: { size: tf.sum(tf.square(state["p0"]!)) } }),
  );
  expect(updates(runPasses(graph, [flatUpdates]))).toEqual([2, 4 + 1 + 6 + 5]);
});

test("updates by other scalars stay apart", () => {
  const step: Step = (state, given) => {
    const { learningRate, correction1, correction2 } = given as Record<string, tf.Tensor>;
    const next = ["a", "b", "c", "d"].map((name, i) => {
      const p = state[name]!;
      const rate = i < 2 ? learningRate! : correction2!;
      const scalars = { learningRate: rate, correction1: correction1!, correction2: correction2! };
      const slot = { parameter: p, mean: p, square: p, gradient: p };
      return [name, adamw({ ...slot, ...scalars }, constants).parameter] as const;
    });
    return { state: Object.fromEntries(next), outputs: {} };
  };
  const tensor = { shape: [3], data: Float32Array.of(1, 2, 3) };
  const state = { a: tensor, b: tensor, c: tensor, d: tensor };
  const { graph } = capture(step, state, inputs, onnxTarget);
  expect(updates(runPasses(graph, [flatUpdates]))).toEqual([6, 6]);
});
