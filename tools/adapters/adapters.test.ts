import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import * as tf from "@tensorflow/tfjs-core";
import { expect, test } from "vitest";
import { runConformance } from "@lejepa/tensor/conformance";
import { tfjsAdapter } from "@lejepa/tensor/tfjs";
import { supportTable, supportTablePath, tryAdapters } from "./support-table.js";

test("every adapter keeps every promise on every backend, and the table says what each lacks", async () => {
  const all = await tryAdapters();
  expect(all.map(({ adapter, backend }) => `${adapter} on ${backend}`)).toEqual([
    "float64Adapter() on plain arrays",
    "tfjsAdapter() on tfjs-backend-cpu",
    "tfjsAdapter({ characteristicMeans }) on tfjs-backend-cpu",
    "tfjsAdapter() on tfjs-backend-wasm",
    "tfjsAdapter({ characteristicMeans }) on tfjs-backend-wasm",
    "tfjsAdapter() on the onnx engine of @lejepa/engine",
    "tfjsAdapter({ characteristicMeans }) on the onnx engine of @lejepa/engine",
    "jaxAdapter() on device wasm",
    "jaxAdapter() on device cpu (interpreted)",
  ]);
  expect(
    all.flatMap(({ report }) => report.results.filter(({ status }) => status === "failed")),
  ).toEqual([]);
  const page = readFileSync(`${import.meta.dirname}/../../${supportTablePath}`, "utf8");
  expect(page).toBe(await supportTable(all));
});

test("a promise that is broken is written into the table", async () => {
  const page = await supportTable([
    {
      adapter: "float64Adapter()",
      backend: "plain arrays",
      precision: "float64",
      capabilities: [],
      report: {
        adapter: "float64",
        passed: 0,
        missing: 0,
        failed: 1,
        results: [{ id: "add/values", status: "failed", reason: "it is wrong" }],
      },
    },
  ]);
  expect(page).toContain("`float64Adapter()` on plain arrays: `add/values`: it is wrong");
});

test("the tfjs adapter keeps every promise on the native backend", async (context) => {
  const require = createRequire(import.meta.url);
  const native = "@tensorflow/tfjs-node";
  let path: string | undefined;
  try {
    path = require.resolve(native);
  } catch {
    context.skip(`${native} is not installed`);
  }
  require(path!);
  expect(await tf.setBackend("tensorflow")).toBe(true);
  const report = await runConformance(tfjsAdapter());
  expect(report.results.filter(({ status }) => status === "failed")).toEqual([]);
});
