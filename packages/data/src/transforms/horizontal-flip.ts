import type { CoordinateMap } from "../coordinate-map.js";
import { number } from "../fields.js";
import type { Size } from "../image.js";
import type { GeometricTransform } from "./transform.js";

/** Mirrors left and right. */
export interface HorizontalFlipSpec {
  /** Which transform. */
  readonly name: "horizontal-flip";
  /** How often, 0..1; 0.5 by default. */
  readonly probability?: number;
}

/** The mirror image: column x comes from column W - 1 - x. */
export const flipMap =
  ({ width }: Size): CoordinateMap =>
  (points) => {
    points.grid = undefined;
    const { x } = points;
    for (let i = 0; i < x.length; i++) x[i] = width - 1 - x[i]!;
  };

/** Draws: one uniform. */
export const horizontalFlip: GeometricTransform<HorizontalFlipSpec> = {
  kind: "geometric",
  resizes: "none",
  fields: { probability: number("optional", { min: 0, max: 1 }) },
  prepare:
    ({ probability = 0.5 }) =>
    (random, input) =>
      random() < probability ? flipMap(input) : undefined,
};
