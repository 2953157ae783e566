import { availableParallelism } from "node:os";
import { checkThreads } from "./check-threads.js";
import { checkChoice } from "./checked-options.js";
import { engineError } from "./engine-error.js";
import type { Engine } from "./engine.js";
import { onnxTarget } from "./kernels/table.js";
import { blockSizeFor, type ConvolutionMethod } from "./onnx/block-size.js";
import { encode } from "./onnx/encode.js";
import { batchParts } from "./passes/batch-parts.js";
import { compileSegments, runPasses } from "./passes/run-passes.js";
import { onnxProfile } from "./hosts/onnx-profile.js";
import { OnnxSessionHost } from "./hosts/onnx-session-host.js";
import type { ProcessGroup } from "./processes/process-group.js";
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

/** Of the largest activations of a part of a batch. A third cache holds a few of those, and of the batch norm, ReLU and
 *  masks around them. Parts of half the size take as long, and of twice the size 2 to 4 % longer. */
const partBytes = 4 * 2 ** 20;

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
      {
        ...onnxTarget,
        lower: (segments) =>
          compileSegments(
            segments.map((captured) => runPasses(captured, [batchParts(partBytes)])),
            blockSize,
          ),
        smallState: "packed",
        handingOn: "copies",
        encode,
        processes,
      },
      () =>
        thread === "worker"
          ? startWorkerSessionHost(settings)
          : new OnnxSessionHost(runtime, settings, onnxProfile),
    ),
  };
}
