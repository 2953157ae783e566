import { checkOptions } from "./checked-options.js";
import { createEagerEngine, installedBackend } from "./eager-engine.js";
import { engineError } from "./engine-error.js";
import type { Engine, EngineName } from "./engine.js";
import type { TensorFlowOptions } from "./tensorflow-engine.js";
import { createOnnxEngine, loadOnnxRuntime, type OnnxOptions } from "./onnx-engine.js";
import { checkProcesses, type ProcessGroup } from "./processes/process-group.js";
import { shown } from "./shown.js";

/** Options of {@link createEngine}. */
export interface EngineOptions extends OnnxOptions, TensorFlowOptions {
  /** Eager engine: name of a registered tfjs backend. Left out: "wasm" if its package can be imported, else "cpu". */
  readonly backend?: string;
  /** The processes that `allReduceMean` of @lejepa/ops averages over, for steps that are one of several: this one and
   *  the others, each with an engine of its own. */
  readonly processes?: ProcessGroup;
}

/** What {@link engineReport} says about one engine. */
export interface EngineAvailability {
  /** The engine's name, as {@link createEngine} takes it. */
  readonly name: EngineName;
  /** Whether it would start here. */
  readonly available: boolean;
  /** What it would run on, or why it cannot. */
  readonly detail: string;
}

/** What {@link engineReport} returns. */
export interface EngineReport {
  /** Every engine, available or not. */
  readonly engines: readonly EngineAvailability[];
  /** Which engine "auto" starts here; undefined if none is available. */
  readonly auto: EngineName | undefined;
  /** Why, in one sentence. */
  readonly reason: string;
}

/** The names of {@link EngineOptions}; which of them an engine takes is its own. */
const optionNames: readonly (keyof EngineOptions)[] = [
  ...(["threads", "engines", "thread", "convolution", "memoryArena"] as const),
  ...(["precision", "xla", "backend", "processes"] as const),
];

/** Starts an engine.
 *  - "onnx" compiles a step to one ONNX graph and runs it on onnxruntime-node, on the CPU.
 *  - "tensorflow" compiles it to one TensorFlow graph and runs it through tfjs-node's native addon.
 *  - "eager" runs it operation by operation on a tfjs backend.
 *  - "auto" (default) is "tensorflow" where that loads with the threads asked for, else "onnx", else "eager"; the
 *    engine's `reason` says why, and {@link engineReport} before it starts.
 *  A step that the chosen engine cannot run is an error, never a change of engine.
 *  @throws LejepaError "unknown-engine"; "engine-unavailable" when what it needs is not installed; "bad-option" */
export async function createEngine(
  name: EngineName | "auto" = "auto",
  options: EngineOptions = {},
): Promise<Engine> {
  checkOptions("createEngine", options, optionNames);
  checkProcesses(options.processes);
  if (options.backend !== undefined && typeof options.backend !== "string")
    throw engineError(
      "bad-option",
      `backend should be the name of a tfjs backend, got ${shown(options.backend)}.`,
    );
  if (options.precision === "bfloat16" && (name === "onnx" || name === "eager"))
    throw engineError(
      "bad-option",
      `The ${name} engine computes in float32 only; leave precision: "bfloat16" out, or take the "tensorflow" engine.`,
    );
  switch (name) {
    case "onnx":
      return createOnnxEngine(options);
    case "tensorflow": {
      // Loaded by those who run it: it is a third of this package.
      const { createTensorFlowEngine } = await import("./tensorflow-engine.js");
      return createTensorFlowEngine(options);
    }
    case "eager":
      return createEagerEngine(options.backend, options.processes);
    case "auto": {
      const { auto, reason } = await engineReport(options);
      if (auto === undefined) throw engineError("engine-unavailable", reason);
      return { ...(await createEngine(auto, options)), reason };
    }
    default:
      throw engineError(
        "unknown-engine",
        `Unknown engine ${shown(name)}; choose "onnx", "tensorflow", "eager" or "auto".`,
      );
  }
}

/** Which engines would start here, which one "auto" picks, and why.
 *
 *  Loads what it finds; TensorFlow then runs with this number of threads for as long as the process lasts.
 *  @param options `threads` and `engines` as for {@link createEngine}: TensorFlow is not available to one that asks for
 *  another number of threads than it runs with already */
export async function engineReport(
  options: Pick<EngineOptions, "threads" | "engines"> = {},
): Promise<EngineReport> {
  checkOptions("engineReport", options, optionNames);
  const { threads, engines: together } = options;
  const [tensorflow, onnx, eager] = [
    await tensorflowAvailability(threads, together),
    await onnxAvailability(),
    await eagerAvailability(),
  ];
  const engines = [tensorflow, onnx, eager];
  if (tensorflow.available)
    return {
      engines,
      auto: "tensorflow",
      reason:
        "TensorFlow loads here and goes first; which compiled engine is faster depends on the step, and either can be asked for by name.",
    };
  if (onnx.available)
    return {
      engines,
      auto: "onnx",
      reason: `onnxruntime-node loads here and runs a compiled step. tensorflow, which would go first: ${tensorflow.detail}`,
    };
  if (eager.available)
    return {
      engines,
      auto: "eager",
      reason: `No compiled engine can start. tensorflow: ${tensorflow.detail} onnx: ${onnx.detail}`,
    };
  return {
    engines,
    auto: undefined,
    reason: `No engine can start. tensorflow: ${tensorflow.detail} onnx: ${onnx.detail} eager: ${eager.detail}`,
  };
}

async function tensorflowAvailability(
  threads: number | undefined,
  engines: number | undefined,
): Promise<EngineAvailability> {
  try {
    const { describe, startTensorFlow } = await import("./tensorflow/start-tensorflow.js");
    const started = await startTensorFlow(threads, engines);
    return { name: "tensorflow", available: true, detail: describe(started) };
  } catch (error) {
    return { name: "tensorflow", available: false, detail: (error as Error).message };
  }
}

async function onnxAvailability(): Promise<EngineAvailability> {
  try {
    const { version } = await loadOnnxRuntime();
    return { name: "onnx", available: true, detail: `onnxruntime-node ${version}, CPU` };
  } catch (error) {
    return { name: "onnx", available: false, detail: (error as Error).message };
  }
}

async function eagerAvailability(): Promise<EngineAvailability> {
  const backend = await installedBackend();
  return backend === undefined
    ? {
        name: "eager",
        available: false,
        detail: 'No tfjs backend is installed; run "npm install @tensorflow/tfjs-backend-wasm".',
      }
    : { name: "eager", available: true, detail: `tfjs backend ${backend}` };
}
