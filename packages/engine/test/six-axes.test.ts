/** Operations over six axes, the most that tfjs-core has; TensorFlow's own stop at five. */
import * as tf from "@tensorflow/tfjs-core";
import { expect, test } from "vitest";
import { compiledEngines } from "./compiled-engines.js";

const engineOf = compiledEngines();

const odd = [1, 2, 1, 3, 1, 2];
const even = [3, 1, 2, 1, 2, 1];
const whole = [3, 2, 2, 3, 2, 2];

/** Element `i` of a value that is broadcast to `whole`. */
function at(values: Float32Array, shape: readonly number[], i: number): number {
  let [place, stride, rest] = [0, 1, i];
  for (let axis = whole.length - 1; axis >= 0; axis--) {
    if (shape[axis]! > 1) place += (rest % whole[axis]!) * stride;
    rest = Math.floor(rest / whole[axis]!);
    stride *= shape[axis]!;
  }
  return values[place]!;
}

type Pair = (a: number, b: number) => number;
const pairs: Readonly<Record<string, readonly [(a: tf.Tensor, b: tf.Tensor) => tf.Tensor, Pair]>> =
  {
    add: [tf.add, (a, b) => a + b],
    sub: [tf.sub, (a, b) => a - b],
    mul: [tf.mul, (a, b) => a * b],
    div: [tf.div, (a, b) => a / b],
    pow: [tf.pow, (a, b) => a ** b],
    mod: [tf.mod, (a, b) => a - b * Math.floor(a / b)],
    maximum: [tf.maximum, Math.max],
    minimum: [tf.minimum, Math.min],
    less: [tf.less, (a, b) => Number(a < b)],
    equal: [tf.equal, (a, b) => Number(a === b)],
    where: [(a, b) => tf.where(tf.greater(a, 1), b, a), (a, b) => (a > 1 ? b : a)],
    logicalXor: [
      (a, b) => tf.logicalXor(tf.greater(a, 1), tf.greater(b, 1)),
      (a, b) => Number(a > 1 !== b > 1),
    ],
    broadcastTo: [(a) => tf.broadcastTo(a, whole), (a) => a],
  };

test.for(["onnx", "tensorflow"] as const)(
  "on %s two operands broadcast along alternating axes",
  async (name, context) => {
    const compiled = await engineOf(name, context).compile(
      (_, { a, b }) => ({
        state: {},
        outputs: {
          ...Object.fromEntries(Object.entries(pairs).map(([key, [run]]) => [key, run(a!, b!)])),
          gradient: tf.grad((x) => tf.sum(tf.square(tf.mul(x, b!))))(a!),
        },
      }),
      { state: {}, inputs: { a: { shape: odd }, b: { shape: even } } },
    );
    const a = Float32Array.from({ length: 12 }, (_, i) => 1 + Math.sin(i) / 2);
    const b = Float32Array.from({ length: 12 }, (_, i) => 1 + Math.cos(i) / 2);
    const got = await compiled.run({ a, b });
    await compiled.dispose();
    for (const [key, [, value]] of Object.entries(pairs))
      got[key]!.data.forEach((v, i) =>
        expect(v, `${key} at ${i}`).toBeCloseTo(value(at(a, odd, i), at(b, even, i)), 5),
      );
    const squares = b.reduce((sum, v) => sum + v * v, 0);
    got.gradient!.data.forEach((v, i) => expect(v).toBeCloseTo(2 * a[i]! * squares, 3));
  },
);

test.for(["onnx", "tensorflow"] as const)(
  "on %s a softmax is taken along any of six axes",
  async (name, context) => {
    const shape = [2, 1, 3, 2, 1, 4];
    const compiled = await engineOf(name, context).compile(
      (_, { x }) => ({
        state: {},
        outputs: {
          last: tf.softmax(x!),
          // tf.softmax itself takes the last axis only.
          third: tf.transpose(tf.softmax(tf.transpose(x!, [0, 1, 5, 3, 4, 2])), [0, 1, 5, 3, 4, 2]),
        },
      }),
      { state: {}, inputs: { x: { shape } } },
    );
    const x = Float32Array.from({ length: 48 }, (_, i) => 3 * Math.sin(i));
    const { last, third } = await compiled.run({ x });
    await compiled.dispose();
    const exponentials = x.map(Math.exp);
    const share = (i: number, members: number[]): number =>
      exponentials[i]! / members.reduce((sum, k) => sum + exponentials[k]!, 0);
    for (let i = 0; i < 48; i++) {
      const [row, image] = [i - (i % 4), i - (i % 24)];
      expect(last!.data[i]).toBeCloseTo(
        share(
          i,
          [0, 1, 2, 3].map((k) => row + k),
        ),
        5,
      );
      expect(third!.data[i]).toBeCloseTo(
        share(
          i,
          [0, 8, 16].map((k) => image + (i % 8) + k),
        ),
        5,
      );
    }
  },
);
