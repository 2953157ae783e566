import "@tensorflow/tfjs-backend-cpu";
import "@tensorflow/tfjs-backend-wasm";
import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, expect, test } from "vitest";
import {
  conformanceCases,
  runConformance,
  type ConformanceReport,
} from "@lejepa/tensor/conformance";
import { float64Adapter } from "@lejepa/tensor/float64";
import { tfjsAdapter } from "@lejepa/tensor/tfjs";

beforeAll(() => {
  tf.enableProdMode(); // no advertisement in the test output
});

async function tfjsOn(backend: string) {
  await tf.setBackend(backend);
  expect(tf.getBackend()).toBe(backend);
  return runConformance(tfjsAdapter());
}

const reports: Record<string, () => Promise<ConformanceReport>> = {
  float64: () => runConformance(float64Adapter()),
  "tfjs on cpu": () => tfjsOn("cpu"),
  "tfjs on wasm": () => tfjsOn("wasm"),
};

test.each(Object.keys(reports))("%s keeps every promise of the contract", async (name) => {
  const report = await reports[name]!();
  expect(report.results.filter((r) => r.status === "failed")).toEqual([]);
  expect(report.results.filter((r) => r.status === "missing").map((r) => r.id)).toEqual([
    "allReduceMean/shape-is-kept",
  ]);
  expect(report.passed).toBe(conformanceCases.length - 1);
  expect(report.adapter).toBe(name.split(" ")[0]);
});

test("case ids are unique, and there are as many as there were", () => {
  expect(new Set(conformanceCases.map((c) => c.id)).size).toBe(conformanceCases.length);
  expect(conformanceCases.length).toMatchInlineSnapshot(`144`);
});
