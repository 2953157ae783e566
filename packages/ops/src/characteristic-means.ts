import { requireTensors } from "./tensor-argument.js";
import * as tf from "@tensorflow/tfjs-core";
import { compositeKernel } from "./composite-kernel.js";
import {
  harmonicProducts,
  type HarmonicProducts,
  type Knots,
  requireKnots,
} from "./harmonic-products.js";
import { lastAxis, sizeOf } from "./shape.js";

/** Samples of a block of rows: what is computed of a block stays in a processor's own cache. Measured at 8 x 1024 rows
 *  of 64 samples, SIGReg with its gradient on one thread: 41 ms in one block, 33 in 8, 32 in 16, 31 in 32. */
const blockSize = 32_768;

/** Means over samples of cos(t x) and sin(t x) at the knots t = harmonic * step, the two parts of the empirical
 *  characteristic function:
 *    y[.., 2 j] = mean over n of cos(t_j x[.., n]),   y[.., 2 j + 1] = mean over n of sin(t_j x[.., n])
 *  Shapes: x [.., N] -> [.., 2 T], `harmonics` T positive whole numbers.
 *  With L = 2 F + 1 every h up to C L + F is c L + s f with c in 0..C, f in 0..F and a sign s, so that cos(h a) and
 *  sin(h a) are sums of two products of the lists
 *    fine 1, cos a, sin a, .., cos F a, sin F a   and   coarse 1, cos L a, sin L a, .., sin C L a:
 *  one cosine and one sine for all knots, their means a product of two matrices [2 F + 1, N] [N, 2 C + 1] for each row,
 *  and the gradient a bilinear form in the same lists. Rows are taken a block at a time.
 *  Throws LejepaError "bad-shape" without samples, "bad-harmonics". */
export function characteristicMeans(
  x: tf.Tensor,
  step: number,
  harmonics: readonly number[],
): tf.Tensor {
  requireTensors("characteristicMeans", { x });
  const samples = lastAxis("characteristicMeans", "x", x.shape);
  requireKnots("characteristicMeans", { step, harmonics });
  const leading = x.shape.slice(0, -1);
  return tf.tidy(() => {
    const rows = tf.reshape<tf.Rank.R2>(x, [sizeOf(leading), samples]);
    const [means] = meansOfRows({ x: rows }, { step, harmonics: [...harmonics] });
    return tf.reshape(means!, [...leading, 2 * harmonics.length]);
  });
}

/** Kernel of {@link characteristicMeans}: rows x [R, N] to their means [R, 2 T]. */
export const CharacteristicMeans = "LejepaCharacteristicMeans";
/** Operands of {@link CharacteristicMeans}. */
export interface CharacteristicMeansInputs {
  /** [R, N] */
  readonly x: tf.Tensor;
}

/** Kernel of its gradient: dx [R, N] from the rows and the gradient of their means. */
export const CharacteristicMeansGrad = "LejepaCharacteristicMeansGrad";
/** Operands of {@link CharacteristicMeansGrad}. */
export interface CharacteristicMeansGradInputs {
  /** [R, N] */
  readonly x: tf.Tensor;
  /** [R, 2 T] */
  readonly dy: tf.Tensor;
}

/** Attributes of both kernels. */
export type CharacteristicMeansAttrs = Knots;

const meansOfRows = compositeKernel({
  kernelName: CharacteristicMeans,
  outputs: ["means"],
  forward: ({ x }: CharacteristicMeansInputs, knots: Knots) => {
    const samples = x.shape[1]!;
    const products = harmonicProducts(knots, samples);
    const toMeans = tf.tensor2d(products.toMeans, [products.count, 2 * knots.harmonics.length]);
    const blocks = inBlocks([x as tf.Tensor2D], samples).map(([rows]) => {
      const { fine, coarse } = lists(rows!, knots.step, products);
      const sums = tf.matMul(fine, coarse, false, true); // [R, 2 F + 1, 2 C + 1]
      return tf.matMul(tf.reshape<tf.Rank.R2>(sums, [rows!.shape[0], -1]), toMeans);
    });
    return { means: tf.concat(blocks, 0) };
  },
  gradient: {
    saves: ["x"],
    rule: ({ means: dy }, { x }, knots) => ({
      x: () => gradientOfRows({ x, dy }, knots)[0]!,
    }),
  },
});

/** Computes the lists again, instead of keeping them; an engine that has both kernels in one graph computes them once. */
const gradientOfRows = compositeKernel({
  kernelName: CharacteristicMeansGrad,
  outputs: ["dx"],
  forward: ({ x, dy }: CharacteristicMeansGradInputs, knots: Knots) => {
    const samples = x.shape[1]!;
    const products = harmonicProducts(knots, samples);
    const toForm = tf.tensor2d(products.toForm, [2 * knots.harmonics.length, products.count]);
    const blocks = inBlocks([x as tf.Tensor2D, dy as tf.Tensor2D], samples).map(
      ([rows, dyRows]) => {
        const { fine, coarse } = lists(rows!, knots.step, products);
        const form = tf.reshape(tf.matMul(dyRows!, toForm), [
          ...[rows!.shape[0], 2 * products.fine + 1, 2 * products.coarse + 1],
        ]);
        return tf.sum<tf.Tensor2D>(tf.mul(tf.matMul(form, coarse), fine), 1);
      },
    );
    return { dx: tf.concat(blocks, 0) };
  },
});

/** The tensors cut into the same blocks of rows, for `samples` samples in a row. */
function inBlocks(tensors: readonly tf.Tensor2D[], samples: number): tf.Tensor2D[][] {
  const rows = tensors[0]!.shape[0];
  const atATime = Math.max(1, Math.floor(blockSize / Math.max(1, samples)));
  const count = Math.ceil(rows / atATime);
  if (count <= 1) {
    return [[...tensors]];
  }
  const sizes = Array.from({ length: count }, (_, i) => Math.min(atATime, rows - i * atATime));
  const parts = tensors.map((tensor) => tf.split<tf.Tensor2D>(tensor, sizes, 0));
  return sizes.map((_, i) => parts.map((part) => part[i]!));
}

/** cos and sin of a multiple of the angles. */
interface Rotation {
  readonly cos: tf.Tensor3D;
  readonly sin: tf.Tensor3D;
}

/** The two lists of rows [R, N]: fine [R, 2 F + 1, N] and coarse [R, 2 C + 1, N]. */
function lists(rows: tf.Tensor2D, step: number, plan: HarmonicProducts) {
  const [count, samples] = rows.shape;
  const angle = tf.reshape<tf.Rank.R3>(tf.mul(rows, step), [count, 1, samples]);
  const ones = tf.ones<tf.Rank.R3>(angle.shape);
  const stacked = (rotations: readonly Rotation[]) =>
    tf.concat([ones, ...rotations.flatMap(({ cos, sin }) => [cos, sin])], 1);
  const once = rotationBy(angle);
  const fine = multiples(once, plan.fine);
  if (plan.coarse === 0) {
    return { fine: stacked(fine), coarse: ones };
  }
  const stride = sumOfAngles(twice(fine[plan.fine - 1]!), once);
  return { fine: stacked(fine), coarse: stacked(multiples(stride, plan.coarse)) };
}

/** tfjs-backend-wasm moves angles to [0, 2 pi) in float32 first: just below 0 the error is 2.4e-7 however small the sine
 *  is, and the highest multiple makes it that many times larger. Angles above 0 stay where they are. */
function rotationBy(angle: tf.Tensor3D): Rotation {
  if (tf.getBackend() !== "wasm") {
    return { cos: tf.cos(angle), sin: tf.sin(angle) };
  }
  const size = tf.abs(angle);
  return { cos: tf.cos(size), sin: tf.mul(tf.sign(angle), tf.sin(size)) };
}

/** Rotations by 1, 2, .. `count` times the angle. Doubling and adding angles are rotations themselves, so the rounding
 *  error grows like the multiple, as that of the multiplied angle does; the recurrence in three terms is cheaper by a
 *  third and loses the multiple's square near 0. */
function multiples(once: Rotation, count: number): Rotation[] {
  const list = [once];
  for (let i = 2; i <= count; i++) {
    const half = list[i / 2 - 1];
    list.push(half === undefined ? sumOfAngles(list[i - 2]!, once) : twice(half));
  }
  return list;
}

const sumOfAngles = (a: Rotation, b: Rotation): Rotation => ({
  cos: tf.sub(tf.mul(a.cos, b.cos), tf.mul(a.sin, b.sin)),
  sin: tf.add(tf.mul(a.sin, b.cos), tf.mul(a.cos, b.sin)),
});

/** cos 2a = 1 - 2 sin^2 a and sin 2a = 2 sin a cos a: four passes where the sum of two angles takes six. */
function twice({ cos, sin }: Rotation): Rotation {
  const doubled = tf.add<tf.Tensor3D>(sin, sin);
  return { cos: tf.sub(1, tf.mul(doubled, sin)), sin: tf.mul(doubled, cos) };
}
