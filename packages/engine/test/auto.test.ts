/** What `auto` picks without TensorFlow, and with one that does not load. A process starts TensorFlow once, so these
 *  cases have a file, and with it a process, of their own. */
import "@tensorflow/tfjs-backend-cpu";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createEngine, engineReport } from "@lejepa/engine";
import { findTensorFlow } from "@lejepa/engine/setup";
import { afterEach, beforeEach, expect, test, vi, type TestContext } from "vitest";
import { brokenTensorFlow } from "../../../tools/broken-tensorflow.js";
import { needs } from "../../../tools/backends.js";

let directory = "";
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "lejepa-no-tensorflow-"));
  vi.stubEnv("LEJEPA_TENSORFLOW_DIR", directory);
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(directory, { recursive: true });
});

/** Skips where tfjs-node brought a TensorFlow of its own, which no variable hides. */
async function without(context: TestContext): Promise<void> {
  const stock = (await findTensorFlow()) !== undefined;
  context.skip(stock, "tfjs-node's own install script put a TensorFlow here");
}

test("auto picks onnx where there is no TensorFlow, and the report says how to have one", async (context) => {
  needs("onnx", context);
  await without(context);
  const report = await engineReport();
  expect(report.auto).toBe("onnx");
  expect(report.reason).toMatch(/onnxruntime-node.*TensorFlow.*lejepa setup tensorflow/);
  expect(report.engines.map(({ name, available }) => [name, available])).toEqual([
    ["tensorflow", false],
    ["onnx", true],
    ["eager", true],
  ]);
  const engine = await createEngine();
  expect(engine.name).toBe("onnx");
  expect(engine.description).toMatch(/onnxruntime-node \d+\.\d+/);
  expect(engine.reason).toBe(report.reason);
  await engine.dispose();
});

test("the tensorflow engine by name is refused where there is no TensorFlow", async (context) => {
  await without(context);
  await expect(createEngine("tensorflow")).rejects.toMatchObject({
    code: "engine-unavailable",
    message: expect.stringContaining("npx lejepa setup tensorflow") as string,
  });
});

test("a TensorFlow that does not load is told apart from none", async (context) => {
  needs("onnx", context);
  const addon = brokenTensorFlow(directory);
  await expect(createEngine("tensorflow")).rejects.toMatchObject({
    code: "engine-unavailable",
    message: expect.stringMatching(/does not load here/) as string,
  });
  const { auto, reason, engines } = await engineReport();
  expect(auto).toBe("onnx");
  for (const said of [reason, engines[0]!.detail]) {
    expect(said).toContain(addon);
    expect(said).toContain("lejepa setup tensorflow --force");
  }
});

test("an engine asked for by name gives no reason", async (context) => {
  needs("onnx", context);
  const engine = await createEngine("onnx");
  expect(engine.reason).toBeUndefined();
  await engine.dispose();
});

// The last ones: TensorFlow stays in the process that it was loaded into.
test("auto picks TensorFlow where it loads, and the report says why", async (context) => {
  needs("tensorflow", context);
  vi.unstubAllEnvs();
  const report = await engineReport();
  expect(report.auto).toBe("tensorflow");
  expect(report.reason).toMatch(/TensorFlow loads here/);
  expect(report.engines.map(({ name, available }) => [name, available])).toEqual([
    ["tensorflow", true],
    ["onnx", true],
    ["eager", true],
  ]);
  const engine = await createEngine();
  expect(engine.name).toBe("tensorflow");
  expect(engine.description).toMatch(/^TensorFlow \d+\.\d+\.\d+, [CG]PU, \d+ threads?$/);
  await engine.dispose();
});

test("auto with another number of threads than TensorFlow runs with picks onnx, and says so", async (context) => {
  needs("tensorflow", context);
  needs("onnx", context);
  vi.unstubAllEnvs();
  const running = await createEngine("tensorflow");
  const its = Number(/(\d+) threads?$/.exec(running.description)![1]);
  const threads = its + 1;
  const engine = await createEngine("auto", { threads });
  const reason = new RegExp(
    `^onnxruntime-node loads here.*TensorFlow runs with ${its} threads?.*cannot change to ${threads}`,
  );
  expect(engine.name).toBe("onnx");
  expect(engine.description).toMatch(new RegExp(`${threads} threads$`));
  expect(engine.reason).toMatch(reason);
  expect((await engineReport({ threads })).reason).toBe(engine.reason);
  expect((await engineReport()).auto).toBe("tensorflow");
  await engine.dispose();
  await running.dispose();
});
