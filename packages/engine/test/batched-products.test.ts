/** Products of batches of matrices whose batch axes broadcast, held to their sums in float64. With TensorFlow 2.21 some
 *  of them end the process, as oneDNN reads and writes beyond its memory. */
import * as tf from "@tensorflow/tfjs-core";
import { expect, test } from "vitest";
import { compiledEngines } from "./compiled-engines.js";

const engineOf = compiledEngines();

type Batches = readonly [a: readonly number[], b: readonly number[]];
const batches: readonly Batches[] = [
  [[13, 1], []],
  [[], [13, 1]],
  [[13, 1], [1]],
  [
    [4, 1],
    [4, 5],
  ],
  [
    [1, 5],
    [4, 1],
  ],
  [[2, 1, 3], [3]],
  [
    [1, 1, 1],
    [2, 3, 2],
  ],
  [[6], [6]],
];
const [rows, inner, columns] = [3, 4, 16];

const cases = batches.flatMap(([a, b]) =>
  [false, true].flatMap((transposeA) =>
    [false, true].map((transposeB) => ({
      a: [...a, ...(transposeA ? [inner, rows] : [rows, inner])],
      b: [...b, ...(transposeB ? [columns, inner] : [inner, columns])],
      transposeA,
      transposeB,
    })),
  ),
);

/** Of matrices [rows, inner] and [inner, columns], or transposed: the value, and the gradients of sum(y cos(i)). */
function expected(
  { a, b, transposeA, transposeB }: (typeof cases)[number],
  x: Float32Array,
  y: Float32Array,
) {
  const rank = Math.max(a.length, b.length) - 2;
  const whole = (shape: readonly number[]): number[] => [
    ...Array.from({ length: rank - (shape.length - 2) }, () => 1),
    ...shape.slice(0, -2),
  ];
  const [batchA, batchB] = [whole(a), whole(b)];
  const batch = batchA.map((length, i) => Math.max(length, batchB[i]!));
  const matrices = batch.reduce((p, q) => p * q, 1);
  const value = new Float64Array(matrices * rows * columns);
  const da = new Float64Array(x.length);
  const db = new Float64Array(y.length);
  for (let matrix = 0; matrix < matrices; matrix++) {
    let [rest, atA, atB, strideA, strideB] = [matrix, 0, 0, rows * inner, inner * columns];
    for (let axis = rank - 1; axis >= 0; axis--) {
      const place = rest % batch[axis]!;
      rest = Math.floor(rest / batch[axis]!);
      if (batchA[axis]! > 1) atA += place * strideA;
      if (batchB[axis]! > 1) atB += place * strideB;
      strideA *= batchA[axis]!;
      strideB *= batchB[axis]!;
    }
    for (let i = 0; i < rows; i++)
      for (let j = 0; j < columns; j++)
        for (let k = 0; k < inner; k++) {
          const at = (matrix * rows + i) * columns + j;
          const p = atA + (transposeA ? k * rows + i : i * inner + k);
          const q = atB + (transposeB ? j * inner + k : k * columns + j);
          value[at]! += x[p]! * y[q]!;
          da[p]! += Math.cos(at) * y[q]!;
          db[q]! += Math.cos(at) * x[p]!;
        }
  }
  return { value, da, db };
}

test.for(["onnx", "tensorflow"] as const)(
  "on %s batches of matrices broadcast, and so do their gradients",
  async (name, context) => {
    const engine = engineOf(name, context);
    const numbers = (shape: readonly number[], seed: number) =>
      Float32Array.from({ length: shape.reduce((p, q) => p * q, 1) }, (_, i) =>
        Math.sin(1.3 * i + seed),
      );
    for (const c of cases) {
      const compiled = await engine.compile(
        (_, { a, b }) => {
          const { value, grads } = tf.valueAndGrads((a: tf.Tensor, b: tf.Tensor) => {
            const y = tf.matMul(a, b, c.transposeA, c.transposeB);
            return tf.sum(tf.mul(y, tf.reshape(tf.cos(tf.range(0, y.size)), y.shape)));
          })([a!, b!]);
          const y = tf.matMul(a!, b!, c.transposeA, c.transposeB);
          return { state: {}, outputs: { y, loss: value, da: grads[0]!, db: grads[1]! } };
        },
        { state: {}, inputs: { a: { shape: c.a }, b: { shape: c.b } } },
      );
      for (let run = 0; run < 3; run++) {
        const [a, b] = [numbers(c.a, run), numbers(c.b, run + 5)];
        const got = await compiled.run({ a, b });
        const { value, da, db } = expected(c, a, b);
        for (const [key, want] of Object.entries({ y: value, da, db }))
          expect(
            want.every((v, i) => Math.abs(v - got[key]!.data[i]!) <= 1e-4),
            `${key} of ${JSON.stringify(c)}`,
          ).toBe(true);
      }
      await compiled.dispose();
    }
  },
);
