/** Values and gradient of a test on all slices of embeddings, block by block, so that a block's projections stay in
 *  the processor's cache: P = Z A, the test of each column of P and its derivative dP, dZ += dP Aᵀ.
 *  Shapes: z [G, N, D] (G groups that are tested apart), directions [D, M] -> statistics [G, M], gradient [G, N, D]. */
import { panelWidth, type Kernels } from "./kernels.js";
import type { SliceTest } from "./slice-test.js";

/** Float32 or float64 numbers, row-major. */
export type FloatArray = Float32Array | Float64Array;

/** Sizes of a call. */
export interface Sizes {
  readonly groups: number;
  readonly samples: number;
  readonly dim: number;
  readonly slices: number;
}

/** How the statistics enter the value. */
export interface SliceWeights {
  /** The derivative of the value by each statistic, [G, M], or one number for all. */
  readonly each: ArrayLike<number> | number;
  /** Statistics below count as 0; -Infinity for none. */
  readonly clip: number;
}

const roundUp = (value: number, unit: number) => unit * Math.ceil(value / unit);
/** Numbers of a block's projections: 1 MiB in float32. */
const blockNumbers = 262_144;
const leastBlock = 32;
const greatestBlock = 128;

/** Where everything lies in the heap, and how much there is. */
function layout({ groups, samples, dim, slices }: Sizes, test: SliceTest) {
  const rows = roundUp(samples, 4);
  const [k, columns] = [roundUp(dim, 4), roundUp(dim, panelWidth)];
  const fitting = Math.floor(blockNumbers / rows / panelWidth) * panelWidth;
  const block = Math.min(
    roundUp(slices, panelWidth),
    Math.max(leastBlock, Math.min(greatestBlock, fitting)),
  );
  const z = 0;
  const dz = z + groups * rows * k;
  const a = dz + groups * rows * columns;
  const b = a + block * k;
  const p = b + block * columns;
  const scratch = p + rows * block;
  const numbers = scratch + test.scratchNumbers(rows);
  return { rows, k, columns, block, z, dz, a, b, p, scratch, numbers };
}

const statisticsOfPanel = new Float64Array(panelWidth);
const weightsOfPanel = new Float64Array(panelWidth);

/** Writes the statistics (those below `clip` as 0) and, unless told to add, overwrites the gradient of their weighted sum. */
export function slicedGradient(
  kernels: Kernels,
  test: SliceTest,
  embeddings: FloatArray,
  directions: FloatArray,
  sizes: Sizes,
  weights: SliceWeights,
  statistics: Float64Array,
  gradient: FloatArray,
  mode: "overwrite" | "add",
): void {
  const { groups, samples, dim, slices } = sizes;
  const { rows, k, columns, block, z, dz, a, b, p, scratch, numbers } = layout(sizes, test);
  kernels.reserve(numbers, test.sumsNeeded);
  const { heap } = kernels;
  packRows(embeddings, sizes, heap, z, rows, k);
  heap.fill(0, dz, a);
  test.prepare(kernels, scratch);

  for (let first = 0; first < slices; first += block) {
    const width = Math.min(block, roundUp(slices - first, panelWidth));
    packDirections(directions, sizes, heap, a, b, first, width);
    for (let group = 0; group < groups; group++) {
      for (let column = 0; column < width; column += panelWidth) {
        const panel = p + column * rows;
        kernels.project(z + group * rows * k, a + column * k, panel, rows / 4, k);
        test.measure(kernels, panel, scratch, samples, statisticsOfPanel);
        weigh(weights, sizes, group, first + column, statistics);
        test.differentiate(kernels, panel, scratch, samples, weightsOfPanel);
      }
      for (let column = 0; column < columns; column += panelWidth)
        kernels.backProject(
          p,
          b + column * width,
          dz + group * rows * columns + column,
          rows / 4,
          width / panelWidth,
          rows * panelWidth,
          columns,
        );
    }
  }

  for (let row = 0; row < groups * samples; row++) {
    const from = dz + (row + Math.floor(row / samples) * (rows - samples)) * columns;
    const to = row * dim;
    if (mode === "add")
      for (let d = 0; d < dim; d++) gradient[to + d] = gradient[to + d]! + heap[from + d]!;
    else for (let d = 0; d < dim; d++) gradient[to + d] = heap[from + d]!;
  }
}

/** Stores the statistics of a panel and sets its weights: 0 for clipped slices and for columns that only fill the panel. */
function weigh(
  { each, clip }: SliceWeights,
  { slices }: Sizes,
  group: number,
  slice: number,
  statistics: Float64Array,
): void {
  for (let j = 0; j < panelWidth; j++) {
    const at = group * slices + slice + j;
    const isThere = slice + j < slices;
    const value = statisticsOfPanel[j]!;
    const isClipped = value < clip;
    if (isThere) statistics[at] = isClipped ? 0 : value;
    weightsOfPanel[j] = !isThere || isClipped ? 0 : typeof each === "number" ? each : each[at]!;
  }
}

/** [G, N, D] -> quads [G, rows/4, K, 4]. */
function packRows(
  embeddings: FloatArray,
  { groups, samples, dim }: Sizes,
  heap: FloatArray,
  z: number,
  rows: number,
  k: number,
): void {
  const isFull = rows === samples && k === dim;
  if (!isFull) heap.fill(0, z, z + groups * rows * k);
  for (let group = 0; group < groups; group++)
    for (let row = 0; row < samples; row++) {
      const from = (group * samples + row) * dim;
      const to = z + group * rows * k + (row >> 2) * 4 * k + (row & 3);
      for (let d = 0; d < dim; d++) heap[to + 4 * d] = embeddings[from + d]!;
    }
}

/** Columns first...first + width of [D, M] -> a, panels [width/8, K, 8], and b, panels of the transpose
 *  [columns/8, width, 8]. */
function packDirections(
  directions: FloatArray,
  { dim, slices }: Sizes,
  heap: FloatArray,
  a: number,
  b: number,
  first: number,
  width: number,
): void {
  const k = roundUp(dim, 4);
  const there = Math.min(width, slices - first);
  if (there < width || k > dim) heap.fill(0, a, a + width * k);
  if (there < width || dim % panelWidth > 0) heap.fill(0, b, b + width * roundUp(dim, panelWidth));
  for (let d = 0; d < dim; d++) {
    const from = d * slices + first;
    const toB = b + (d - (d % panelWidth)) * width + (d % panelWidth);
    for (let slice = 0; slice < there; slice++) {
      const value = directions[from + slice]!;
      heap[a + (slice - (slice % panelWidth)) * k + d * panelWidth + (slice % panelWidth)] = value;
      heap[toB + slice * panelWidth] = value;
    }
  }
}
