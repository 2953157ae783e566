import { availableParallelism } from "node:os";
import { checkThreads } from "./check-threads.js";
import { checkChoice } from "./checked-options.js";
import { engineError } from "./engine-error.js";
import type { Engine } from "./engine.js";
import { blockSizeFor, type ConvolutionMethod } from "./onnx/block-size.js";
import { onnxProfile } from "./hosts/onnx-profile.js";
import { OnnxSessionHost } from "./hosts/onnx-session-host.js";
import type { ProcessGroup } from "./processes/process-group.js";
import { onnxMaker } from "./onnx-maker.js";
import { sessionEngine } from "./session-program.js";
import { threadCount } from "./thread-count.js";
import { startWorkerSessionHost } from "./hosts/worker-session-host.js";

/** Options of the onnx engine. */
export interface OnnxOptions {
  /** Threads that one operation may use, a whole number of at least 1. Left out: every core of this process. */
  readonly threads?: number;
  /** How convolutions and pooling are computed: "blocked" in onnxruntime's own layout of channels in blocks, "gathered"
   *  by standard operators and products of matrices, or "auto" (default): blocked where this onnxruntime and processor
   *  have it. Convolutions of very few channels are gathered in any case. The results agree up to rounding. */
  readonly convolution?: ConvolutionMethod;
  /** Whether onnxruntime keeps the memory of intermediate values from run to run; true when left out. Without it every
   *  run asks the system for each of them. */
  readonly memoryArena?: boolean;
  /** Where onnxruntime computes; "worker" when left out.
   *  - "worker": in a thread of its own, so that the event loop goes on during a step: timers, signals, a server.
   *  - "main": in the thread that calls, which then does nothing else. */
  readonly thread?: "worker" | "main";
}

/** onnxruntime-node and its version. */
export async function loadOnnxRuntime() {
  try {
    const { InferenceSession, Tensor, env } = await import("onnxruntime-node");
    return { InferenceSession, Tensor, version: env.versions.node ?? "of unknown version" };
  } catch (cause) {
    throw engineError(
      "engine-unavailable",
      `onnxruntime-node does not load here (${(cause as Error).message.split("\n")[0]}); run "ONNXRUNTIME_NODE_INSTALL=skip npm install onnxruntime-node".`,
      { cause },
    );
  }
}

/** Compiles each step to one ONNX graph and runs it on onnxruntime's CPU provider. */
export async function createOnnxEngine({
  threads,
  convolution = "auto",
  memoryArena = true,
  thread = "worker",
  processes,
}: OnnxOptions & { readonly processes?: ProcessGroup }): Promise<Engine> {
  checkThreads({ threads, thread });
  checkChoice("memoryArena", memoryArena, [true, false]);
  const count = threads ?? availableParallelism();
  const runtime = await loadOnnxRuntime();
  const blockSize = await blockSizeFor(convolution, runtime);
  const settings = {
    engine: "onnx",
    threads: count,
    memoryArena,
    provider: "cpu",
    state: "cpu",
  } as const;
  return {
    name: "onnx",
    description: `onnxruntime-node ${runtime.version}, CPU, ${threadCount(count)}`,
    ...sessionEngine(
      onnxMaker({ blockSize, batches: "in parts", updates: "by-host", processes }),
      () =>
        thread === "worker"
          ? startWorkerSessionHost(settings)
          : new OnnxSessionHost(runtime, settings, onnxProfile),
    ),
  };
}
