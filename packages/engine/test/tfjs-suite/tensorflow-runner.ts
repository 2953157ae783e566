/** Runs lowered graphs on TensorFlow, each in a session of its own. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { compileGraph, rewriteCaptured } from "../../src/passes/run-passes.js";
import { graphFragment, nodeName } from "../../src/tensorflow/graph-fragment.js";
import { tensorflowTarget } from "../../src/tensorflow/kernels.js";
import { savedModel, tag } from "../../src/tensorflow/saved-model.js";
import { dataType } from "../../src/tensorflow/saved-model-messages.js";
import { startTensorFlow } from "../../src/tensorflow/start-tensorflow.js";
import { tensorflowPasses } from "../../src/tensorflow/tensorflow-passes.js";
import type { GraphRunner } from "./materialise-backend.js";

const entry = "case";
const ports = {
  entry,
  reads: [],
  writes: [],
  outputs: ["y"],
  takes: [],
  keeps: [],
  drops: [],
  updates: [],
};

export async function tensorflowRunner(): Promise<GraphRunner> {
  const { addon } = await startTensorFlow();
  const target = tensorflowTarget(addon.isUsingGpuDevice() ? "gpu" : "cpu");
  const load = (fragment: Uint8Array): number => {
    const folder = mkdtempSync(join(tmpdir(), "lejepa-case-"));
    try {
      writeFileSync(join(folder, "saved_model.pb"), savedModel([], [fragment]));
      return addon.loadSavedModel(folder, tag);
    } finally {
      rmSync(folder, { recursive: true });
    }
  };
  return {
    target,
    lower: (captured) =>
      compileGraph(
        rewriteCaptured(captured, { smallState: "apart", updates: "by-host" }),
        target,
        tensorflowPasses,
      ),
    run(graph, feeds) {
      const names = feeds.map(({ name }) => name);
      const session = load(graphFragment(graph, ports, [], names, "none"));
      const ids: number[] = [];
      try {
        for (const { shape, dtype, data } of feeds)
          ids.push(addon.createTensor(shape, dataType[dtype], data as Float32Array));
        const inputs = feeds.map((_, i) => `${nodeName.input(entry, i)}:0`);
        const output = `${nodeName.output(entry, 0)}:0`;
        const [result] = addon.runSavedModel(session, ids, inputs.join(), output);
        ids.push(result!.id);
        return addon.tensorDataSync(result!.id);
      } finally {
        for (const id of ids) addon.deleteTensor(id);
        addon.deleteSavedModel(session);
      }
    },
  };
}
