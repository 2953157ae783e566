/** Runs lowered graphs on onnxruntime. */
import { createRequire } from "node:module";
import { Tensor, type InferenceSession } from "onnxruntime-node";
import { GraphBuilder } from "../../src/graph/builder.js";
import { port } from "../../src/graph/port.js";
import { onnxTarget } from "../../src/kernels/table.js";
import { encode } from "../../src/onnx/encode.js";
import { compileGraph, onnxPasses, rewriteCaptured } from "../../src/passes/run-passes.js";
import type { GraphRunner } from "./materialise-backend.js";

/** What onnxruntime-node's promises wrap: native calls that return when they are done. */
interface NativeSession {
  loadModel(
    buffer: ArrayBufferLike,
    byteOffset: number,
    byteLength: number,
    options: InferenceSession.SessionOptions,
  ): void;
  run(
    feeds: Readonly<Record<string, Tensor>>,
    fetches: Readonly<Record<string, null>>,
    options: object,
  ): Record<string, Tensor>;
  dispose(): void;
}

const { binding, initOrt } = createRequire(import.meta.url)("onnxruntime-node/dist/binding.js") as {
  binding: { InferenceSession: new () => NativeSession };
  initOrt: () => void;
};

const sessionOptions: InferenceSession.SessionOptions = {
  executionProviders: ["cpu"],
  graphOptimizationLevel: "basic",
  intraOpNumThreads: 1,
  interOpNumThreads: 1,
  // The cases that fail say so themselves.
  logSeverityLevel: 4,
};

/** @param blockSize Channels in a block of the blocked layout, where it is to be used. */
export const onnxRunner = (blockSize: number | undefined): GraphRunner => ({
  target: onnxTarget,
  lower: (captured) =>
    compileGraph(
      rewriteCaptured(captured, { smallState: "packed", updates: "by-host" }),
      onnxTarget,
      onnxPasses(blockSize),
      new GraphBuilder(blockSize),
    ),
  run(graph, feeds) {
    const model = encode(graph);
    const output = port.output("y");
    const given = feeds.map(({ name, shape, dtype, data }): [string, Tensor] => [
      port.input(name),
      new Tensor(dtype as "float32", data as Float32Array, shape),
    ]);
    initOrt();
    const session = new binding.InferenceSession();
    session.loadModel(model.buffer, model.byteOffset, model.byteLength, sessionOptions);
    const results = session.run(Object.fromEntries(given), { [output]: null }, {});
    const data = (results[output]!.data as Float32Array | Int32Array).slice();
    session.dispose();
    return data;
  },
});
