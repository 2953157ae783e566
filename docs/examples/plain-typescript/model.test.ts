import "@tensorflow/tfjs-backend-cpu";
import * as tf from "@tensorflow/tfjs-core";
import { directions, lejepaLoss, lejepaValueAndGrad } from "@lejepa/sigreg";
import { tfjsAdapter } from "@lejepa/tensor/tfjs";
import { test } from "vitest";
import { expectLearning, expectRowsInPlace, expectSame } from "../shared/expect-learning.js";
import { recipe } from "../shared/mnist-run.js";
import { createModel, forward, initialWeights } from "./model.js";

const { views, batchSize, rows, dim, slices } = recipe;

test("gradients by hand are those of the same network in tfjs, objective included", async () => {
  await tf.setBackend("cpu");
  const weights = initialWeights(3);
  const images = Float32Array.from({ length: rows * 784 }, (_, i) => Math.sin(i * i));
  const slicing = directions(dim, slices, 3, 0);
  const { z, backward } = forward(weights, images);
  const objective = lejepaValueAndGrad(z, [views, batchSize, dim], slicing);
  const gradients = backward(objective.grad);

  const adapter = tfjsAdapter();
  const normRelu = (x: tf.Tensor) => {
    const { mean, variance } = tf.moments(x, 0);
    return tf.relu(tf.div(tf.sub(x, mean), tf.sqrt(tf.add(variance, 1e-5))));
  };
  const patches = tf.reshape(tf.transpose(tf.tensor(images, [rows, 7, 4, 7, 4]), [0, 1, 3, 2, 4]), [
    rows * 49,
    16,
  ]);
  const { value, grads } = tf.valueAndGrads((patch, hidden, out) => {
    const y1 = tf.reshape(normRelu(tf.matMul(patches, patch)), [rows, 784]);
    const y2 = normRelu(tf.matMul(y1, hidden));
    const embeddings = tf.reshape(tf.matMul(y2, out), [views, batchSize, dim]);
    return lejepaLoss(adapter, embeddings, tf.tensor(slicing, [dim, slices])).loss as tf.Scalar;
  })([
    tf.tensor(weights.patch, [16, 16]),
    tf.tensor(weights.hidden, [784, 128]),
    tf.tensor(weights.out, [128, dim]),
  ]);
  expectSame([objective.loss], value.dataSync());
  expectSame(gradients.patch, grads[0]!.dataSync());
  expectSame(gradients.hidden, grads[1]!.dataSync());
  expectSame(gradients.out, grads[2]!.dataSync());
});

test("views of equal images have no prediction error, and an embedding is of its image alone", () =>
  expectRowsInPlace(createModel));

test("a network over plain arrays learns from views of MNIST", () => expectLearning(createModel));
