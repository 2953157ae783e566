import { describe, expect, test } from "vitest";
import { GraphBuilder } from "./graph/builder.js";
import { newValue, type Graph, type Value } from "./graph/graph.js";
import { kernel, unary, type Row } from "./kernels/kernel.js";
import { lower, lowerKernel } from "./lower.js";

const x = newValue([2, 3], "float32");
const lowerOne = (row: Row | undefined, attributes: Record<string, unknown> = {}) =>
  lowerKernel(
    { engine: "onnx", table: row ? { Test: row } : {} },
    { op: "Test", attributes, site: undefined },
    { x },
    new GraphBuilder(),
  );

describe("a lowering that is wrong is noticed", () => {
  test("one that ignores an attribute", () => {
    const ignores = unary((value, g) => g.unary("Relu", value));
    expect(() => lowerOne(ignores, { alpha: 0.3 })).toThrow(/ignores alpha/);
    expect(() => lowerOne(ignores, { alpha: undefined })).not.toThrow();
  });

  test("one that reads every attribute passes", () => {
    const reads = kernel<Record<"x", never>, { alpha: number }>(({ x }, { alpha }, g) =>
      g.mul(x, g.uniform(alpha)),
    );
    expect(lowerOne(reads, { alpha: 0.3 })).toMatchObject({ shape: [2, 3], dtype: "float32" });
  });

  test("one whose shapes do not fit", () => {
    const misfit = unary((value, g) => g.reshape(value, [4]));
    expect(() => lowerOne(misfit)).toThrow(/Test.*Cannot reshape \[2, 3\] to \[4\]/);
    expect(() => lowerOne(unary((value, g) => g.gemm(value, value)))).toThrow(/Cannot multiply/);
    expect(() => lowerOne(unary((value, g) => g.add(value, g.uniform(1, [2]))))).toThrow(
      /broadcast/,
    );
  });

  test("a kernel without a row, or with a refusal", () => {
    expect(() => lowerOne(undefined)).toThrow(/no lowering for the tfjs kernel Test/);
    expect(() => lowerOne({ wayOut: "do this instead" })).toThrow(/do this instead/);
  });
});

test("outputs of whole numbers leave the graph as float32", () => {
  const value: Value = newValue([2], "int32");
  const port = { name: "i", value };
  const captured: Graph = {
    stage: "captured",
    inputs: [port],
    outputs: [{ name: "o", value }],
    literals: new Map(),
    nodes: [],
  };
  const graph = lower(captured, { engine: "onnx", table: {} });
  expect(graph.outputs[0]!.value.dtype).toBe("float32");
  expect(graph.nodes.map(({ op }) => op)).toEqual(["Cast"]);
});
