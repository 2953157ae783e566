/** The compiled engines that this machine is asked to test. */
import { createEngine, type Engine } from "@lejepa/engine";
import { afterAll, beforeAll } from "vitest";
import { namedBackends } from "../../../tools/backend-names.mjs";
import { needs, type Backend } from "../../../tools/backends.js";

/** All of them. "onnx, gathered" convolves by standard operators of onnxruntime alone. */
export const compiledNames = ["onnx", "onnx, gathered", "tensorflow"] as const;
export type CompiledName = (typeof compiledNames)[number];

/** Starts them for the tests of a file; the function that comes back gives one, or skips the running test. */
export function compiledEngines(): (
  name: CompiledName,
  context: Parameters<typeof needs>[1],
) => Engine {
  const engines = new Map<CompiledName, Engine>();
  beforeAll(async () => {
    const onnx = { threads: 1, thread: "main" } as const;
    engines.set("onnx", await createEngine("onnx", onnx));
    engines.set("onnx, gathered", await createEngine("onnx", { ...onnx, convolution: "gathered" }));
    if (namedBackends.includes("tensorflow"))
      engines.set("tensorflow", await createEngine("tensorflow", { thread: "main" }));
  });
  afterAll(async () => {
    for (const engine of engines.values()) await engine.dispose();
  });
  return (name, context) => {
    needs(name.replace(", gathered", "") as Backend, context);
    return engines.get(name)!;
  };
}
