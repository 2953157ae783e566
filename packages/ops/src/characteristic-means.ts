import * as tf from "@tensorflow/tfjs-core";
import { compositeKernel } from "./composite-kernel.js";
import { LejepaError } from "./lejepa-error.js";
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
  const samples = lastAxis("characteristicMeans", "x", x.shape);
  if (harmonics.length === 0 || !harmonics.every((h) => Number.isInteger(h) && h > 0)) {
    throw new LejepaError(
      "bad-harmonics",
      `characteristicMeans: harmonics should be positive whole numbers, at least one, got ${harmonics.join(", ") || "none"}.`,
    );
  }
  const leading = x.shape.slice(0, -1);
  return tf.tidy(() => {
    const rows = tf.reshape<tf.Rank.R2>(x, [sizeOf(leading), samples]);
    const [means] = meansOfRows({ x: rows }, { step, harmonics: [...harmonics] });
    return tf.reshape(means!, [...leading, 2 * harmonics.length]);
  });
}

interface Knots {
  readonly step: number;
  readonly harmonics: number[];
}

const meansOfRows = compositeKernel({
  kernelName: "LejepaCharacteristicMeans",
  outputs: ["means"],
  forward: ({ x }: { readonly x: tf.Tensor2D }, knots: Knots) => {
    const samples = x.shape[1];
    const plan = planFor(knots.harmonics);
    const { toMeans } = coefficients(knots, plan, samples);
    const blocks = inBlocks([x], samples).map(([rows]) => {
      const { fine, coarse } = lists(rows!, knots.step, plan);
      const products = tf.matMul(fine, coarse, false, true); // [R, 2 F + 1, 2 C + 1]
      return tf.matMul(tf.reshape<tf.Rank.R2>(products, [rows!.shape[0], -1]), toMeans);
    });
    return { means: tf.concat(blocks, 0) };
  },
  gradient: {
    saves: ["x"],
    rule: ({ means: dy }, { x }, knots) => ({
      x: () => gradientOfRows({ x: x as tf.Tensor2D, dy: dy as tf.Tensor2D }, knots)[0]!,
    }),
  },
});

/** Computes the lists again, instead of keeping them; an engine that has both kernels in one graph computes them once. */
const gradientOfRows = compositeKernel({
  kernelName: "LejepaCharacteristicMeansGrad",
  outputs: ["dx"],
  forward: ({ x, dy }: { readonly x: tf.Tensor2D; readonly dy: tf.Tensor2D }, knots: Knots) => {
    const samples = x.shape[1];
    const plan = planFor(knots.harmonics);
    const { toForm } = coefficients(knots, plan, samples);
    const blocks = inBlocks([x, dy], samples).map(([rows, dyRows]) => {
      const { fine, coarse } = lists(rows!, knots.step, plan);
      const form = tf.reshape(tf.matMul(dyRows!, toForm), [
        ...[rows!.shape[0], 2 * plan.fine + 1, 2 * plan.coarse + 1],
      ]);
      return tf.sum<tf.Tensor2D>(tf.mul(tf.matMul(form, coarse), fine), 1);
    });
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

/** How many fine (F) and coarse (C) multiples of the angle are kept. */
interface Plan {
  readonly fine: number;
  readonly coarse: number;
}

/** The plan with the fewest multiples; among equals the shorter fine list, which the gradient multiplies by. */
function planFor(harmonics: readonly number[]): Plan {
  const highest = Math.max(...harmonics);
  const plans = Array.from({ length: highest }, (_, i): Plan => {
    const fine = i + 1;
    return { fine, coarse: Math.max(0, Math.ceil((highest - fine) / (2 * fine + 1))) };
  });
  return plans.reduce((best, plan) =>
    plan.fine + plan.coarse < best.fine + best.coarse ? plan : best,
  );
}

/** cos and sin of a multiple of the angles. */
interface Rotation {
  readonly cos: tf.Tensor3D;
  readonly sin: tf.Tensor3D;
}

/** The two lists of rows [R, N]: fine [R, 2 F + 1, N] and coarse [R, 2 C + 1, N]. */
function lists(rows: tf.Tensor2D, step: number, plan: Plan) {
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

/** The constant matrices between the products of the lists and the means, and between the gradient of the means and
 *  the bilinear form: `toMeans` [(2 F + 1) (2 C + 1), 2 T] and `toForm` [2 T, (2 F + 1) (2 C + 1)]. */
function coefficients({ step, harmonics }: Knots, plan: Plan, samples: number) {
  const stride = 2 * plan.fine + 1;
  const columns = 2 * plan.coarse + 1;
  const [products, parts] = [stride * columns, 2 * harmonics.length];
  const toMeans = new Float32Array(products * parts);
  const toForm = new Float32Array(parts * products);
  // Places in a list: the cosine of 0 is the one in front.
  const cosAt = (multiple: number) => (multiple === 0 ? 0 : 2 * multiple - 1);
  const sinAt = (multiple: number) => 2 * multiple;
  harmonics.forEach((harmonic, j) => {
    const c = Math.floor((harmonic + plan.fine) / stride);
    const f = Math.abs(harmonic - c * stride);
    const sign = Math.sign(harmonic - c * stride);
    const set = (fineAt: number, coarseAt: number, part: "cos" | "sin", value: number) => {
      const product = fineAt * columns + coarseAt;
      const [own, other] = part === "cos" ? [2 * j, 2 * j + 1] : [2 * j + 1, 2 * j];
      toMeans[product * parts + own] = value / samples;
      // d cos(t x) / dx = -t sin(t x) and d sin(t x) / dx = t cos(t x).
      const slope = (harmonic * step) / samples;
      toForm[other * products + product] = (part === "cos" ? slope : -slope) * value;
    };
    set(cosAt(f), cosAt(c), "cos", 1);
    if (c > 0) set(cosAt(f), sinAt(c), "sin", 1);
    if (f > 0) set(sinAt(f), cosAt(c), "sin", sign);
    if (f > 0 && c > 0) set(sinAt(f), sinAt(c), "cos", -sign);
  });
  return {
    toMeans: tf.tensor2d(toMeans, [products, parts]),
    toForm: tf.tensor2d(toForm, [parts, products]),
  };
}
