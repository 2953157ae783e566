import { affine, type AffineSpec } from "./affine.js";
import { brightnessContrast, type BrightnessContrastSpec } from "./brightness-contrast.js";
import { centerCrop, type CenterCropSpec } from "./center-crop.js";
import { elastic, type ElasticSpec } from "./elastic.js";
import { gaussianBlur, type GaussianBlurSpec } from "./gaussian-blur.js";
import { horizontalFlip, type HorizontalFlipSpec } from "./horizontal-flip.js";
import { normalise, type NormaliseSpec } from "./normalise.js";
import { randomResizedCrop, type RandomResizedCropSpec } from "./random-resized-crop.js";
import { strokeThickness, type StrokeThicknessSpec } from "./stroke-thickness.js";
import { resize, type ResizeSpec } from "./resize.js";
import type { EitherTransform, ImageTransform } from "./transform.js";

/** One transform of a view, as data. */
export type TransformSpec =
  | RandomResizedCropSpec
  | ResizeSpec
  | CenterCropSpec
  | HorizontalFlipSpec
  | AffineSpec
  | ElasticSpec
  | StrokeThicknessSpec
  | BrightnessContrastSpec
  | GaussianBlurSpec
  | NormaliseSpec;

/** Names of the transforms. */
export type TransformName = TransformSpec["name"];

type TransformTable = {
  readonly [Name in TransformName]:
    | ImageTransform<Extract<TransformSpec, { name: Name }>>
    | EitherTransform<Extract<TransformSpec, { name: Name }>>;
};

/** Every transform by its name: a gap does not compile. */
export const transforms: TransformTable = {
  "random-resized-crop": randomResizedCrop,
  resize,
  "center-crop": centerCrop,
  "horizontal-flip": horizontalFlip,
  affine,
  elastic,
  "stroke-thickness": strokeThickness,
  "brightness-contrast": brightnessContrast,
  "gaussian-blur": gaussianBlur,
  normalise,
};

/** The transform of a specification. */
export function transformOf(spec: TransformSpec): ImageTransform<TransformSpec> {
  const row: unknown = transforms[spec.name];
  const transform = row as ImageTransform<TransformSpec> | EitherTransform<TransformSpec>;
  return transform.kind === "either" ? transform.choose(spec) : transform;
}
