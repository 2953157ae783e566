/** Elastic displacement: a coarse grid of normal numbers, brought to the size of the image by bicubic
 *  interpolation, shifts each pixel.
 *    output(p) = input(p + sigma (W dx(p), H dy(p))),   dx, dy: smooth fields through G x G draws
 *  The interpolation is the usual cubic convolution (a = -0.75, cells cover equal parts of the image,
 *  the outermost cells are continued), as torch's `interpolate(mode="bicubic")`.
 *  Source: Simard, Steinkraus, Platt, "Best practices for convolutional neural networks" (2003),
 *  with a coarse grid in place of their blurred noise. */
import type { CoordinateMap, Points } from "../coordinate-map.js";
import { number, wholeNumber } from "../fields.js";
import type { Size } from "../image.js";
import { standardNormal } from "../random.js";
import type { GeometricTransform } from "./transform.js";

/** Bends the image. */
export interface ElasticSpec {
  /** Which transform. */
  readonly name: "elastic";
  /** Standard deviation of the displacements at the grid points, as a fraction of the side. */
  readonly sigma: number;
  /** Grid points on each side, G; 4 by default. */
  readonly grid?: number;
}

/** Two fields of G x G numbers, row-major. */
export interface ElasticField {
  readonly grid: number;
  readonly dx: Float64Array;
  readonly dy: Float64Array;
}

const a = -0.75;

/** Where a position in grid cells lies between four neighbours: the first of them (counted in a grid
 *  with two continued cells before the first) and the weights of all four, into `weights[at..at+3]`. */
function cubicTaps(position: number, grid: number, weights: Float64Array, at: number): number {
  // Beyond the outermost continued cell nothing changes any more.
  const clamped = position < -1 ? -1 : position > grid ? grid : position;
  const cell = Math.min(Math.floor(clamped), grid - 1);
  const t = clamped - cell;
  const u = 1 - t;
  weights[at] = a * t * u * u;
  weights[at + 1] = 1 - t * t * (a + 3 - (a + 2) * t);
  weights[at + 2] = 1 - u * u * (a + 3 - (a + 2) * u);
  weights[at + 3] = a * u * t * t;
  return cell + 1;
}

/** The taps of every pixel along a side. Neighbouring pixels share their four neighbours: run r is the
 *  pixels from `start[r]` up to `start[r+1]`, whose first neighbour is `first[r]`. */
interface Taps {
  readonly start: Int32Array;
  readonly first: Int32Array;
  /** Four for each pixel. */
  readonly weights: Float64Array;
}
const tapsOfSide = new Map<string, Taps>();

/** They depend on no draw, so they are kept. */
function tapsAlong(side: number, grid: number): Taps {
  const key = `${side}/${grid}`;
  const known = tapsOfSide.get(key);
  if (known !== undefined) return known;
  if (tapsOfSide.size >= 64) tapsOfSide.clear(); // images of many sizes must not fill the memory
  const weights = new Float64Array(4 * side);
  const start: number[] = [];
  const first: number[] = [];
  for (let i = 0; i < side; i++) {
    const neighbour = cubicTaps(((i + 0.5) * grid) / side - 0.5, grid, weights, 4 * i);
    if (neighbour === first.at(-1)) continue;
    start.push(i);
    first.push(neighbour);
  }
  start.push(side);
  const taps = { start: Int32Array.from(start), first: Int32Array.from(first), weights };
  tapsOfSide.set(key, taps);
  return taps;
}

/** The field with its outermost cells continued by two on every side: [G+4, G+4]. */
function continued(field: Float64Array, grid: number): Float64Array {
  const side = grid + 4;
  const wide = new Float64Array(side * side);
  for (let row = 0; row < side; row++) {
    const from = Math.min(Math.max(row - 2, 0), grid - 1) * grid;
    for (let column = 0; column < side; column++)
      wide[row * side + column] = field[from + Math.min(Math.max(column - 2, 0), grid - 1)]!;
  }
  return wide;
}

/** The displacement with this field, `sigma` (a fraction of the side) times its values. */
export function elasticMap(field: ElasticField, sigma: number, size: Size): CoordinateMap {
  const { grid } = field;
  const dx = continued(field.dx, grid);
  const dy = continued(field.dy, grid);
  const stepX = sigma * size.width;
  const stepY = sigma * size.height;
  return (points) => {
    const onOwnGrid = points.grid?.height === size.height && points.grid.width === size.width;
    points.grid = undefined;
    if (onOwnGrid) displaceGrid(points, size, grid, dx, dy, stepX, stepY);
    else displacePoints(points, size, grid, dx, dy, stepX, stepY);
  };
}

/** On pixel centres the interpolation separates: first along columns of the grid, once for each row
 *  of the image, then along the row. */
function displaceGrid(
  { x, y }: Points,
  { height, width }: Size,
  grid: number,
  dx: Float64Array,
  dy: Float64Array,
  stepX: number,
  stepY: number,
): void {
  const side = grid + 4;
  const rows = tapsAlong(height, grid);
  const columns = tapsAlong(width, grid);
  const rowDx = new Float64Array(side);
  const rowDy = new Float64Array(side);
  for (let run = 0; run < rows.first.length; run++)
    for (let row = rows.start[run]!; row < rows.start[run + 1]!; row++) {
      const from = rows.first[run]! * side;
      const w0 = rows.weights[4 * row]!;
      const w1 = rows.weights[4 * row + 1]!;
      const w2 = rows.weights[4 * row + 2]!;
      const w3 = rows.weights[4 * row + 3]!;
      for (let k = 0; k < side; k++) {
        const k0 = from + k;
        const k1 = k0 + side;
        const k2 = k1 + side;
        const k3 = k2 + side;
        rowDx[k] = stepX * (w0 * dx[k0]! + w1 * dx[k1]! + w2 * dx[k2]! + w3 * dx[k3]!);
        rowDy[k] = stepY * (w0 * dy[k0]! + w1 * dy[k1]! + w2 * dy[k2]! + w3 * dy[k3]!);
      }
      for (let run = 0; run < columns.first.length; run++) {
        const k = columns.first[run]!;
        const x0 = rowDx[k]!;
        const x1 = rowDx[k + 1]!;
        const x2 = rowDx[k + 2]!;
        const x3 = rowDx[k + 3]!;
        const y0 = rowDy[k]!;
        const y1 = rowDy[k + 1]!;
        const y2 = rowDy[k + 2]!;
        const y3 = rowDy[k + 3]!;
        const end = columns.start[run + 1]!;
        for (let column = columns.start[run]!; column < end; column++) {
          const v0 = columns.weights[4 * column]!;
          const v1 = columns.weights[4 * column + 1]!;
          const v2 = columns.weights[4 * column + 2]!;
          const v3 = columns.weights[4 * column + 3]!;
          const i = row * width + column;
          x[i]! += v0 * x0 + v1 * x1 + v2 * x2 + v3 * x3;
          y[i]! += v0 * y0 + v1 * y1 + v2 * y2 + v3 * y3;
        }
      }
    }
}

/** At any other points: sixteen neighbours each. */
function displacePoints(
  { x, y }: Points,
  { height, width }: Size,
  grid: number,
  dx: Float64Array,
  dy: Float64Array,
  stepX: number,
  stepY: number,
): void {
  const side = grid + 4;
  const weights = new Float64Array(8);
  for (let i = 0; i < x.length; i++) {
    if (!(Number.isFinite(x[i]) && Number.isFinite(y[i]))) continue;
    const column = cubicTaps(((x[i]! + 0.5) * grid) / width - 0.5, grid, weights, 0);
    const row = cubicTaps(((y[i]! + 0.5) * grid) / height - 0.5, grid, weights, 4);
    let sumX = 0;
    let sumY = 0;
    for (let r = 0; r < 4; r++)
      for (let c = 0; c < 4; c++) {
        const weight = weights[4 + r]! * weights[c]!;
        const k = (row + r) * side + column + c;
        sumX += weight * dx[k]!;
        sumY += weight * dy[k]!;
      }
    x[i]! += stepX * sumX;
    y[i]! += stepY * sumY;
  }
}

/** Draws: G*G normals for x, then G*G for y. */
export const elastic: GeometricTransform<ElasticSpec> = {
  kind: "geometric",
  resizes: "none",
  fields: {
    sigma: number("required", { min: 0, max: 1 }),
    grid: wholeNumber("optional", { min: 1, max: 256 }),
  },
  prepare: ({ sigma, grid = 4 }) => {
    const field = {
      grid,
      dx: new Float64Array(grid * grid),
      dy: new Float64Array(grid * grid),
    };
    return (random, input) => {
      const normal = standardNormal(random);
      for (let i = 0; i < grid * grid; i++) field.dx[i] = normal();
      for (let i = 0; i < grid * grid; i++) field.dy[i] = normal();
      return elasticMap(field, sigma, input);
    };
  },
};
