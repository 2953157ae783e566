import { convBlock } from "@lejepa/ops";
import * as tf from "@tensorflow/tfjs-core";
import { describe, expect, test } from "vitest";
import { capture } from "../capture/capture.js";
import { port } from "../graph/port.js";
import { sizeOf, type Graph, type Shape } from "../graph/graph.js";
import { onnxTarget } from "../kernels/table.js";
import { blockSizeFor } from "../onnx/block-size.js";
import { GraphBuilder } from "../graph/builder.js";
import { encode } from "../onnx/encode.js";
import { loadOnnxRuntime } from "../onnx-engine.js";
import { resolveInputs } from "../step-values.js";
import { batchParts } from "./batch-parts.js";
import { compileGraph, onnxPasses, rewriteCaptured, runPasses } from "./run-passes.js";

type Build = (given: Readonly<Record<"x" | "w", tf.Tensor>>) => Record<string, tf.Tensor>;

/** What `build` makes of x [N, 4, 4, 1] and w [3, 3, 1, 4], as captured. */
function graphOf(build: Build, images = 128): Graph {
  const inputs = resolveInputs({ x: { shape: [images, 4, 4, 1] }, w: { shape: [3, 3, 1, 4] } });
  const { graph } = capture(
    (state, given) => ({ state, outputs: build(given) }),
    {},
    inputs,
    onnxTarget,
  );
  return rewriteCaptured(graph, { smallState: "packed", updates: "by-host" });
}

const ops = ({ nodes }: Graph): string[] => nodes.map(({ op }) => op);
const count = (graph: Graph, op: string): number => ops(graph).filter((each) => each === op).length;

/** Numbers without a pattern that parts could share. */
const numbers = (shape: Shape): Float32Array =>
  Float32Array.from({ length: sizeOf(shape) }, (_, i) => Math.sin(i * i + 1));

const blockSize = await blockSizeFor("auto", await loadOnnxRuntime());

async function evaluate(captured: Graph): Promise<Record<string, number[]>> {
  const { InferenceSession, Tensor } = await loadOnnxRuntime();
  const builder = new GraphBuilder(blockSize);
  const graph = compileGraph(captured, onnxTarget, onnxPasses(blockSize), builder);
  const session = await InferenceSession.create(encode(graph), { logSeverityLevel: 3 });
  const feeds = Object.fromEntries(
    graph.inputs.map(({ name, value: { shape } }) => [
      name,
      new Tensor("float32", numbers(shape), shape),
    ]),
  );
  const results = await session.run(feeds);
  await session.release();
  return Object.fromEntries(
    Object.entries(results).map(([name, { data }]) => [name, Array.from(data as Float32Array)]),
  );
}

async function expectSameResults(a: Graph, b: Graph): Promise<void> {
  const [wanted, found] = [await evaluate(a), await evaluate(b)];
  expect(Object.keys(found)).toEqual(Object.keys(wanted));
  for (const [name, values] of Object.entries(wanted)) {
    const scale = Math.max(...values.map(Math.abs));
    expect(new Set(values).size).toBeGreaterThan(3);
    expect(found[name]).toHaveLength(values.length);
    values.forEach((value, i) => expect(found[name]![i]! / scale).toBeCloseTo(value / scale, 5));
  }
}

/** conv(x, w): [N, 4, 4, 4], 32 KiB of 128 images. */
const convolved = ({ x, w }: Parameters<Build>[0]): tf.Tensor4D =>
  tf.conv2d(x as tf.Tensor4D, w as tf.Tensor4D, 1, "same");
/** Two parts of 128 images of those. */
const half = 2 ** 14;

describe("batch parts", () => {
  test.each<{ title: string; build: Build; after: string[] }>([
    {
      title: "a convolution is taken in parts, and joined for what leaves the step",
      build: (given) => ({ y: convolved(given) }),
      after: ["Slice", "Slice", "Conv2D", "Conv2D", "Concat"],
    },
    {
      title: "elementwise operations go on in parts, with a row for each channel",
      build: (given) => ({ y: tf.relu(tf.mul(convolved(given), tf.tensor1d([1, 2, 3, 4]))) }),
      after: [
        ...["Slice", "Slice", "Conv2D", "Conv2D"],
        ...["Multiply", "Multiply", "Relu", "Relu", "Concat"],
      ],
    },
    {
      title: "one operand of the whole batch is cut up for the other's parts",
      build: (given) => ({ y: tf.add(convolved(given), given.x) }),
      after: [
        ...["Slice", "Slice", "Conv2D", "Conv2D"],
        ...["Slice", "Slice", "Add", "Add", "Concat"],
      ],
    },
    {
      title: "means of each image are joined, and small results stay so",
      build: (given) => ({ y: tf.square(tf.mean(convolved(given), [1, 2])) }),
      after: [...["Slice", "Slice", "Conv2D", "Conv2D"], ...["Mean", "Mean", "Concat", "Square"]],
    },
    {
      title: "sums of rows are sums of the parts' sums, with a shorter row of equal numbers",
      build: (given) => {
        const rows = tf.reshape(convolved(given), [128 * 16, 4]);
        return { y: tf.matMul(tf.fill([1, 128 * 16], 0.5), rows) };
      },
      after: [
        ...["Slice", "Slice", "Conv2D", "Conv2D", "Reshape", "Reshape", "Fill"],
        ...["Fill", "BatchMatMul", "BatchMatMul", "Add"],
      ],
    },
    {
      title: "sums with any other weights are cut up with them",
      build: (given) => {
        const rows = tf.reshape(convolved(given), [128, 64]);
        return { y: tf.matMul(tf.reshape(tf.slice(given.x, 0, [8, 4, 4, 1]), [1, 128]), rows) };
      },
      after: [
        ...["Slice", "Slice", "Conv2D", "Conv2D", "Reshape", "Reshape", "Slice", "Reshape"],
        ...["Slice", "Slice", "BatchMatMul", "BatchMatMul", "Add"],
      ],
    },
    {
      title: "depthwise convolutions and their gradients go on in parts",
      build: (given) => {
        const [x, filter] = [convolved(given), tf.reshape<tf.Rank.R4>(given.w, [3, 3, 4, 1])];
        const geometry = { strides: 1, dilations: 1, pad: "same" };
        const run = (name: string, operands: tf.NamedTensorMap, attributes: object): tf.Tensor =>
          tf.engine().runKernel(name, operands, { ...geometry, ...attributes });
        const dy = run("DepthwiseConv2dNative", { x, filter }, { dataFormat: "NHWC" });
        const inputs = { dy, filter };
        return {
          dx: run("DepthwiseConv2dNativeBackpropInput", inputs, { inputShape: x.shape }),
          dw: run("DepthwiseConv2dNativeBackpropFilter", { x, dy }, { filterShape: filter.shape }),
        };
      },
      after: [
        ...["Slice", "Slice", "Conv2D", "Conv2D", "Reshape"],
        ...["DepthwiseConv2dNative", "DepthwiseConv2dNative"],
        ...["DepthwiseConv2dNativeBackpropInput", "DepthwiseConv2dNativeBackpropInput"],
        ...["DepthwiseConv2dNativeBackpropFilter", "DepthwiseConv2dNativeBackpropFilter"],
        ...["Add", "Concat"],
      ],
    },
    {
      title: "what has no rule takes the batch joined once",
      build: (given) => {
        const y = convolved(given);
        return { y: tf.transpose(y, [1, 0, 2, 3]), z: tf.cumsum(y, 3) };
      },
      after: ["Slice", "Slice", "Conv2D", "Conv2D", "Concat", "Transpose", "Cumsum"],
    },
  ])("$title", async ({ build, after }) => {
    const graph = graphOf(build);
    const passed = runPasses(graph, [batchParts(half)]);
    expect(ops(passed)).toEqual(after);
    await expectSameResults(graph, passed);
  });

  test.each<{ title: string; loss: (given: Parameters<Build>[0]) => tf.Tensor; parted: string[] }>([
    {
      title: "a convolution block",
      loss: ({ x, w }) => {
        const one = (value: number): tf.Tensor1D => tf.fill([4], value);
        const { y } = convBlock(
          x as tf.Tensor4D,
          w as tf.Tensor4D,
          {
            weight: one(1.5),
            bias: one(0.5),
            running: { mean: one(0), variance: one(1) },
          },
          { mode: "train", padding: 1 },
        );
        return tf.square(tf.mul(y, x));
      },
      parted: ["Conv2DBackpropFilter", "Relu", "Step"],
    },
    {
      title: "a stack of convolutions between maxima and means of windows",
      loss: (given) => {
        const pooled = tf.maxPool(convolved(given), 2, 1, "same");
        const filter = tf.tile<tf.Tensor4D>(given.w as tf.Tensor4D, [1, 1, 4, 1]);
        return tf.square(tf.avgPool(tf.conv2d(pooled, filter, 1, "same"), 2, 1, "same"));
      },
      parted: [
        ...["Conv2D", "Conv2DBackpropInput", "Conv2DBackpropFilter"],
        ...["MaxPool", "MaxPoolGrad", "AvgPool", "AvgPoolGrad"],
      ],
    },
  ])("$title has the same gradients in two parts", async ({ loss, parted }) => {
    const graph = graphOf(({ x, w }) => {
      const sum = (a: tf.Tensor, b: tf.Tensor): tf.Scalar => tf.sum(loss({ x: a, w: b }));
      const [dx, dw] = tf.grads(sum)([x, w]);
      return { dx: dx!, dw: dw! };
    });
    const passed = runPasses(graph, [batchParts(half)]);
    for (const op of parted) expect([op, count(passed, op)]).toEqual([op, 2 * count(graph, op)]);
    await expectSameResults(graph, passed);
  });

  const whole: Build = (given) => ({ y: convolved(given) });
  test.each<{ title: string; graph: Graph; partBytes: number }>([
    { title: "its activations fit one part", graph: graphOf(whole), partBytes: 2 * half },
    { title: "a part would have fewer than 64 images", graph: graphOf(whole), partBytes: half - 1 },
    {
      title: "no number of parts leaves whole blocks of 16 images",
      graph: graphOf(whole, 132),
      partBytes: half,
    },
    {
      title: "no convolution takes it",
      graph: graphOf(({ x, w }) => ({ y: tf.square(tf.add(x, tf.slice(w, 0, [1, 1, 1, 4]))) })),
      partBytes: half,
    },
  ])("a batch stays whole where $title", ({ graph, partBytes }) => {
    expect(ops(runPasses(graph, [batchParts(partBytes)]))).toEqual(ops(graph));
  });

  test("a batch stays whole in a segment of a step that goes on elsewhere", () => {
    const graph = graphOf(whole);
    const carried = { name: port.carried(0), value: graph.outputs[0]!.value };
    const segment = { ...graph, outputs: [...graph.outputs, carried] };
    expect(ops(runPasses(graph, [batchParts(half)]))).not.toEqual(ops(graph));
    expect(ops(runPasses(segment, [batchParts(half)]))).toEqual(ops(graph));
  });
});
