import * as tf from "@tensorflow/tfjs-core";
import { expect, test } from "vitest";
import { deviation, expectSameAs, numbers } from "../test/differentiation.js";
import { attention, multiHeadAttention, selfAttention, type TokenLayout } from "./attention.js";

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

/** Images and tokens in the other order. */
const swapped = (t: tf.Tensor, layout: TokenLayout) =>
  layout === "NLD" ? t : tf.transpose(t, [1, 0, 2]);

/** Heads one after the other, from slices. */
function headByHead(q: tf.Tensor, k: tf.Tensor, v: tf.Tensor, heads: number): tf.Tensor {
  const parts = [q, k, v].map((t) => tf.split(t, heads, 2)) as [
    tf.Tensor[],
    tf.Tensor[],
    tf.Tensor[],
  ];
  const ys = parts[0].map((own, h) => {
    const weights = tf.softmax(tf.matMul(own, parts[1][h]!, false, true));
    return tf.matMul(weights, parts[2][h]!);
  });
  return tf.concat(ys, 2);
}

test.each([
  { layout: "NLD", batch: 2, queries: 3, keys: 5, dim: 6, heads: 2 },
  { layout: "LND", batch: 2, queries: 3, keys: 5, dim: 6, heads: 2 },
  { layout: "LND", batch: 1, queries: 1, keys: 1, dim: 7, heads: 7 },
  { layout: "LND", batch: 3, queries: 1, keys: 4, dim: 5, heads: 1 },
] as const)("multi-head attention equals head by head: %o", async (sample) => {
  const { layout, batch, queries, keys, dim, heads } = sample;
  await expectSameAs(
    (q, k, v) => multiHeadAttention(q, k, v, heads, layout),
    (q, k, v) => {
      const own = [q, k, v].map((t) => swapped(t, layout)) as [tf.Tensor, tf.Tensor, tf.Tensor];
      return swapped(headByHead(...own, heads), layout);
    },
    () =>
      [queries, keys, keys].map((tokens, i) =>
        numbers(layout === "NLD" ? [batch, tokens, dim] : [tokens, batch, dim], i + 1),
      ),
  );
});

test.each([
  { layout: "NLD", tokens: 3 },
  { layout: "LND", tokens: 3 },
  { layout: "LND", tokens: 1 },
] as const)(
  "self-attention of $tokens tokens with norm and output projection in $layout equals them apart",
  async ({ layout, tokens }) => {
    const [batch, dim, heads, epsilon] = [2, 4, 2, 1e-2];
    await expectSameAs(
      (x, weight, bias, normWeight, normBias, outWeight, outBias) =>
        selfAttention(x, { weight, bias }, heads, {
          norm: { weight: normWeight, bias: normBias, epsilon },
          output: { weight: outWeight, bias: outBias },
          layout,
        }),
      (x, weight, bias, normWeight, normBias, outWeight, outBias) => {
        const { mean, variance } = tf.moments(x, -1, true);
        const normal = tf.div(tf.sub(x, mean), tf.sqrt(tf.add(variance, epsilon)));
        const rows = tf.reshape(tf.add(tf.mul(normal, normWeight), normBias), [-1, dim]);
        const qkv = tf.reshape(tf.add(tf.matMul(rows, weight), bias), [
          ...x.shape.slice(0, 2),
          3 * dim,
        ]);
        const [q, k, v] = tf.split(swapped(qkv, layout), 3, 2) as [tf.Tensor, tf.Tensor, tf.Tensor];
        const y = swapped(headByHead(tf.div(q, Math.sqrt(dim / heads)), k, v, heads), layout);
        const out = tf.add(tf.matMul(tf.reshape(y, [-1, dim]), outWeight), outBias);
        return tf.reshape(out, [...x.shape.slice(0, 2), 3]);
      },
      () => [
        numbers(layout === "NLD" ? [batch, tokens, dim] : [tokens, batch, dim], 1),
        numbers([dim, 3 * dim], 2),
        numbers([3 * dim], 3),
        numbers([dim], 4),
        numbers([dim], 5),
        numbers([dim, 3], 6),
        numbers([3], 7),
      ],
      5e-5,
    );
  },
);

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
  const x = tf.zeros([1, 4, 6]);
  expect(() => multiHeadAttention(x, x, x, 4)).toThrow(
    expect.objectContaining({ code: "bad-heads" }),
  );
  expect(() => multiHeadAttention(x, tf.zeros([4, 1, 6]), x, 2)).toThrow(
    "multiHeadAttention: k should have shape [1, *, 6], got [4, 1, 6].",
  );
  expect(() => selfAttention(x, { weight }, 2, { output: { weight: tf.zeros([5, 6]) } })).toThrow(
    "selfAttention: output.weight should have shape [6, *], got [5, 6].",
  );
  expect(() => attention(tf.zeros([2, 3]), tf.zeros([4, 2]), tf.zeros([4, 3]))).toThrow(
    "attention: k should have shape [*, 3], got [4, 2].",
  );
  expect(() => attention(tf.zeros([2, 3]), tf.zeros([4, 3]), tf.zeros([5, 3]))).toThrow(
    "attention: v should have shape [4, *], got [5, 3].",
  );
});
