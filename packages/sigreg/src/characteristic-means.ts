/** Means over samples of cos(t x) and sin(t x) at T knots, composed of the contract's own functions, with their gradient.
 *
 *  Cosines and sines at the knots are sums of products of an entry of a fine and one of a coarse list of arrays, so with
 *  constant matrices A and B and X = fine · coarseᵀ summed over samples
 *    means   = X·A / N                               [R, 2T]
 *    dy/dx_n = fine_n · (dy/dmeans · B) · coarse_n / N   a bilinear form in the same two lists. */
import type { GradientRule, TensorAdapter } from "@lejepa/tensor";

/** Knots, and how their cosines and sines come from products of two lists of arrays. */
export interface KnotLists {
  /** t_j above 0. */
  readonly knots: readonly number[];
  /** How many arrays the fine list holds. */
  readonly fineRows: number;
  /** How many arrays the coarse list holds. */
  readonly coarseRows: number;
  /** The lists for samples [R, N]: fine [R, fineRows, N] and coarse [R, coarseRows, N]. */
  lists<T>(k: TensorAdapter<T>, rows: T): { fine: T; coarse: T };
  /** Coefficients of cos(t_j x) and sin(t_j x) on the products, [fineRows * coarseRows]. */
  coefficients(j: number): { cos: Float64Array; sin: Float64Array };
}

/** A cosine and a sine for each knot: for knots that have nothing to do with one another. */
export function separateKnots(knots: readonly number[]): KnotLists {
  const count = knots.length;
  const unit = (row: number) => {
    const coefficients = new Float64Array(2 * count + 1);
    coefficients[row] = 1;
    return coefficients;
  };
  return {
    knots,
    fineRows: 2 * count + 1,
    coarseRows: 1,
    lists(k, rows) {
      const [height = 0, samples = 0] = k.shape(rows);
      const angles = k.mul(k.reshape(rows, [height, 1, samples]), k.fromArray(knots, [count, 1]));
      const ones = k.fill([height, 1, samples], 1);
      return { fine: k.concat([ones, k.cos(angles), k.sin(angles)], 1), coarse: ones };
    },
    coefficients: (j) => ({ cos: unit(1 + j), sin: unit(1 + count + j) }),
  };
}

/** [R, N] -> [R, 2T]: for each knot in turn the mean over n of the cosine and that of the sine. */
export function characteristicMeans<T>(k: TensorAdapter<T>, rows: T, knotLists: KnotLists): T {
  const [count = 0, samples = 0] = k.shape(rows);
  const { knots, fineRows, coarseRows } = knotLists;
  const products = fineRows * coarseRows;
  const parts = 2 * knots.length;
  const { toMeans, toGradient } = constants(knotLists, samples);

  const rule: GradientRule<T> = {
    forward([x]) {
      const { fine, coarse } = knotLists.lists(k, x as T);
      const sums = k.reshape(k.matMul(fine, coarse, { transposeB: true }), [count, products]);
      const means = k.matMul(sums, k.fromArray(toMeans, [products, parts]));
      return { value: means, saved: [fine, coarse] };
    },
    backward(cotangent, [fine, coarse]) {
      const form = k.reshape(k.matMul(cotangent, k.fromArray(toGradient, [parts, products])), [
        count,
        fineRows,
        coarseRows,
      ]);
      return [k.sum(k.mul(k.matMul(form, coarse as T), fine as T), [1])];
    },
  };
  return k.capabilities.includes("customGradient")
    ? k.customGradient(rule, [rows])
    : rule.forward([rows]).value;
}

/** The constant matrices A / N and B / N. Columns of A and rows of B alternate cosine and sine of each knot. */
function constants(lists: KnotLists, samples: number) {
  const { knots, fineRows, coarseRows } = lists;
  const products = fineRows * coarseRows;
  const parts = 2 * knots.length;
  const toMeans = new Float64Array(products * parts);
  const toGradient = new Float64Array(parts * products);
  knots.forEach((t, j) => {
    const { cos, sin } = lists.coefficients(j);
    const slope = t / samples; // the derivative of cos(t x) is -t sin(t x)
    for (let p = 0; p < products; p++) {
      toMeans[p * parts + 2 * j] = (cos[p] ?? 0) / samples;
      toMeans[p * parts + 2 * j + 1] = (sin[p] ?? 0) / samples;
      toGradient[2 * j * products + p] = -slope * (sin[p] ?? 0);
      toGradient[(2 * j + 1) * products + p] = slope * (cos[p] ?? 0);
    }
  });
  return { toMeans, toGradient };
}
