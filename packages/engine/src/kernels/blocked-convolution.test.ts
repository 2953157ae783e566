import { backend_util } from "@tensorflow/tfjs-core";
import { expect, test } from "vitest";
import { newValue, sizeOf, type Shape } from "../graph/graph.js";
import { GraphBuilder } from "../graph/builder.js";
import { probeBlockSize } from "../onnx/block-size.js";
import { encode } from "../onnx/encode.js";
import { loadOnnxRuntime } from "../onnx-engine.js";
import { wholeReorderings } from "../passes/whole-reorderings.js";
import { blockedInputGradient } from "./blocked-convolution.js";

type Four = [number, number, number, number];

const runtime = await loadOnnxRuntime();
const block = await probeBlockSize(runtime);

const wave = (shape: Shape, key: number) =>
  Float32Array.from({ length: sizeOf(shape) }, (_, i) => Math.sin(12.9898 * (i + key)));

/** dx [N, H, W, I]: every dy goes back through each tap to the pixel that the tap met. */
function definition(dy: Float32Array, filter: Float32Array, window: backend_util.Conv2DInfo) {
  const { batchSize, inHeight, inWidth, inChannels, outHeight, outWidth, outChannels } = window;
  const dx = new Float64Array(batchSize * inHeight * inWidth * inChannels);
  for (let n = 0; n < batchSize; n++)
    for (let y = 0; y < outHeight; y++)
      for (let x = 0; x < outWidth; x++)
        for (let i = 0; i < window.filterHeight; i++)
          for (let j = 0; j < window.filterWidth; j++) {
            const row = y * window.strideHeight + i - window.padInfo.top;
            const column = x * window.strideWidth + j - window.padInfo.left;
            if (row < 0 || row >= inHeight || column < 0 || column >= inWidth) continue;
            const pixel = ((n * inHeight + row) * inWidth + column) * inChannels;
            const result = ((n * outHeight + y) * outWidth + x) * outChannels;
            const tap = (i * window.filterWidth + j) * inChannels;
            for (let c = 0; c < inChannels; c++)
              for (let o = 0; o < outChannels; o++)
                dx[pixel + c]! += dy[result + o]! * filter[(tap + c) * outChannels + o]!;
          }
  return dx;
}

test.each<[string, Four, Four, number]>([
  ["3x3", [2, 4, 3, 32], [3, 3, 32, 48], 1],
  ["by two", [2, 5, 4, 32], [3, 3, 32, 16], 2],
  ["by two, of one tap", [2, 4, 4, 16], [1, 1, 16, 32], 2],
  ["with channels that do not fill their blocks", [1, 3, 3, 20], [3, 2, 20, 31], 1],
])(
  "the input's gradient, %s, takes its filter by a reordering and has the numbers of its definition",
  async (_title, x, filter, stride) => {
    if (block === undefined) throw new Error("These cases cannot do without the blocked layout.");
    const window = backend_util.computeConv2DInfo(x, filter, stride, 1, "same");
    const [dy, weights] = [newValue(window.outShape, "float32"), newValue(filter, "float32")];
    const g = new GraphBuilder(block);
    const dx = blockedInputGradient(g, dy, weights, window)!;
    const graph = g.finish(
      [
        { name: "dy", value: dy },
        { name: "w", value: weights },
      ],
      [{ name: "dx", value: dx }],
    );
    const ops = graph.nodes.map(({ op }) => op);
    expect(ops.filter((op) => op === "ReorderInput")).toHaveLength(2);
    expect(ops).not.toContain("Transpose");
    const session = await runtime.InferenceSession.create(encode(wholeReorderings.run(graph)));
    const given = [wave(dy.shape, 0), wave(filter, 1)] as const;
    const results = await session.run({
      dy: new runtime.Tensor("float32", given[0], dy.shape),
      w: new runtime.Tensor("float32", given[1], filter),
    });
    await session.release();
    const data = results["dx"]!.data as Float32Array;
    const wanted = definition(...given, window);
    expect(data).toHaveLength(wanted.length);
    wanted.forEach((value, i) => expect(Math.abs(data[i]! - value), `dx[${i}]`).toBeLessThan(2e-5));
    expect(Math.max(...wanted)).toBeGreaterThan(1);
  },
);
