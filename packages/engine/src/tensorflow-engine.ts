import { checkThreads } from "./check-threads.js";
import { checkChoice } from "./checked-options.js";
import type { Engine } from "./engine.js";
import { compileGraph } from "./passes/run-passes.js";
import type { ProcessGroup } from "./processes/process-group.js";
import { sessionEngine } from "./session-program.js";
import { graphFragment } from "./tensorflow/graph-fragment.js";
import { tensorflowTarget } from "./tensorflow/kernels.js";
import { TensorFlowSessionHost } from "./hosts/tensorflow-session-host.js";
import { MixedPrecisionBuilder } from "./tensorflow/mixed-precision-builder.js";
import { tensorflowPasses } from "./tensorflow/tensorflow-passes.js";
import { describe, deviceOf, startTensorFlow } from "./tensorflow/start-tensorflow.js";
import { startWorkerSessionHost } from "./hosts/worker-session-host.js";

/** Options of the tensorflow engine. */
export interface TensorFlowOptions {
  /** Threads that one operation may use, a whole number of at least 1. Left out: every core of this process. All engines
   *  of a process share TensorFlow's threads, so the first one decides. */
  readonly threads?: number;
  /** How many engines of this process are going to compute at the same time, as those of several ranks do; 1 when left
   *  out. TensorFlow then has a thread for the operations of each, and the cores are shared out among them. Like
   *  `threads`, the first engine decides; the others have no use for it. */
  readonly engines?: number;
  /** Where TensorFlow is called; "worker" when left out.
   *  - "worker": in a thread of its own, so that the event loop goes on during a step: timers, signals, a server.
   *  - "main": in the thread that calls, which then does nothing else. */
  readonly thread?: "worker" | "main";
  /** Of the products in a network's layers: "float32", or "bfloat16", which keeps 8 bits of each factor and the range of
   *  float32. Weights, their updates, normalisations, the loss and SIGReg are float32 either way. "float32" when left
   *  out. */
  readonly precision?: "float32" | "bfloat16";
  /** Whether XLA compiles the operations of a step, a cluster of them at a time; false when left out. Meant for GPUs: on
   *  the CPU it takes seconds to compile and gained nothing, but in SIGReg's means, where it is used either way. */
  readonly xla?: boolean;
}

/** Compiles the steps of a program to one TensorFlow graph, whose variables hold the state. */
export async function createTensorFlowEngine({
  threads,
  engines,
  thread = "worker",
  precision = "float32",
  xla = false,
  processes,
}: TensorFlowOptions & { readonly processes?: ProcessGroup }): Promise<Engine> {
  checkThreads({ threads, thread, engines });
  checkChoice("precision", precision, ["float32", "bfloat16"]);
  checkChoice("xla", xla, [true, false]);
  const started = await startTensorFlow(threads, engines);
  const { installation } = started;
  const target = tensorflowTarget(deviceOf(started));
  const settings = { engine: "tensorflow", installation } as const;
  return {
    name: "tensorflow",
    description: describe(started),
    ...sessionEngine(
      {
        ...target,
        lower: (segments) =>
          segments.map((captured) =>
            compileGraph(
              captured,
              target,
              tensorflowPasses,
              precision === "bfloat16" ? new MixedPrecisionBuilder() : undefined,
            ),
          ),
        smallState: "apart",
        updates: "by-host",
        handingOn: "references",
        encode: (graph, ports, state, inputs) =>
          graphFragment(graph, ports, state, inputs, xla ? "xla" : "none"),
        processes,
      },
      () =>
        thread === "worker"
          ? startWorkerSessionHost(settings)
          : new TensorFlowSessionHost(settings),
    ),
  };
}
