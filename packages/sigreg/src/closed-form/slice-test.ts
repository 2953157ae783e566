/** The Epps-Pulley test of eight slices at once, value and derivative, in closed form.
 *
 *  With C_h and S_h the means over samples of cos(h a) and sin(h a), a = step x, and knots t_h = h step:
 *    EP      = N sum_h w_h ((C_h - exp(-t_h²/2))² + S_h²)
 *    dEP/dx  = 2 sum_h w_h t_h (S_h cos(h a) - (C_h - exp(-t_h²/2)) sin(h a)),   a series in one cosine and one sine.
 *  Shapes: panels [N, 8]. */
import type { Quadrature } from "../quadrature.js";
import { chunkRows, panelWidth, type Kernels } from "./kernels.js";

/** A test of N(0, 1) on panels of eight slices. */
export interface SliceTest {
  /** Numbers of the heap that it needs for itself at `scratch`, with this many rows. */
  scratchNumbers(rows: number): number;
  /** Float64 sums that it needs. */
  readonly sumsNeeded: number;
  /** Before the first panel of a call. */
  prepare(kernels: Kernels, scratch: number): void;
  /** The statistics of the panel at p; may replace the panel by what `differentiate` needs. */
  measure(
    kernels: Kernels,
    p: number,
    scratch: number,
    rows: number,
    statistics: Float64Array,
  ): void;
  /** After `measure` of the same panel: replaces it by the gradient of sum_j weights[j] statistics[j]. */
  differentiate(
    kernels: Kernels,
    p: number,
    scratch: number,
    rows: number,
    weights: Float64Array,
  ): void;
}

/** Rows of a list of rotations: cosine and sine of eight columns. */
const rotationWidth = 2 * panelWidth;

/** The test by a quadrature rule. */
export function quadratureTest(quadrature: Quadrature): SliceTest {
  const { spacing, targets, weights, knots } = quadrature;
  return spacing === undefined
    ? separateKnotsTest(knots, targets, weights)
    : harmonicTest(spacing, targets, weights);
}

/** Knots at multiples of one step: all of them from one cosine and one sine. */
function harmonicTest(
  { step, harmonics }: NonNullable<Quadrature["spacing"]>,
  targets: readonly number[],
  weights: readonly number[],
): SliceTest {
  const padded = 4 * Math.ceil(Math.max(...harmonics) / 4);
  // By harmonic - 1; those that are no knot have weight 0.
  const [targetOf, weightOf] = [new Float64Array(padded), new Float64Array(padded)];
  harmonics.forEach((harmonic, j) => {
    targetOf[harmonic - 1] = targets[j]!;
    weightOf[harmonic - 1] = weights[j]!;
  });
  const series = 0;
  const unit = series + padded * rotationWidth;
  const state = unit + chunkRows * rotationWidth;
  const sin = state + chunkRows * rotationWidth;

  return {
    scratchNumbers: (rows) => sin + rows * panelWidth,
    sumsNeeded: padded * rotationWidth,
    prepare(kernels, scratch) {
      kernels.setStep(step);
      const { heap } = kernels;
      for (let row = scratch + unit; row < scratch + state; row += rotationWidth) {
        heap.fill(1, row, row + panelWidth);
        heap.fill(0, row + panelWidth, row + rotationWidth);
      }
    },
    measure(kernels, p, scratch, rows, statistics) {
      const { heap, sums } = kernels;
      kernels.toCosSin(p, scratch + sin, rows);
      sums.fill(0, 0, padded * rotationWidth);
      for (let row = 0; row < rows; row += chunkRows) {
        const chunk = Math.min(chunkRows, rows - row);
        const from = row * panelWidth;
        for (let h = 0; h < padded; h += 4)
          kernels.addHarmonics(
            p + from,
            scratch + sin + from,
            scratch + (h === 0 ? unit : state),
            scratch + state,
            h * rotationWidth,
            chunk,
          );
      }
      statistics.fill(0);
      for (let h = 0; h < padded; h++) {
        const at = h * rotationWidth;
        // Horner's rule begins with the highest harmonic.
        const coefficients = scratch + series + (padded - 1 - h) * rotationWidth;
        const weight = weightOf[h]!;
        const target = targetOf[h]!;
        const slope = 2 * weight * (h + 1) * step;
        for (let j = 0; j < panelWidth; j++) {
          const real = sums[at + j]! / rows - target;
          const imaginary = sums[at + panelWidth + j]! / rows;
          statistics[j] = statistics[j]! + rows * weight * (real * real + imaginary * imaginary);
          heap[coefficients + j] = slope * imaginary;
          heap[coefficients + panelWidth + j] = slope * real;
        }
      }
    },
    differentiate(kernels, p, scratch, rows, outer) {
      const { heap } = kernels;
      for (let row = scratch + series; row < scratch + unit; row += panelWidth)
        for (let j = 0; j < panelWidth; j++) heap[row + j] = heap[row + j]! * outer[j]!;
      kernels.trigonometricSeries(p, scratch + sin, scratch + series, rows, padded);
    },
  };
}

/** Knots anywhere: a cosine and a sine for each. */
function separateKnotsTest(
  knots: readonly number[],
  targets: readonly number[],
  weights: readonly number[],
): SliceTest {
  return {
    scratchNumbers: (rows) => rows * panelWidth,
    sumsNeeded: 0,
    prepare: () => undefined,
    measure({ heap }, p, scratch, rows, statistics) {
      heap.fill(0, scratch, scratch + rows * panelWidth);
      for (let j = 0; j < panelWidth; j++) {
        let statistic = 0;
        for (let knot = 0; knot < knots.length; knot++) {
          const [t, weight] = [knots[knot]!, weights[knot]!];
          let [real, imaginary] = [0, 0];
          for (let i = j; i < rows * panelWidth; i += panelWidth) {
            const angle = t * heap[p + i]!;
            real += Math.cos(angle);
            imaginary += Math.sin(angle);
          }
          real = real / rows - targets[knot]!;
          imaginary /= rows;
          statistic += rows * weight * (real * real + imaginary * imaginary);
          const slope = 2 * weight * t;
          for (let i = j; i < rows * panelWidth; i += panelWidth) {
            const angle = t * heap[p + i]!;
            const change = slope * (imaginary * Math.cos(angle) - real * Math.sin(angle));
            heap[scratch + i] = heap[scratch + i]! + change;
          }
        }
        statistics[j] = statistic;
      }
    },
    differentiate: scaleSlopes,
  };
}

/** The second half of tests that leave their derivatives in the scratch space. */
const scaleSlopes: SliceTest["differentiate"] = ({ heap }, p, scratch, rows, weights) => {
  for (let i = 0; i < rows * panelWidth; i++)
    heap[p + i] = heap[scratch + i]! * weights[i % panelWidth]!;
};

/** The test over the whole line, in closed form without knots, N² work:
 *    EP = sqrt(2 pi) (1/N sum_ij exp(-(x_i - x_j)²/2) - sqrt(2) sum_i exp(-x_i²/4) + N / sqrt(3)). */
export const exactTest: SliceTest = {
  scratchNumbers: (rows) => rows * panelWidth,
  sumsNeeded: 0,
  prepare: () => undefined,
  measure({ heap }, p, scratch, rows, statistics) {
    for (let j = 0; j < panelWidth; j++) {
      let [total, toNormal] = [0, 0];
      for (let row = 0; row < rows; row++) {
        const x = heap[p + row * panelWidth + j]!;
        const near = Math.exp((-x * x) / 4);
        let [among, slope] = [0, 0];
        for (let other = 0; other < rows; other++) {
          const difference = x - heap[p + other * panelWidth + j]!;
          const closeness = Math.exp((-difference * difference) / 2);
          among += closeness;
          slope += difference * closeness;
        }
        total += among;
        toNormal += near;
        heap[scratch + row * panelWidth + j] =
          Math.sqrt(2 * Math.PI) * ((-2 / rows) * slope + (Math.SQRT2 / 2) * x * near);
      }
      statistics[j] =
        Math.sqrt(2 * Math.PI) * (total / rows - Math.SQRT2 * toNormal + rows / Math.sqrt(3));
    }
  },
  differentiate: scaleSlopes,
};
