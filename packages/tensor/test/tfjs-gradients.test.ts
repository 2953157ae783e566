import "@tensorflow/tfjs-backend-cpu";
import "@tensorflow/tfjs-backend-wasm";
import * as tf from "@tensorflow/tfjs";
import { beforeAll, expect, test } from "vitest";
import { runConformance } from "@lejepa/tensor/conformance";
import { tfjsAdapter } from "@lejepa/tensor/tfjs";

beforeAll(() => {
  tf.enableProdMode(); // no advertisement in the test output
});

// The union package registers tfjs's own gradients, which the adapter then leaves as they are: a program that has a model
// computes with them.
test.each(["cpu", "wasm"])(
  "every promise is kept with tfjs's own gradients on %s",
  async (name) => {
    expect(tf.getGradient("LRN")).toBeDefined();
    await tf.setBackend(name);
    const { results } = await runConformance(tfjsAdapter());
    expect(results.filter(({ status }) => status === "failed")).toEqual([]);
  },
);
