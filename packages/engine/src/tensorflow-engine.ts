import { availableParallelism } from "node:os";
import { engineError } from "./engine-error.js";
import type { Engine } from "./engine.js";
import { compileGraph, tensorflowPasses } from "./passes/run-passes.js";
import { sessionEngine } from "./session-program.js";
import { graphFragment } from "./tensorflow/graph-fragment.js";
import { tensorflowTarget } from "./tensorflow/kernels.js";
import { TensorFlowSessionHost } from "./tensorflow/session-host.js";
import { startWorkerSessionHost } from "./worker-session-host.js";

/** Options of the tensorflow engine. */
export interface TensorFlowOptions {
  readonly threads?: number;
  readonly thread?: "worker" | "main";
}

/** Compiles the steps of a program to one TensorFlow graph, whose variables hold the state. */
export function createTensorFlowEngine({ threads, thread = "worker" }: TensorFlowOptions): Engine {
  if (threads !== undefined && !(Number.isInteger(threads) && threads >= 1))
    throw engineError(
      "bad-option",
      `threads should be a whole number of at least 1, got ${threads}.`,
    );
  const count = threads ?? availableParallelism();
  process.env.TF_NUM_INTRAOP_THREADS = String(count);
  process.env.TF_CPP_MIN_LOG_LEVEL ??= "2";
  const settings = { engine: "tensorflow", addon: process.env.LEJEPA_TF_ADDON! } as const;
  return {
    name: "tensorflow",
    description: `TensorFlow, CPU, ${count} thread${count === 1 ? "" : "s"}`,
    ...sessionEngine(
      {
        ...tensorflowTarget,
        lower: (captured) => compileGraph(captured, tensorflowTarget, tensorflowPasses),
        encode: graphFragment,
      },
      () =>
        thread === "worker"
          ? startWorkerSessionHost(settings)
          : new TensorFlowSessionHost(settings),
    ),
  };
}
