/** In this order: once TensorFlow is loaded, it stays in the process. */
import "@tensorflow/tfjs-backend-cpu";
import { join } from "node:path";
import { createEngine, engineReport } from "@lejepa/engine";
import { expect, test, vi } from "vitest";
import { needs } from "../../../tools/backends.js";

test("auto picks onnx where there is no TensorFlow, and the report says why", async (context) => {
  needs("onnx", context);
  vi.stubEnv("LEJEPA_TENSORFLOW_DIR", join(import.meta.dirname, "no-tensorflow"));
  try {
    const report = await engineReport();
    expect(report.auto).toBe("onnx");
    expect(report.reason).toMatch(/onnxruntime/);
    expect(report.engines.map(({ name, available }) => [name, available])).toEqual([
      ["tensorflow", false],
      ["onnx", true],
      ["eager", true],
    ]);
    const engine = await createEngine();
    expect(engine.name).toBe("onnx");
    expect(engine.description).toMatch(/onnxruntime-node \d+\.\d+/);
  } finally {
    vi.unstubAllEnvs();
  }
});

test("auto picks tensorflow where that loads", async (context) => {
  needs("tensorflow", context);
  expect((await engineReport()).auto).toBe("tensorflow");
  const engine = await createEngine();
  expect(engine.name).toBe("tensorflow");
  await engine.dispose();
});
