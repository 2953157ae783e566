import { expect, test } from "vitest";
import { newValue, sizeOf, type Graph, type Shape } from "../graph/graph.js";
import { GraphBuilder } from "../graph/builder.js";
import { probeBlockSize } from "../onnx/block-size.js";
import { encode } from "../onnx/encode.js";
import { blockedConv } from "../onnx/nchwc.js";
import { loadOnnxRuntime } from "../onnx-engine.js";
import { convolveBlocked } from "./side-by-side.js";

type Four = [number, number, number, number];

const block = await probeBlockSize(await loadOnnxRuntime());

const wave = (shape: Shape, key: number) =>
  Float32Array.from({ length: sizeOf(shape) }, (_, i) => Math.sin(12.9898 * (i + key)));

async function evaluate(graph: Graph): Promise<Float32Array> {
  const { InferenceSession, Tensor } = await loadOnnxRuntime();
  const session = await InferenceSession.create(encode(graph));
  const feeds: Record<string, InstanceType<typeof Tensor>> = {};
  graph.inputs.forEach(({ name, value: { shape } }, key) => {
    feeds[name] = new Tensor("float32", wave(shape, key), shape);
  });
  const { y } = await session.run(feeds);
  await session.release();
  return y!.data as Float32Array;
}

/** Convolutions by both functions; the numbers in blocked memory are any, so that nothing needs reordering. */
async function both(x: Shape, weights: Shape, y: Four, attributes: object) {
  const graphs = [convolveBlocked, blockedConv].map((convolution) => {
    const [images, kernel] = [newValue(x, "float32"), newValue(weights, "float32")];
    const g = new GraphBuilder(block);
    const result = convolution(g, images, kernel, y, {
      kernel_shape: weights.slice(2),
      pads: [0, 0, 0, 0],
      ...attributes,
    });
    return g.finish(
      [
        { name: "x", value: images },
        { name: "w", value: kernel },
      ],
      [{ name: "y", value: result }],
    );
  }) as [Graph, Graph];
  return { graphs, values: await Promise.all(graphs.map(evaluate)) };
}

const cases: [string, Four, Four, Four, object][] = [
  ["3x3", [6, 128, 2, 3], [256, 128, 3, 3], [6, 256, 2, 3], { pads: [1, 1, 1, 1] }],
  ["by two", [3, 256, 5, 4], [256, 256, 2, 2], [3, 256, 2, 2], { strides: [2, 2] }],
  [
    "by two columns, uneven",
    [4, 128, 3, 4],
    [256, 128, 3, 3],
    [4, 256, 2, 3],
    { strides: [1, 2], pads: [1, 2, 0, 1] },
  ],
  ["dilated", [64, 128, 5, 6], [256, 128, 3, 3], [64, 256, 1, 2], { dilations: [2, 2] }],
  ["1x1", [2, 512, 1, 2], [512, 512, 1, 1], [2, 512, 1, 2], {}],
];

test.each(cases)("side by side, %s: as one by one", async (_title, x, weights, y, attributes) => {
  if (block === undefined) throw new Error("These cases cannot do without the blocked layout.");
  const { graphs, values } = await both(x, weights, y, attributes);
  expect(graphs[0].nodes.map(({ op }) => op)).toContain("Gather");
  const scale = Math.sqrt(sizeOf(weights.slice(1)));
  values[1]!.forEach((wanted, i) => {
    expect(Math.abs(values[0]![i]! - wanted), `y[${i}]`).toBeLessThan(2e-6 * scale);
  });
});

test("light kernels, large images and single ones stay as they are", () => {
  const opsOf = (x: Four, weights: Four, y: Four) => {
    const g = new GraphBuilder(16);
    const [images, kernel] = [newValue(x, "float32"), newValue(weights, "float32")];
    convolveBlocked(g, images, kernel, y, { kernel_shape: [1, 1], pads: [0, 0, 0, 0] });
    return g.finish([], []).nodes.map(({ op }) => op);
  };
  expect(opsOf([4, 64, 2, 2], [64, 64, 1, 1], [4, 64, 2, 2])).toEqual(["Conv"]);
  expect(opsOf([4, 512, 5, 5], [512, 512, 1, 1], [4, 512, 5, 5])).toEqual(["Conv"]);
  expect(opsOf([1, 512, 2, 2], [512, 512, 1, 1], [1, 512, 2, 2])).toEqual(["Conv"]);
});
