/** Geometric transforms as coordinate maps. A map says where each pixel of its output comes from:
 *    output(p) = input(map(p))
 *  so transforms applied one after the other, first A then B, are B's map followed by A's:
 *    output(p) = input(mapA(mapB(p)))
 *  and one resampling at the end serves any number of them.
 *  Coordinates are in pixels with (0, 0) at the centre of the first pixel; y grows downwards.
 *  A pixel covers half a pixel around its centre. NaN means: from nowhere (zero). */
import type { Size } from "./image.js";

/** Points of the plane, changed in place. */
export interface Points {
  /** Columns. */
  readonly x: Float64Array;
  /** Rows. */
  readonly y: Float64Array;
  /** The points are pixel centres of an image of this size, in order; undefined once moved. */
  grid: Size | undefined;
}

/** Moves each point from the output of a transform to its input. */
export type CoordinateMap = (points: Points) => void;

/** Sets the points to the pixel centres of an image, row by row. */
export function setToGrid({ x, y }: Points, { height, width }: Size): void {
  for (let row = 0, i = 0; row < height; row++)
    for (let column = 0; column < width; column++, i++) {
      x[i] = column;
      y[i] = row;
    }
}

/** The points at the pixel centres of an image of this size. */
export function gridPoints(size: Size): Points {
  const count = size.height * size.width;
  const points = { x: new Float64Array(count), y: new Float64Array(count), grid: size };
  setToGrid(points, size);
  return points;
}

/** The map of transforms applied in the order given. */
export const composed =
  (maps: readonly CoordinateMap[]): CoordinateMap =>
  (points) => {
    for (let i = maps.length - 1; i >= 0; i--) maps[i]!(points);
  };
