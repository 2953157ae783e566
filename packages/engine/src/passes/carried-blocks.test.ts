import { allReduceMean } from "@lejepa/ops";
import * as tf from "@tensorflow/tfjs-core";
import { expect, test } from "vitest";
import { capture } from "../capture/capture.js";
import { port } from "../graph/port.js";
import { createEngine } from "../create-engine.js";
import type { Step } from "../engine.js";
import type { Graph } from "../graph/graph.js";
import { onnxTarget } from "../kernels/table.js";
import { GraphBuilder } from "../graph/builder.js";
import { resolveInputs } from "../step-values.js";
import { needs } from "../../../../tools/backends.js";
import { withBlocksIn, withBlocksOut } from "./carried-blocks.js";
import { compileGraph, compileSegments, onnxPasses, rewriteCaptured } from "./run-passes.js";
import { segmentsOf } from "./segments.js";

const blockSize = 16;
const inputs = { x: { shape: [2, 4, 4, 16] }, w: { shape: [3, 3, 16, 16] } };

/** The mean of each channel, as the blocked layout has it. */
const channelMeans = (y: tf.Tensor4D): tf.Tensor => {
  const rows = y.size / y.shape[3];
  return tf.matMul(tf.fill([1, rows], 1 / rows), tf.reshape(y, [rows, y.shape[3]]));
};

/** Two convolutions with a mean over processes between them, from which the second starts too. */
const between =
  (use: (y: tf.Tensor4D, mean: tf.Tensor) => tf.Tensor): Step =>
  (state, { x, w }) => {
    const y = tf.conv2d(x as tf.Tensor4D, w as tf.Tensor4D, 1, "same");
    const mean = allReduceMean(channelMeans(y));
    return { state, outputs: { z: use(y, mean) } };
  };
const convolvedAgain =
  (w: tf.Tensor4D) =>
  (y: tf.Tensor4D, mean: tf.Tensor): tf.Tensor =>
    tf.conv2d(tf.relu(tf.sub<tf.Tensor4D>(y, mean)), w, 1, "same");
const twice: Step = (state, given) =>
  between(convolvedAgain(given["w"] as tf.Tensor4D))(state, given);

const segmentsOfStep = (step: Step): Graph[] => {
  const { graph } = capture(step, {}, resolveInputs(inputs), onnxTarget);
  return segmentsOf(
    rewriteCaptured(graph, { smallState: "packed", updates: "by-host" }),
    "copies",
  ).map((segment) => segment.graph);
};
const count = (graph: Graph, op: string): number =>
  graph.nodes.filter((node) => node.op === op).length;
const carriedShape = ({ outputs }: Graph): readonly number[] =>
  outputs.find(({ name }) => port.isCarried(name))!.value.shape;

test("what a convolution makes is handed on in blocks, and taken so by the next one", () => {
  const segments = segmentsOfStep(twice);
  const [first, second] = segments.map((segment) =>
    compileGraph(segment, onnxTarget, onnxPasses(blockSize), new GraphBuilder(blockSize)),
  ) as [Graph, Graph];
  expect(carriedShape(first)).toEqual([2, 4, 4, 16]);
  expect([count(first, "ReorderOutput"), count(second, "ReorderInput")]).toEqual([1, 1]);

  const [before, behind] = compileSegments(segments, blockSize) as [Graph, Graph];
  expect(carriedShape(before)).toEqual([2, 16, 4, 4]);
  expect([count(before, "ReorderOutput"), count(behind, "ReorderInput")]).toEqual([0, 0]);
  // The difference, the activation and the second convolution: the first two are one.
  expect(count(behind, "Conv")).toBe(2);
  expect(count(behind, "ReorderOutput")).toBe(1);
});

test("what the next segment needs channels last is reordered there", () => {
  const flat = between((y, mean) => tf.matMul(tf.reshape(y, [32, 16]), tf.reshape(mean, [16, 1])));
  const [before, behind] = compileSegments(segmentsOfStep(flat), blockSize) as [Graph, Graph];
  expect(carriedShape(before)).toEqual([2, 16, 4, 4]);
  expect(count(before, "ReorderOutput")).toBe(0);
  expect(behind.nodes[0]).toMatchObject({
    op: "ReorderOutput",
    attributes: { channels: 16, channels_last: 1 },
  });
});

test("without a blocked layout, and for what leaves the step, everything stays as it is", () => {
  const [plain] = compileSegments(segmentsOfStep(twice), undefined) as [Graph, Graph];
  expect(carriedShape(plain)).toEqual([2, 4, 4, 16]);
  expect(withBlocksOut(plain).carried.size).toBe(0);
  expect(withBlocksIn(plain, new Map()).inputs).toEqual(plain.inputs);
  const [, last] = compileSegments(segmentsOfStep(twice), blockSize) as [Graph, Graph];
  const { outputs } = withBlocksOut(last).graph;
  expect(outputs.map(({ value }) => value.shape)).toEqual([[2, 4, 4, 16]]);
});

test.for([16, 20])(
  "%i channels that cross an exchange in blocks are the numbers of one graph",
  async (channels, context) => {
    needs("onnx", context);
    const shapes = { x: [2, 4, 4, channels], w: [3, 3, channels, channels] };
    const spec = { state: {}, inputs: { x: { shape: shapes.x }, w: { shape: shapes.w } } };
    const numbers = (length: number) =>
      Float32Array.from({ length }, (_, i) => Math.sin(i * i + 1));
    const given = {
      x: numbers(2 * 4 * 4 * channels),
      w: numbers(3 * 3 * channels * channels),
    };
    const step =
      (average: (t: tf.Tensor) => tf.Tensor): Step =>
      (state, { x, w }) => {
        const y = tf.conv2d(x as tf.Tensor4D, w as tf.Tensor4D, 1, "same");
        const mean = average(channelMeans(y));
        return { state, outputs: { z: convolvedAgain(w as tf.Tensor4D)(y, mean) } };
      };
    const run = async (average: (t: tf.Tensor) => tf.Tensor): Promise<Float32Array> => {
      const processes = { rank: 0, size: 1, allReduceMean: () => undefined };
      const engine = await createEngine("onnx", { thread: "main", processes });
      const compiled = await engine.compile(step(average), spec);
      const { z } = await compiled.run(given);
      await engine.dispose();
      return z!.data;
    };
    const [wanted, found] = [await run((t) => t), await run(allReduceMean)];
    expect(new Set(wanted).size).toBeGreaterThan(100);
    expect(found).toHaveLength(wanted.length);
    const scale = Math.max(...wanted.map(Math.abs));
    found.forEach((value, i) => expect(value / scale).toBeCloseTo(wanted[i]! / scale, 5));
  },
);
