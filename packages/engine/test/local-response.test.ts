/** Local response normalisation and its gradient, held to their formulas in float64. */
import * as tf from "@tensorflow/tfjs-core";
import { expect, test } from "vitest";
import { compiledEngines, compiledNames } from "./compiled-engines.js";

const engineOf = compiledEngines();

interface Response {
  readonly shape: readonly [number, number, number, number];
  readonly radius: number;
  readonly bias: number;
  readonly alpha: number;
  readonly beta: number;
}

/** Rows of few pixels and one channel, and radii from none to more than there are channels. */
const cases: readonly Response[] = (
  [
    [4, 1, 8, 9],
    [8, 1, 4, 9],
    [1, 1, 1, 1],
    [3, 2, 1, 5],
    [1, 5, 3, 16],
    [2, 3, 3, 33],
  ] as const
).flatMap((shape) =>
  [0, 1, 3, 5, 40].map((radius) => ({ shape, radius, bias: 0.5, alpha: 0.7, beta: 0.6 })),
);

/** n = bias + alpha sum x^2, y = x n^-beta, dx = dy n^-beta - 2 alpha beta x sum (dy x n^(-beta - 1)). */
function expected({ shape, radius, bias, alpha, beta }: Response, x: Float32Array, dy: number[]) {
  const channels = shape[3];
  const overNeighbours = (i: number, of: (k: number) => number): number => {
    const first = i - (i % channels);
    let sum = 0;
    for (let k = Math.max(first, i - radius); k <= Math.min(first + channels - 1, i + radius); k++)
      sum += of(k);
    return sum;
  };
  const n = Array.from(x, (_, i) => bias + alpha * overNeighbours(i, (k) => x[k]! ** 2));
  return {
    y: Array.from(x, (value, i) => value * n[i]! ** -beta),
    dx: Array.from(
      x,
      (value, i) =>
        dy[i]! * n[i]! ** -beta -
        2 * alpha * beta * value * overNeighbours(i, (k) => dy[k]! * x[k]! * n[k]! ** (-beta - 1)),
    ),
  };
}

const closeTo = (values: ArrayLike<number>, wanted: number[]): boolean =>
  wanted.every((value, i) => Math.abs(value - values[i]!) <= 1e-5 * Math.max(1, Math.abs(value)));

test.for(compiledNames)(
  "on %s it is its formula, and so is its gradient",
  async (name, context) => {
    const engine = engineOf(name, context);
    for (const c of cases) {
      const size = c.shape.reduce((a, b) => a * b);
      const { radius: depthRadius, bias, alpha, beta } = c;
      const dy = Array.from({ length: size }, (_, i) => Math.cos(i));
      const compiled = await engine.compile(
        (_, { x }) => {
          const y = tf.localResponseNormalization(x as tf.Tensor4D, depthRadius, bias, alpha, beta);
          const operands = { x: x!, y, dy: tf.tensor(dy, [...c.shape]) };
          const dx = tf
            .engine()
            .runKernel<tf.Tensor>("LRNGrad", operands, { depthRadius, bias, alpha, beta });
          return { state: {}, outputs: { y, dx } };
        },
        { state: {}, inputs: { x: { shape: [...c.shape] } } },
      );
      for (let run = 0; run < 3; run++) {
        const x = Float32Array.from({ length: size }, (_, i) => 2 * Math.sin(i + run));
        const got = await compiled.run({ x });
        const wanted = expected(c, x, dy);
        expect(closeTo(got.y!.data, wanted.y), `y of ${JSON.stringify(c)}`).toBe(true);
        expect(closeTo(got.dx!.data, wanted.dx), `dx of ${JSON.stringify(c)}`).toBe(true);
      }
      await compiled.dispose();
    }
  },
);

test.for(compiledNames)(
  "on %s a large channel changes its neighbours only",
  async (name, context) => {
    const compiled = await engineOf(name, context).compile(
      (_, { x }) => ({
        state: {},
        outputs: { y: tf.localResponseNormalization(x as tf.Tensor4D, 1, 1, 1, 0.5) },
      }),
      { state: {}, inputs: { x: { shape: [1, 1, 1, 6] } } },
    );
    // x / sqrt(1 + sum of the squares of three)
    const wanted = [2 / Math.sqrt(15), 3 / Math.sqrt(30), 4 / Math.sqrt(42), 4 / Math.sqrt(33)];
    for (const large of [3e4, Infinity]) {
      const { y } = await compiled.run({ x: Float32Array.of(large, 1, 2, 3, 4, 4) });
      expect(closeTo(y!.data.subarray(2), wanted)).toBe(true);
    }
    await compiled.dispose();
  },
);
