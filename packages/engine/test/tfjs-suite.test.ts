import * as tf from "@tensorflow/tfjs-core";
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import type { Recorder } from "../src/capture/recorder.js";
import { probeBlockSize } from "../src/onnx/block-size.js";
import { loadOnnxRuntime } from "../src/onnx-engine.js";
import { expectedOnnxFailures } from "./tfjs-suite/expected-failures.js";
import { kernelTable, kernelTablePath } from "./tfjs-suite/kernel-table.js";
import { onnxRunner } from "./tfjs-suite/onnx-runner.js";
import { failed, suiteResults, surprise } from "./tfjs-suite/results.js";
import { backendName, tfjsSuite } from "./tfjs-suite/suite.js";

// As the engine chooses by default; convolutions without blocks are compared in samples.test.ts.
const suite = await tfjsSuite(onnxRunner(await probeBlockSize(await loadOnnxRuntime())));
const results = suiteResults(suite);
const expected = new Set(expectedOnnxFailures.flatMap(({ cases }) => cases));
const casesOf = (file: string) => suite.cases.filter((each) => each.file === file);

describe("the cases of tfjs-core come out as expected on the onnx lowering", () => {
  const files = [...new Set(suite.cases.map(({ file }) => file))];
  test.each(files)("%s", async (file) => {
    const surprises = [];
    for (const each of casesOf(file)) surprises.push(surprise(await results.of(each), expected));
    expect(surprises.filter((each) => each !== undefined)).toEqual([]);
  });
});

test("there are thousands of cases, hundreds with gradients, and at most 5 % of them fail", async () => {
  const all = (await results.all()).filter(({ ours }) => !ours.refused && ours.kernels.length > 0);
  expect(all.length).toBeGreaterThan(2200);
  expect(all.filter(({ theirs }) => theirs).length).toBeGreaterThan(450);
  expect(all.filter(failed).length).toBeLessThanOrEqual(0.05 * all.length);
});

test("every expected failure is a case", () => {
  const names = new Set(suite.cases.map(({ name }) => name));
  expect([...expected].filter((name) => !names.has(name))).toEqual([]);
});

test("docs/kernels.md is up to date: npx tsx tools/kernel-table.ts writes it", async () => {
  const page = readFileSync(new URL(`../../../${kernelTablePath}`, import.meta.url), "utf8");
  expect(page).toBe(await kernelTable(suite, await results.all()));
});

describe("what goes wrong is noticed", () => {
  const outcome = { kernels: ["Add"], derived: [], refused: false, error: undefined };
  const passing = { name: "a case", ours: outcome, theirs: undefined };
  const failing = { ...passing, ours: { ...outcome, error: "Arrays differ" } };

  test("a case that fails and is not expected to", () => {
    expect(surprise(failing, new Set())).toBe("a case: Arrays differ");
    expect(surprise(failing, new Set(["a case"]))).toBeUndefined();
  });

  test("a case that passes and is expected to fail", () => {
    expect(surprise(passing, new Set(["a case"]))).toMatch(/^a case: it passes/);
    expect(surprise(passing, new Set())).toBeUndefined();
  });

  test("a case that fails with tfjs-core's gradients only", () => {
    const result = { ...passing, theirs: { ...outcome, error: "Arrays differ" } };
    expect(surprise(result, new Set())).toMatch(/tfjs-core's gradients: Arrays differ/);
  });

  test("a kernel that computes something else", async () => {
    const use = (recorded: string) => {
      tf.unregisterKernel("Relu", backendName);
      tf.registerKernel({
        kernelName: "Relu",
        backendName,
        kernelFunc: ({ inputs, backend }) => (backend as Recorder).record(recorded, inputs, {}),
      });
    };
    use("Abs");
    const errors = [];
    for (const each of casesOf("ops/relu_test")) errors.push((await each.run("@lejepa/ops")).error);
    use("Relu");
    expect(errors.filter((error) => error?.startsWith("Arrays differ")).length).toBeGreaterThan(5);
  });
});
