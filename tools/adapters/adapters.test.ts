import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { findTensorFlow, loadTensorFlow } from "@lejepa/engine/setup";
import { needs } from "../backends.js";
import {
  onTfjs,
  supportTable,
  supportTablePath,
  tryAdapters,
  type Tried,
} from "./support-table.js";

// Some five thousand onnxruntime sessions: half a minute, and more where the cores are shared.
const timeout = 600_000;

test(
  "every adapter keeps every promise on every backend, and the table says what each lacks",
  async () => {
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
  },
  timeout,
);

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

test(
  "the tfjs adapter keeps every promise on TensorFlow",
  async (context) => {
    needs("tensorflow", context);
    const installation = await findTensorFlow();
    if (installation === undefined) throw new Error("TensorFlow: run npm run setup:tensorflow.");
    loadTensorFlow(installation);
    const onCpu = await onTfjs("cpu", "tfjs-backend-cpu");
    const onTensorFlow = await onTfjs("tensorflow", `TensorFlow ${installation.version}`);
    const broken = [...onCpu, ...onTensorFlow].flatMap(({ report }) =>
      report.results.filter(({ status }) => status === "failed"),
    );
    expect(broken).toEqual([]);
    const outcomes = (all: readonly Tried[]) =>
      all.map(({ report }) => report.results.map(({ id, status }) => `${id} ${status}`));
    expect(outcomes(onTensorFlow)).toEqual(outcomes(onCpu));
  },
  timeout,
);
