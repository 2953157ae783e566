import { engineError } from "./engine-error.js";
import type { Engine } from "./engine.js";

/** Options of the onnx engine. */
export interface OnnxOptions {
  /** Threads that one operation may use; left out: every core that this process may use. */
  readonly threads?: number;
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

export function createOnnxEngine(_options: OnnxOptions): Promise<Engine> {
  return Promise.reject(
    engineError("engine-unavailable", 'The onnx engine is not built yet; use "eager".'),
  );
}
