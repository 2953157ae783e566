import { registerTfjsGradients } from "./tfjs-gradients.js";

export { type Activation, activate, gelu, geluTanh, quickGelu, silu } from "./activations.js";
export { attention, type QkvProjection, selfAttention } from "./attention.js";
export { batchNorm, type BatchNormOptions } from "./batch-norm.js";
export { type BatchNormParameters, convBlock, type ConvBlockOptions } from "./conv-block.js";
export { conv2d, type Conv2dOptions } from "./conv2d.js";
export type { HostTensor, HostTensors, Tensors } from "./host-tensor.js";
export { layerNorm } from "./layer-norm.js";
export { LejepaError } from "./lejepa-error.js";
export { linear } from "./linear.js";
export type { Padding } from "./padding.js";
export { patchEmbed } from "./patch-embed.js";
export { globalAveragePool, maxPool2d, type MaxPoolOptions } from "./pooling.js";
export type { BatchStatistics } from "./running-statistics.js";
export { badShape, type BadShape, requireShape } from "./shape.js";

// tfjs-core alone registers no gradient in Node; every function here is differentiable once imported.
registerTfjsGradients();
