import { silu } from "@lejepa/ops";
import * as tf from "@tensorflow/tfjs-core";
import { expect, test } from "vitest";
import { capture } from "../capture/capture.js";
import { GraphBuilder } from "../graph/builder.js";
import { onnxTarget } from "../kernels/table.js";
import { resolveInputs } from "../step-values.js";
import { compileGraph, onnxPasses, rewriteCaptured } from "./run-passes.js";

const operatorsOf = (run: (x: tf.Tensor) => tf.Tensor): string[] => {
  const inputs = resolveInputs({ x: { shape: [2, 3] } });
  const step = (_: object, { x }: Readonly<Record<string, tf.Tensor>>) => ({
    state: {},
    outputs: { y: run(x!) },
  });
  const { graph } = capture(step, {}, inputs, onnxTarget);
  const captured = rewriteCaptured(graph, { smallState: "packed", updates: "by-host" });
  return compileGraph(captured, onnxTarget, onnxPasses(), new GraphBuilder()).nodes.map(
    ({ op }) => op,
  );
};

test("a sigmoid keeps its tail, inside a composite kernel too", () => {
  expect(operatorsOf(tf.sigmoid)).toEqual(["Min", "Exp", "Add", "Div"]);
  expect(operatorsOf(silu)).toEqual(["Min", "Exp", "Add", "Div", "Mul"]);
});

test("the logarithm of a sigmoid and its gradient go by the logits, in either order of factors", () => {
  expect(operatorsOf((x) => tf.log(tf.sigmoid(x)))).toEqual(["Neg", "Softplus", "Neg"]);
  const slope = (x: tf.Tensor) => tf.grad((x) => tf.sum(tf.log(tf.sigmoid(x))))(x);
  expect(operatorsOf(slope)).toEqual(["Neg", "Min", "Exp", "Add", "Div"]);
  const swapped = (x: tf.Tensor) => {
    const y = tf.sigmoid(x);
    return tf.mul(tf.mul(tf.sub(1, y), y), tf.div(x, y));
  };
  expect(operatorsOf(swapped)).toEqual(["Neg", "Min", "Exp", "Add", "Div", "Mul"]);
});

test("what only looks like that gradient stays", () => {
  const other = (x: tf.Tensor) => {
    const [y, z] = [tf.sigmoid(x), tf.sigmoid(tf.neg(x))];
    return tf.mul(tf.div(x, y), tf.mul(y, tf.sub(1, z)));
  };
  expect(operatorsOf(other).filter((op) => op === "Div")).toHaveLength(3);
  const two = (x: tf.Tensor) => {
    const y = tf.sigmoid(x);
    return tf.mul(tf.div(x, y), tf.mul(y, tf.sub(2, y)));
  };
  expect(operatorsOf(two).filter((op) => op === "Div")).toHaveLength(2);
});
