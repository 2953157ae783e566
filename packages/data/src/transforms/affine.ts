/** Rotation, shear, scale, aspect and shift of the whole image about its centre.
 *    content at p goes to  c + shift + R(angle) H(shear) S(scale, aspect) (p - c)
 *    R = [cos -sin; sin cos]   H = [1 -shear; 0 1]   S = scale diag(sqrt(aspect), 1/sqrt(aspect))
 *  c is the centre of the image; y grows downwards, so a positive angle turns clockwise as seen.
 *  The order and the signs are torchvision's; its shear angle is atan(shear) here. */
import type { CoordinateMap, Points } from "../coordinate-map.js";
import { number, interval, type Interval } from "../fields.js";
import type { Size } from "../image.js";
import { logUniform, uniform } from "../random.js";
import type { GeometricTransform } from "./transform.js";

/** Rotates, shears, scales, stretches and shifts; what is left out stays as it is. */
export interface AffineSpec {
  /** Which transform. */
  readonly name: "affine";
  /** Largest angle of rotation to either side, in degrees; uniform. */
  readonly degrees?: number;
  /** Magnification, log-uniform; below 1 the content shrinks. */
  readonly scale?: Interval;
  /** Width / height that a square becomes, log-uniform. */
  readonly aspect?: Interval;
  /** Largest shear to either side, in columns for each row (the tangent of the angle); uniform. */
  readonly shear?: number;
  /** Largest shift to either side, as a fraction of width and of height; uniform, each its own. */
  readonly shift?: number;
}

/** The parameters of one affine transform. */
export interface AffineParameters {
  /** Clockwise as seen, in radians. */
  readonly angle: number;
  readonly scale: number;
  readonly aspect: number;
  readonly shear: number;
  /** Pixels to the right. */
  readonly shiftX: number;
  /** Pixels down. */
  readonly shiftY: number;
}

/** The affine transform with these parameters, of an image of this size. */
export function affineMap(
  { angle, scale, aspect, shear, shiftX, shiftY }: AffineParameters,
  { height, width }: Size,
): CoordinateMap {
  const cos = Math.cos(angle);
  const sin = Math.sin(angle);
  const sx = scale * Math.sqrt(aspect);
  const sy = scale / Math.sqrt(aspect);
  // R H S = [cos*sx, -(cos*shear + sin)*sy; sin*sx, (cos - sin*shear)*sy], of determinant sx*sy.
  // The map goes from output to input, so it takes the inverse.
  const xx = (cos - sin * shear) / sx;
  const xy = (cos * shear + sin) / sx;
  const yx = -sin / sy;
  const yy = cos / sy;
  const centreX = (width - 1) / 2;
  const centreY = (height - 1) / 2;
  return (points) => mapLinear(points, xx, xy, yx, yy, centreX, centreY, shiftX, shiftY);
}

// The numbers are parameters because variables of a closure are read again for every pixel: 3 times
// slower.
function mapLinear(
  points: Points,
  xx: number,
  xy: number,
  yx: number,
  yy: number,
  centreX: number,
  centreY: number,
  shiftX: number,
  shiftY: number,
): void {
  points.grid = undefined;
  const { x, y } = points;
  for (let i = 0; i < x.length; i++) {
    const dx = x[i]! - centreX - shiftX;
    const dy = y[i]! - centreY - shiftY;
    x[i] = xx * dx + xy * dy + centreX;
    y[i] = yx * dx + yy * dy + centreY;
  }
}

/** Draws: angle, scale, aspect, shear, shift in x, shift in y. */
export const affine: GeometricTransform<AffineSpec> = {
  kind: "geometric",
  resizes: "none",
  needs: ({ scale = [1, 1], aspect = [1, 1] }, { height, width }) => {
    // The most that it magnifies one of the sides.
    const most = scale[1] * Math.sqrt(Math.max(aspect[1], 1 / aspect[0]));
    return { height: height * most, width: width * most };
  },
  fields: {
    degrees: number("optional", { min: 0, max: 180 }),
    scale: interval("optional", { min: 1e-3, max: 1e3 }),
    aspect: interval("optional", { min: 1e-3, max: 1e3 }),
    shear: number("optional", { min: 0, max: 10 }),
    shift: number("optional", { min: 0, max: 1 }),
  },
  prepare: ({ degrees = 0, scale = [1, 1], aspect = [1, 1], shear = 0, shift = 0 }) => {
    const radians = (degrees * Math.PI) / 180;
    return (random, input) =>
      affineMap(
        {
          angle: uniform(random, [-radians, radians]),
          scale: logUniform(random, scale),
          aspect: logUniform(random, aspect),
          shear: uniform(random, [-shear, shear]),
          shiftX: uniform(random, [-shift, shift]) * input.width,
          shiftY: uniform(random, [-shift, shift]) * input.height,
        },
        input,
      );
  },
};
