import { expect, test } from "vitest";
import { GraphBuilder } from "../graph/builder.js";
import type { Graph, Shape } from "../graph/graph.js";
import { newValue } from "../graph/graph.js";
import { reluGradients } from "./relu-gradients.js";

/** dy * Step(x), the operands in either order. */
function masked(dyShape: Shape, xShape: Shape, order: "mask last" | "mask first"): Graph {
  const g = new GraphBuilder();
  const [dy, x] = [newValue(dyShape, "float32"), newValue(xShape, "float32")];
  const mask = g.unary("Step", x);
  const product = order === "mask last" ? g.mul(dy, mask) : g.mul(mask, dy);
  return g.finish(
    [
      { name: "dy", value: dy },
      { name: "x", value: x },
    ],
    [{ name: "product", value: product }],
  );
}

test.each(["mask last", "mask first"] as const)(
  "a gradient times the mask of a ReLU is one operation of TensorFlow's, %s",
  (order) => {
    const before = masked([2, 3], [2, 3], order);
    const after = reluGradients.run(before);
    const last = after.nodes.at(-1)!;
    expect(after.nodes.map(({ op, domain }) => [op, domain])).toEqual([
      ["Step", ""],
      ["ReluGrad", "tensorflow"],
    ]);
    expect(last.inputs).toEqual(before.inputs.map(({ value }) => value));
    expect(after.outputs[0]!.value).toBe(last.outputs[0]);
  },
);

test("a mask that is broadcast stays a product", () => {
  const before = masked([2, 3], [3], "mask last");
  expect(reluGradients.run(before).nodes.map(({ op }) => op)).toEqual(["Step", "Mul"]);
});
