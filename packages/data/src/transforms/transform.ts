import type { CoordinateMap } from "../coordinate-map.js";
import type { Fields } from "../fields.js";
import type { FilterName } from "../filtered-sampling.js";
import type { FloatImage, Size } from "../image.js";
import type { Random } from "../random.js";
import type { Window } from "../window.js";

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

/** What a sampling transform takes: a window of its input, at a size, through a filter; "none": pixel by pixel, with
 *  zeros outside the image, the window being of that size. A filter sees nothing outside the window. */
export interface Sampling {
  readonly window: Window;
  readonly size: Size;
  readonly filter: FilterName | "none";
}

/** A transform that makes an image of another size with antialiasing, which no map of coordinates can: it ends a stage of
 *  geometric ones. Of bytes it makes bytes. */
export interface SamplingTransform<Spec> {
  readonly kind: "sampling";
  /** "pixels": it takes as many pixels as its output has, so that it is another transform of a smaller copy. */
  readonly unit?: "pixels";
  /** Whether it gives an image of the size of the view, or of another one that its options say. */
  resizes(spec: Spec): "to-output-size" | "to-own-size";
  readonly fields: Fields<Spec>;
  /** Resolves the specification once; the result draws the parameters of one view. */
  prepare(spec: Spec): (random: Random, input: Size, output: Size) => Sampling;
  /** As that of a geometric transform. */
  needs?(spec: Spec, output: Size): Size;
}

/** A transform of any kind. */
export type ImageTransform<Spec> =
  GeometricTransform<Spec> | PhotometricTransform<Spec> | SamplingTransform<Spec>;

/** A transform whose options say of which kind it is. */
export interface EitherTransform<Spec> {
  readonly kind: "either";
  readonly fields: Fields<Spec>;
  choose(spec: Spec): ImageTransform<Spec>;
}
