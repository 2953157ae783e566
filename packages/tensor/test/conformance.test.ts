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
import { jaxAdapter } from "@lejepa/tensor/jax";
import { tfjsAdapter, type TfjsAdapterOptions } from "@lejepa/tensor/tfjs";

beforeAll(() => {
  tf.enableProdMode(); // no advertisement in the test output
});

async function tfjsOn(backend: string, options?: TfjsAdapterOptions) {
  await tf.setBackend(backend);
  expect(tf.getBackend()).toBe(backend);
  return runConformance(tfjsAdapter(options));
}

/** The definition. */
const characteristicMeans: TfjsAdapterOptions["characteristicMeans"] = (x, step, harmonics) =>
  tf.concat(
    harmonics.flatMap((h) =>
      [tf.cos, tf.sin].map((f) => tf.mean(f(tf.mul(x, h * step)), -1, true)),
    ),
    -1,
  );

const reports: Record<string, () => Promise<ConformanceReport>> = {
  float64: () => runConformance(float64Adapter()),
  jax: () => runConformance(jaxAdapter()),
  "tfjs on cpu": () => tfjsOn("cpu"),
  "tfjs on wasm": () => tfjsOn("wasm"),
  "tfjs with characteristicMeans": () => tfjsOn("cpu", { characteristicMeans }),
};

test.each(Object.keys(reports))("%s keeps every promise of the contract", async (name) => {
  const report = await reports[name]!();
  expect(report.results.filter((r) => r.status === "failed")).toEqual([]);
  const lacking = name.endsWith("characteristicMeans")
    ? ["allReduceMean"]
    : ["allReduceMean", "characteristicMeans"];
  const missing = conformanceCases.filter(({ needs }) => needs.some((n) => lacking.includes(n)));
  expect(report.results.filter((r) => r.status === "missing").map((r) => r.id)).toEqual(
    missing.map(({ id }) => id),
  );
  expect(report.passed).toBe(conformanceCases.length - missing.length);
  expect(report.adapter).toBe(name.split(" ")[0]);
});

test("case ids are unique, and there are as many as there were", () => {
  expect(new Set(conformanceCases.map((c) => c.id)).size).toBe(conformanceCases.length);
  expect(conformanceCases.length).toMatchInlineSnapshot(`655`);
});
