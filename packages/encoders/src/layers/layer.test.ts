import "@tensorflow/tfjs-backend-cpu";
import { activate, conv2d } from "@lejepa/ops";
import * as tf from "@tensorflow/tfjs-core";
import { beforeEach, expect, test } from "vitest";
import { gradientsOf, numbers, toTensors } from "../../test/trainable.js";
import { defineModel } from "../define-model.js";
import { constant, normal, torchDefault } from "../initial-value.js";
import { undecayedPlan, weightPlan } from "../parameter-plan.js";
import { batchNorm } from "./batch-norm.js";
import { convNorm } from "./conv-norm.js";
import { type Layer, named, operation } from "./layer.js";
import { linear } from "./linear.js";
import { meanPool } from "./pooling.js";
import { residual } from "./residual.js";
import { sequence } from "./sequence.js";

beforeEach(() => tf.setBackend("cpu"));

const initial = { weight: constant(2), bias: constant(1) };
const run = (layer: Layer, x: tf.Tensor, mode: "train" | "eval" = "eval") => {
  const model = defineModel("model", layer);
  const tensors = toTensors(model.init(1));
  return { ...model.run(tensors, x, { mode }), model, tensors };
};

test("children run in turn, and carry the names of all layers around them", () => {
  const inner = sequence(["fc", linear(1, 1, initial)], operation(tf.neg));
  const { result, model } = run(sequence(["a", inner], ["b.0", inner]), tf.tensor2d([[3]]));
  // -(2 * 3 + 1) = -7, -(2 * -7 + 1) = 13
  expect([...result.dataSync()]).toEqual([13]);
  expect(model.parameters.map(({ name }) => name)).toEqual([
    "a.fc.weight",
    "a.fc.bias",
    "b.0.fc.weight",
    "b.0.fc.bias",
  ]);
});

test("no children leave x as it is", () => {
  expect([...run(sequence(), tf.tensor1d([1, 2])).result.dataSync()]).toEqual([1, 2]);
});

test("a bias is there where it has an initial value", () => {
  const { result, model } = run(linear(2, 1, { weight: constant(2) }), tf.tensor2d([[3, 4]]));
  expect([...result.dataSync()]).toEqual([14]);
  expect(model.parameters.map(({ name, shape }) => [name, shape])).toEqual([["weight", [2, 1]]]);
});

test("running statistics go by the full name, and stay away in evaluation", () => {
  const layer = named("trunk", sequence(["bn", batchNorm(2)]));
  const x = tf.tensor2d([
    [1, 10],
    [3, 30],
  ]);
  expect(run(layer, x).updates).toEqual({});
  const { updates } = run(layer, x, "train");
  expect(Object.keys(updates)).toEqual(["trunk.bn.running_mean", "trunk.bn.running_var"]);
  // 0 + 0.1 (2 - 0), 0 + 0.1 (20 - 0)
  expect(updates["trunk.bn.running_mean"]!.arraySync()).toEqual([
    expect.closeTo(0.2, 6),
    expect.closeTo(2, 6),
  ]);
});

test.each(["relu", "none"] as const)(
  "a residual that is one operation equals its parts, activation %s",
  (activation) => {
    const branch = convNorm({
      names: ["conv", "bn"],
      inputs: 2,
      outputs: 2,
      kernel: 3,
      padding: 1,
      activation: "none",
      initial: () => normal(1),
    });
    const apart: Layer = { plans: branch.plans, apply: (pass, x) => branch.apply(pass, x) };
    const shortcut = operation((x: tf.Tensor) => tf.mul(x, 3));
    const x = numbers([2, 4, 4, 2]);
    for (const mode of ["train", "eval"] as const) {
      const [one, two] = [branch, sequence(apart)].map((each) =>
        run(residual(each, { shortcut, activation }), x, mode).result.dataSync(),
      );
      expect(Math.min(...two!) < 0).toBe(activation === "none");
      one!.forEach((value, i) => expect(value).toBeCloseTo(two![i]!, 5));
    }
    // What has an activation of its own behind the norm has none behind a sum.
    expect(
      convNorm({
        names: ["conv", "bn"],
        inputs: 1,
        outputs: 1,
        kernel: 1,
        initial: () => normal(1),
      }).applyAndAdd,
    ).toBeUndefined();
  },
);

// Layers of families to come, written with what is here: a layer needs no more than its plans and its function.
const depthwise = (channels: number): Layer => ({
  plans: [
    weightPlan("weight", "conv", [3, 3, 1, channels], torchDefault(9)),
    undecayedPlan("bias", [channels], torchDefault(9)),
  ],
  apply: (pass, x) =>
    conv2d(x as tf.Tensor4D, pass.parameter("weight") as tf.Tensor4D, {
      padding: 1,
      groups: channels,
      bias: pass.parameter("bias"),
    }),
});
const layerScale = (dim: number): Layer => ({
  plans: [undecayedPlan("gamma", [dim], constant(1e-1))],
  apply: (pass, x) => tf.mul(x, pass.parameter("gamma")),
});
const biased = { weight: normal(1), bias: constant(0) };
const squeezeExcite = (dim: number, reduced: number): Layer => {
  const gate = sequence(
    meanPool(),
    ["fc1", linear(dim, reduced, biased)],
    operation((x) => activate(x, "silu")),
    ["fc2", linear(reduced, dim, biased)],
    operation(tf.sigmoid),
  );
  return {
    plans: gate.plans,
    apply: (pass, x) => tf.mul(x, tf.reshape(gate.apply(pass, x), [-1, 1, 1, dim])),
  };
};
const concatenated = (branch: Layer): Layer => ({
  plans: branch.plans,
  apply: (pass, x) => tf.concat([x, branch.apply(pass, x)], -1),
});

test("blocks of other families compose, and every parameter receives its gradient", () => {
  const block = sequence(
    [
      "mixer",
      residual(
        sequence(
          ["conv_dw", depthwise(2)],
          ["se", squeezeExcite(2, 3)],
          operation((x) => activate(x, "gelu")),
          ["ls", layerScale(2)],
        ),
      ),
    ],
    ["dense", concatenated(sequence(["fc", linear(2, 3, biased)]))],
  );
  const model = defineModel("model", block);
  const tensors = toTensors(model.init(1));
  const x = numbers([2, 5, 4, 2]);
  const apply = (parameters: Record<string, tf.Tensor>) =>
    model.run(parameters, x, { mode: "train" }).result;
  expect(apply(tensors).shape).toEqual([2, 5, 4, 5]);
  const { gradients } = gradientsOf(model, tensors, apply);
  expect(Object.keys(gradients)).toEqual([
    "mixer.conv_dw.weight",
    "mixer.conv_dw.bias",
    "mixer.se.fc1.weight",
    "mixer.se.fc1.bias",
    "mixer.se.fc2.weight",
    "mixer.se.fc2.bias",
    "mixer.ls.gamma",
    "dense.fc.weight",
    "dense.fc.bias",
  ]);
  expect(Object.values(gradients).filter((g) => g.every((v) => v === 0))).toEqual([]);
});
