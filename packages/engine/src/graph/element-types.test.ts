import "@lejepa/ops";
import { expect, test } from "vitest";
import { samples } from "../../test/kernels/samples.js";
import { capture } from "../capture/capture.js";
import { onnxTarget } from "../kernels/table.js";
import { lower } from "../lower.js";
import { resolveInputs } from "../step-values.js";
import { hasKnownTypes } from "./element-types.js";

test.each(Object.entries(samples))("of what %s becomes the types are known", (_kernel, all) => {
  for (const { inputs, run } of all) {
    const declared = inputs.map(({ shape, dtype }, i) => [
      `x${i}`,
      { shape, ...(dtype && { dtype }) },
    ]);
    const { graph } = capture(
      (state, given) => {
        const results = [run(...inputs.map((_, i) => given[`x${i}`]!))].flat();
        return { state, outputs: Object.fromEntries(results.map((y, i) => [`y${i}`, y])) };
      },
      {},
      resolveInputs(Object.fromEntries(declared) as Parameters<typeof resolveInputs>[0]),
      onnxTarget,
    );
    const operators = lower(graph, onnxTarget).nodes.filter(({ domain }) => domain === "");
    expect(operators.map(({ op }) => op).filter((op) => !hasKnownTypes(op))).toEqual([]);
  }
});
