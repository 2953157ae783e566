import { checkChoice, checkOptions } from "./checked-options.js";
import { createEagerEngine } from "./eager-engine.js";
import { engineError } from "./engine-error.js";
import type { Engine } from "./engine.js";
import { OnnxSessionHost, type OnnxRuntime } from "./hosts/onnx-session-host.js";
import { onnxMaker } from "./onnx-maker.js";
import { sessionEngine } from "./session-program.js";
import { shown } from "./shown.js";

/** Options of `createEngine` in a browser. */
export interface BrowserEngineOptions {
  /** Onnx engine: the module `onnxruntime-web`, or what has the same two classes. */
  readonly runtime?: OnnxRuntime;
  /** Onnx engine: what computes; "cpu" when left out.
   *  - "cpu": WebAssembly.
   *  - "webgpu": the graphics card, whose memory holds the state from step to step. */
  readonly provider?: "cpu" | "webgpu";
  /** Eager engine: name of a registered tfjs backend. Left out: "wasm" if its package is in the bundle, else "cpu". */
  readonly backend?: string;
}

const optionNames: readonly (keyof BrowserEngineOptions)[] = ["runtime", "provider", "backend"];

/** Starts an engine in a browser.
 *  - "onnx" compiles a step to one ONNX graph and runs it on the `runtime` that it is given.
 *  - "eager" runs it operation by operation on a tfjs backend.
 *  - "auto" (default) is "onnx" where there is a `runtime`, else "eager".
 *  A step that the chosen engine cannot run is an error, never a change of engine.
 *  @throws LejepaError "unknown-engine"; "engine-unavailable" when what it needs is not there; "bad-option" */
export async function createEngine(
  name: "onnx" | "eager" | "auto" = "auto",
  options: BrowserEngineOptions = {},
): Promise<Engine> {
  checkOptions("createEngine", options, optionNames);
  const { runtime, provider = "cpu", backend } = options;
  checkChoice("provider", provider, ["cpu", "webgpu"]);
  switch (name) {
    case "onnx":
      if (runtime === undefined)
        throw engineError(
          "engine-unavailable",
          'The onnx engine runs on the onnxruntime that it is given; pass it: import * as runtime from "onnxruntime-web", createEngine("onnx", { runtime }).',
        );
      return createOnnxEngine(runtime, provider);
    case "eager":
      return createEagerEngine(backend);
    case "auto":
      return runtime === undefined
        ? {
            ...(await createEngine("eager", options)),
            reason: "createEngine was given no runtime, which the onnx engine would need.",
          }
        : {
            ...(await createEngine("onnx", options)),
            reason: "createEngine was given a runtime, which runs a compiled step.",
          };
    default:
      throw engineError(
        "unknown-engine",
        `Unknown engine ${shown(name)}; in a browser choose "onnx", "eager" or "auto".`,
      );
  }
}

function createOnnxEngine(runtime: OnnxRuntime, provider: "cpu" | "webgpu"): Engine {
  const onDevice = provider === "webgpu";
  const maker = onnxMaker({
    blockSize: undefined,
    batches: "whole",
    updates: onDevice ? "in-graph" : "by-host",
    processes: undefined,
  });
  return {
    name: "onnx",
    description: `onnxruntime, ${provider}`,
    ...sessionEngine(
      maker,
      () =>
        new OnnxSessionHost(runtime, {
          engine: "onnx",
          threads: "all",
          memoryArena: true,
          provider,
          state: onDevice ? "gpu-buffer" : "cpu",
        }),
    ),
  };
}
