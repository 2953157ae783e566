import "@tensorflow/tfjs-backend-cpu";
import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, expect, test } from "vitest";
import { createEagerEngine } from "../eager-engine.js";

beforeAll(async () => {
  await createEagerEngine("cpu");
  await tf.setBackend("cpu");
});

const numbers = (x: tf.Tensor): number[] => Array.from(x.dataSync());

test("running sums and products along an axis counted from the end are those along that axis", () => {
  const x = tf.tensor([1, 2, 3, 4, 5, 6], [2, 3, 1]);
  const sums = tf.cumsum(x, -2);
  expect(sums.shape).toEqual([2, 3, 1]);
  expect(numbers(sums)).toEqual([1, 3, 6, 4, 9, 15]);
  expect(numbers(tf.cumprod(x, -3))).toEqual([1, 2, 3, 4, 10, 18]);
  expect(tf.cumsum(tf.tensor1d([1, 2]), -1).shape).toEqual([2]);
});

test("an update of rows leaves the tensor that it starts from as it was", () => {
  const x = tf.tensor1d([1, 2, 3]);
  expect(numbers(tf.tensorScatterUpdate(x, [[1]], [9]))).toEqual([1, 9, 3]);
  expect(numbers(x)).toEqual([1, 2, 3]);
});

test("a slice by steps that drops an axis takes the steps of the other axes", () => {
  const x = tf.tensor(
    Array.from({ length: 24 }, (_, i) => i),
    [2, 3, 4],
  );
  // x[1, 0::2, 3:0:-2]
  const y = tf.stridedSlice(x, [1, 0, 3], [2, 3, 0], [1, 2, -2], 0, 0, 0, 0, 1);
  expect(y.shape).toEqual([2, 2]);
  expect(numbers(y)).toEqual([15, 13, 23, 21]);
});
