import { expect, test } from "vitest";
import { newValue } from "../graph/graph.js";
import { createOnnxEngine, loadOnnxRuntime } from "../onnx-engine.js";
import { blockedConvolution } from "../kernels/blocked-convolution.js";
import { GraphBuilder } from "../graph/builder.js";
import { blockSizeFor, probeBlockSize } from "./block-size.js";
import { nchwc } from "./nchwc.js";
import { backend_util } from "@tensorflow/tfjs-core";

/** An onnxruntime without the blocked operators. */
const without = {
  InferenceSession: {
    create: () => Promise.reject(new Error("com.microsoft.nchwc is not a registered function/op")),
  },
  Tensor: Object,
} as unknown as Parameters<typeof probeBlockSize>[0];

test("the installed onnxruntime has blocks of 8 or 16 channels", async () => {
  const size = await probeBlockSize(await loadOnnxRuntime());
  expect([8, 16]).toContain(size);
  await expect(blockSizeFor("auto", await loadOnnxRuntime())).resolves.toBe(size);
  await expect(blockSizeFor("gathered", await loadOnnxRuntime())).resolves.toBeUndefined();
});

test("without the blocked operators convolutions are gathered, and demanding blocks is refused", async () => {
  await expect(probeBlockSize(without)).resolves.toBeUndefined();
  await expect(blockSizeFor("auto", without)).resolves.toBeUndefined();
  await expect(blockSizeFor("blocked", without)).rejects.toMatchObject({
    name: "LejepaError",
    code: "engine-unavailable",
  });
});

test("an unknown method is refused", async () => {
  const options = { convolution: "winograd" as "auto" };
  await expect(createOnnxEngine(options)).rejects.toMatchObject({ code: "bad-option" });
});

test("channels that fill blocks, more or less, are convolved in blocks, few of many not", () => {
  const operators = (channels: number, outputs: number, blockSize?: number) => {
    const g = new GraphBuilder(blockSize);
    const x = newValue([1, 4, 4, channels], "float32");
    const filter = newValue([3, 3, channels, outputs], "float32");
    const sizes = [x.shape, filter.shape] as unknown as [[1, 4, 4, 1], [3, 3, 1, 1]];
    const window = backend_util.computeConv2DInfo(...sizes, 1, 1, "same");
    const y = blockedConvolution(g, x, filter, window);
    const { nodes } = g.finish([], []);
    return y && nodes.filter(({ domain }) => domain === nchwc).map(({ op }) => op);
  };
  expect(operators(32, 16, 16)).toEqual(["ReorderInput", "Conv", "ReorderOutput"]);
  expect(operators(3, 16, 16)).toEqual(["Conv", "ReorderOutput"]);
  expect(operators(20, 24, 16)).toEqual(["ReorderInput", "Conv", "ReorderOutput"]);
  expect(operators(16, 2, 16)).toBeUndefined();
  expect(operators(16, 16)).toBeUndefined();
});
