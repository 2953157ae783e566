export { arrayDataset, type ArrayDatasetOptions } from "./array-dataset.js";
export { floatImages, type BatchGroup, type Normalisation } from "./batch-group.js";
export {
  checkDataset,
  type Dataset,
  type DatasetSource,
  type ItemHint,
  type ItemRange,
  type Sample,
} from "./dataset.js";
export { LejepaError, type DataErrorCode, type ErrorPlace } from "./error.js";
export type { Interval } from "./fields.js";
export type { FilterName } from "./filtered-sampling.js";
export { fingerprintDifferences, fingerprintOf, type DatasetFingerprint } from "./fingerprint.js";
export { readIdx, type IdxArray } from "./idx.js";
export type { FloatImage, Image, Size } from "./image.js";
export { createLoader, type Batch, type Loader, type LoaderOptions } from "./loader.js";
export { mnist, type SplitOptions } from "./mnist.js";
export { datasetNames, openDataset } from "./open-dataset.js";
export { randomOf, type Random } from "./random.js";
export type { AffineSpec } from "./transforms/affine.js";
export type { BrightnessContrastSpec } from "./transforms/brightness-contrast.js";
export type { CenterCropSpec } from "./transforms/center-crop.js";
export type { ElasticSpec } from "./transforms/elastic.js";
export type { GaussianBlurSpec } from "./transforms/gaussian-blur.js";
export type { HorizontalFlipSpec } from "./transforms/horizontal-flip.js";
export type { NormaliseSpec } from "./transforms/normalise.js";
export type { RandomResizedCropSpec } from "./transforms/random-resized-crop.js";
export type { ResizeSpec } from "./transforms/resize.js";
export type { StrokeThicknessSpec } from "./transforms/stroke-thickness.js";
export type { TransformName, TransformSpec } from "./transforms/table.js";
export { makeView } from "./view-maker.js";
export {
  checkViewGroups,
  checkViewSpec,
  mnistViews,
  plainView,
  type ViewGroup,
  type ViewGroups,
  type ViewSpec,
} from "./view-spec.js";
