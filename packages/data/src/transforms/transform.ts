import type { CoordinateMap } from "../coordinate-map.js";
import type { Fields } from "../fields.js";
import type { FloatImage, Size } from "../image.js";
import type { Random } from "../random.js";

/** A transform that moves pixels. */
export interface GeometricTransform<Spec> {
  readonly kind: "geometric";
  /** `to-output-size`: gives an image of the size of the view; `none`: of the size it gets. */
  readonly resizes: "none" | "to-output-size";
  readonly fields: Fields<Spec>;
  /** Resolves the specification once; the result draws the parameters of one view, always the same
   *  number of times whatever is drawn, and gives its map, or undefined for the identity. */
  prepare(spec: Spec): (random: Random, input: Size, output: Size) => CoordinateMap | undefined;
  /** How large its input must be so that no draw magnifies it to this output size; as large as the output when left
   *  out. */
  needs?(spec: Spec, output: Size): Size;
}

/** A transform that changes values where they are. */
export interface PhotometricTransform<Spec> {
  readonly kind: "photometric";
  /** "pixels": it reaches some pixels far, so that it is another transform of a smaller copy of the image. */
  readonly unit?: "pixels";
  readonly fields: Fields<Spec>;
  /** Resolves the specification once; the result draws the parameters of one view and changes the
   *  image in place. `scratch` has the length of the image's data, with any content. */
  prepare(spec: Spec): (random: Random, image: FloatImage, scratch: Float32Array) => void;
}

/** A transform of any kind. */
export type ImageTransform<Spec> = GeometricTransform<Spec> | PhotometricTransform<Spec>;
