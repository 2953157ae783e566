import * as tf from "@tensorflow/tfjs-core";
import { expect, test } from "vitest";
import { expectSameAs, numbers } from "../test/differentiation.js";
import { linear } from "./linear.js";

test("a small product worked by hand", async () => {
  await tf.setBackend("cpu");
  const y = linear(
    tf.tensor([1, 2, 3], [1, 1, 3]),
    tf.tensor([1, 0, 0, 1, 1, 1], [3, 2]),
    tf.tensor([10, 20]),
  );
  expect(y.shape).toEqual([1, 1, 2]);
  expect([...y.dataSync()]).toEqual([14, 25]);
});

test.each([[[5, 3]], [[2, 3, 3]], [[1, 2, 2, 3]], [[3]]])(
  "value and gradients equal the composed form for x of shape %j",
  async (shape) => {
    await expectSameAs(
      (x, w, b) => linear(x, w, b),
      (x, w, b) =>
        tf.add(tf.reshape(tf.matMul(tf.reshape(x, [-1, 3]), w), [...shape.slice(0, -1), 4]), b),
      () => [numbers(shape, 1), numbers([3, 4], 2), numbers([4], 3)],
    );
  },
);

test("the bias may be left out", async () => {
  await expectSameAs(
    (x, w) => linear(x, w),
    (x, w) => tf.matMul(x, w),
    () => [numbers([5, 3], 1), numbers([3, 2], 2)],
  );
});

test("shapes that do not fit are named", () => {
  const call = (x: number[], w: number[], b?: number[]) => () =>
    linear(tf.zeros(x), tf.zeros(w), b && tf.zeros(b));
  expect(call([2, 3], [4, 2])).toThrow("linear: weight should have shape [3, *], got [4, 2].");
  expect(call([2, 3], [3])).toThrow("linear: weight should have shape [3, *], got [3].");
  expect(call([2, 3], [3, 2], [3])).toThrow("linear: bias should have shape [2], got [3].");
  expect(call([], [3, 2])).toThrow(
    expect.objectContaining({ name: "LejepaError", code: "bad-shape" }),
  );
});
