import * as tf from "@tensorflow/tfjs-core";
import { expect, test } from "vitest";
import { deviation, expectSameAs, numbers } from "../test/differentiation.js";
import { attention, selfAttention } from "./attention.js";

test("equal keys average the values, worked by hand", async () => {
  await tf.setBackend("cpu");
  const y = attention(tf.ones([1, 2]), tf.ones([3, 2]), tf.tensor([[3], [6], [0]]));
  expect(deviation(y.dataSync(), [3])).toBeLessThan(1e-6);
});

test.each([
  { q: [2, 3, 4, 5], k: [2, 3, 4, 5], v: [2, 3, 4, 5] },
  { q: [3, 2], k: [7, 2], v: [7, 5] },
  { q: [2, 1, 3], k: [2, 4, 3], v: [2, 4, 1] },
])("value and gradients equal the composed form for $q, $k, $v", async ({ q, k, v }) => {
  await expectSameAs(
    (q, k, v) => attention(q, k, v, 0.7),
    (q, k, v) => tf.matMul(tf.softmax(tf.mul(tf.matMul(q, k, false, true), 0.7)), v),
    () => [numbers(q, 1), numbers(k, 2), numbers(v, 3)],
  );
});

test.each([1, 2, 6])("self-attention with %i heads equals the composed form", async (heads) => {
  const [batch, tokens, dim] = [2, 5, 6];
  await expectSameAs(
    (x, weight, bias) => selfAttention(x, { weight, bias }, heads),
    (x, weight, bias) => {
      const qkv = tf.add(tf.matMul(tf.reshape(x, [batch * tokens, dim]), weight), bias);
      const [q, k, v] = tf.unstack(
        tf.transpose(tf.reshape(qkv, [batch, tokens, 3, heads, dim / heads]), [2, 0, 3, 1, 4]),
      ) as [tf.Tensor, tf.Tensor, tf.Tensor];
      const logits = tf.mul(tf.matMul(q, k, false, true), 1 / Math.sqrt(dim / heads));
      const y = tf.matMul(tf.softmax(logits), v);
      return tf.reshape(tf.transpose(y, [0, 2, 1, 3]), [batch, tokens, dim]);
    },
    () => [numbers([batch, tokens, dim], 1), numbers([dim, 3 * dim], 2), numbers([3 * dim], 3)],
  );
});

test("the order of the other tokens does not change a token's output", async () => {
  await tf.setBackend("cpu");
  const x = numbers([1, 4, 6], 1);
  const weight = numbers([6, 18], 2);
  const y = tf.reverse(selfAttention(x, { weight }, 2), 1).dataSync();
  const reversed = selfAttention(tf.reverse(x, 1), { weight }, 2).dataSync();
  expect(deviation(reversed, y)).toBeLessThan(1e-5);
});

test("shapes and heads that do not fit are named", () => {
  const weight = tf.zeros([6, 18]);
  expect(() => selfAttention(tf.zeros([1, 4, 6]), { weight }, 4)).toThrow(
    expect.objectContaining({ code: "bad-heads" }),
  );
  expect(() => selfAttention(tf.zeros([1, 4, 6]), { weight: tf.zeros([6, 12]) }, 2)).toThrow(
    "selfAttention: qkv.weight should have shape [6, 18], got [6, 12].",
  );
  expect(() => attention(tf.zeros([2, 3]), tf.zeros([4, 2]), tf.zeros([4, 3]))).toThrow(
    "attention: k should have shape [*, 3], got [4, 2].",
  );
  expect(() => attention(tf.zeros([2, 3]), tf.zeros([4, 3]), tf.zeros([5, 3]))).toThrow(
    "attention: v should have shape [4, *], got [5, 3].",
  );
});
