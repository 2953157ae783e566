import "@tensorflow/tfjs-backend-cpu";
import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, expect, test } from "vitest";
import type { TensorAdapter } from "@lejepa/tensor";
import { conformanceCases, runConformance } from "@lejepa/tensor/conformance";
import { float64Adapter } from "@lejepa/tensor/float64";
import { tfjsAdapter } from "@lejepa/tensor/tfjs";

beforeAll(async () => {
  tf.enableProdMode(); // no advertisement in the test output
  await tf.setBackend("cpu");
});

const adapters: Record<string, () => TensorAdapter<never>> = {
  float64: () => float64Adapter() as unknown as TensorAdapter<never>,
  tfjs: () => tfjsAdapter() as unknown as TensorAdapter<never>,
};

test.each(Object.keys(adapters))(
  "the %s adapter keeps every promise of the contract",
  async (name) => {
    const report = await runConformance((adapters[name] as () => TensorAdapter<never>)());
    expect(report.results.filter((r) => r.status === "failed")).toEqual([]);
    expect(report.results.filter((r) => r.status === "missing").map((r) => r.id)).toEqual([
      "allReduceMean/shape-is-kept",
    ]);
    expect(report.passed).toBe(conformanceCases.length - 1);
    expect(report.adapter).toBe(name);
  },
);

test("case ids are unique, and there are as many as there were", () => {
  expect(new Set(conformanceCases.map((c) => c.id)).size).toBe(conformanceCases.length);
  expect(conformanceCases.length).toMatchInlineSnapshot(`144`);
});
