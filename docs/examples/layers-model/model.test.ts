import "@tensorflow/tfjs-backend-cpu";
import * as tf from "@tensorflow/tfjs-core";
import { test } from "vitest";
import { needs } from "../../../tools/backends.js";
import {
  expectLearning,
  expectRowsInPlace,
  expectSame,
  referenceObjective,
} from "../shared/expect-learning.js";
import { recipe } from "../shared/mnist-run.js";
import { createModel, objective } from "./model.js";

test("tfjs differentiates the objective to the same value and gradient as plain float64 arrays", async () => {
  await tf.setBackend("cpu");
  const { z, slicing, loss, gradient } = referenceObjective();
  const a = tf.tensor(slicing, [recipe.dim, recipe.slices]);
  const { value, grad } = tf.valueAndGrad((x: tf.Tensor) => objective(x, a).loss as tf.Scalar)(
    tf.tensor(z, [recipe.rows, recipe.dim]),
  );
  expectSame(value.dataSync(), [loss]);
  expectSame(grad.dataSync(), gradient);
});

test("views of equal images have no prediction error, and an embedding is of its image alone", async (context) => {
  needs("onnx", context);
  await expectRowsInPlace(createModel);
});

test("a LayersModel learns from views of MNIST", async (context) => {
  needs("onnx", context);
  await expectLearning(createModel);
});
