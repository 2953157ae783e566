/** The onnx engine's lowering as a tfjs backend that computes at once: each value that is read is captured, lowered
 *  and run by onnxruntime, as a training step is. */
import * as tf from "@tensorflow/tfjs-core";
import { Recorder } from "../../packages/engine/src/capture/recorder.js";
import { loweringTable } from "../../packages/engine/src/kernels/table.js";
import { MaterialiseBackend } from "../../packages/engine/test/tfjs-suite/materialise-backend.js";
import { onnxRunner } from "../../packages/engine/test/tfjs-suite/onnx-runner.js";

/** Registers the backend, once.
 *  @returns its name */
export function onnxEngineBackend(): string {
  const backendName = "onnx-engine";
  if (tf.findBackendFactory(backendName)) return backendName;
  tf.registerBackend(backendName, () => new MaterialiseBackend(onnxRunner(undefined)), 0);
  for (const kernelName of Object.keys(loweringTable))
    tf.registerKernel({
      kernelName,
      backendName,
      kernelFunc: ({ inputs, attrs, backend }) =>
        (backend as Recorder).record(kernelName, inputs, attrs ?? {}),
    });
  return backendName;
}
