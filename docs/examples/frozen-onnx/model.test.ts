import "@tensorflow/tfjs-backend-cpu";
import * as tf from "@tensorflow/tfjs-core";
import { directions, lejepaLoss, lejepaValueAndGrad } from "@lejepa/sigreg";
import { tfjsAdapter } from "@lejepa/tensor/tfjs";
import { test } from "vitest";
import { needs } from "../../../tools/backends.js";
import { expectLearning, expectRowsInPlace, expectSame } from "../shared/expect-learning.js";
import { recipe } from "../shared/mnist-run.js";
import { features } from "./backbone.js";
import { createModel, forward, initialHead } from "./model.js";

const { views, batchSize, rows, dim, slices } = recipe;

test("the head's gradients are those of the same head in tfjs, objective included", async () => {
  await tf.setBackend("cpu");
  const head = initialHead(3);
  const x = Float32Array.from({ length: rows * features }, (_, i) => Math.max(0, Math.sin(i * i)));
  const slicing = directions(dim, slices, 3, 0);
  const { z, backward } = forward(head, x);
  const objective = lejepaValueAndGrad(z, [views, batchSize, dim], slicing);
  const gradients = backward(objective.grad);

  const adapter = tfjsAdapter();
  const { value, grads } = tf.valueAndGrads((hidden, out) => {
    const projected = tf.matMul(tf.tensor(x, [rows, features]), hidden);
    const { mean, variance } = tf.moments(projected, 0);
    const y = tf.relu(tf.div(tf.sub(projected, mean), tf.sqrt(tf.add(variance, 1e-5))));
    const embeddings = tf.reshape(tf.matMul(y, out), [views, batchSize, dim]);
    return lejepaLoss(adapter, embeddings, tf.tensor(slicing, [dim, slices])).loss as tf.Scalar;
  })([tf.tensor(head.hidden, [features, 128]), tf.tensor(head.out, [128, dim])]);
  expectSame([objective.loss], value.dataSync());
  expectSame(gradients.hidden, grads[0]!.dataSync());
  expectSame(gradients.out, grads[1]!.dataSync());
});

test("views of equal images have no prediction error, and an embedding is of its image alone", async (context) => {
  needs("onnx", context);
  await expectRowsInPlace(createModel);
});

test("a head learns on a frozen ONNX backbone from views of MNIST", async (context) => {
  needs("onnx", context);
  await expectLearning(createModel);
});
