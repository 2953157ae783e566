import { registerTfjsGradients } from "./tfjs-gradients.js";

export {
  type Activation,
  activate,
  Gate,
  type GateAttrs,
  type GateInputs,
  Gelu,
  gelu,
  type GeluAttrs,
  type GeluInputs,
  geluTanh,
  quickGelu,
  silu,
} from "./activations.js";
export { AllReduceMean, allReduceMean, type Exchange, exchangingBy } from "./all-reduce-mean.js";
export { amongProcesses, type BatchShare } from "./among-processes.js";
export { adamw, type AdamwConstants, type AdamwInputs } from "./adamw.js";
export {
  Attention,
  attention,
  type AttentionAttrs,
  type AttentionInputs,
  MultiHeadAttention,
  multiHeadAttention,
  type MultiHeadAttentionAttrs,
  type MultiHeadAttentionInputs,
  type QkvProjection,
  selfAttention,
  type SelfAttentionOptions,
  type TokenLayout,
} from "./attention.js";
export {
  BatchNorm,
  batchNorm,
  type BatchNormAttrs,
  type BatchNormInputs,
  type BatchNormOptions,
  ScaleShift,
  type ScaleShiftAttrs,
  type ScaleShiftInputs,
} from "./batch-norm.js";
export {
  CharacteristicMeans,
  characteristicMeans,
  type CharacteristicMeansAttrs,
  CharacteristicMeansGrad,
  type CharacteristicMeansGradInputs,
  type CharacteristicMeansInputs,
} from "./characteristic-means.js";
export {
  abortSignal,
  someBoolean,
  anything,
  type Expected,
  nearestName,
  numberFrom,
  oneOf,
  optional,
  positiveNumber,
  requireArgument,
  requireOptions,
  said,
  someArray,
  someFunction,
  someObject,
  someText,
  typedArray,
  wholeNumber,
} from "./check-argument.js";
export { type BatchNormParameters, convBlock, type ConvBlockOptions } from "./conv-block.js";
export { runningComposite } from "./composite-kernel.js";
export { conv2d, type Conv2dOptions } from "./conv2d.js";
export { depthwiseFilterGradient, depthwiseInputGradient } from "./depthwise-gradients.js";
export { DropPath, dropPath, type DropPathAttrs, type DropPathInputs } from "./drop-path.js";
export { type HarmonicProducts, harmonicProducts, type Knots } from "./harmonic-products.js";
export type { HostTensor, HostTensors, Tensors } from "./host-tensor.js";
export {
  LayerNorm,
  layerNorm,
  type LayerNormAttrs,
  type LayerNormInputs,
  layerNormLinear,
  type LayerNormParameters,
  type LinearParameters,
} from "./layer-norm.js";
export { LejepaError } from "./lejepa-error.js";
export { Linear, linear, type LinearInputs } from "./linear.js";
export { mlp, type MlpParameters } from "./mlp.js";
export {
  NormalizeColumns,
  NormalizeColumnsGrad,
  type NormalizeColumnsAttrs,
  type NormalizeColumnsGradInputs,
  type NormalizeColumnsInputs,
} from "./normalize-columns.js";
export {
  NormalizeRows,
  normalizeRows,
  type NormalizeRowsAttrs,
  type NormalizeRowsInputs,
} from "./normalize-rows.js";
export type { Padding } from "./padding.js";
export { patchEmbed } from "./patch-embed.js";
export {
  GlobalAveragePool,
  globalAveragePool,
  type GlobalAveragePoolAttrs,
  type GlobalAveragePoolInputs,
  maxPool2d,
  type MaxPoolOptions,
} from "./pooling.js";
export type { BatchStatistics } from "./running-statistics.js";
export { badShape, type BadShape, requireShape } from "./shape.js";
export { requireTensors } from "./tensor-argument.js";

export { registerTfjsGradients } from "./tfjs-gradients.js";
export type { WindowGeometry } from "./window-taps.js";

// tfjs-core alone registers no gradient in Node; every function here is differentiable once imported.
registerTfjsGradients();
