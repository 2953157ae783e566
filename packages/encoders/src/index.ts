export { convNet, type ConvNetOptions } from "./families/conv-net.js";
export type { CatalogueRow, InputStatistics } from "./catalogue.js";
export {
  createEncoder,
  encoderNames,
  type EncoderOptions,
  listEncoders,
} from "./create-encoder.js";
export type { ApplyOptions, Encoded, Encoder, ParameterLayout, ParameterSpec } from "./encoder.js";
export type { ImageOptions } from "./image-options.js";
export { type Projected, projector, type Projector, type ProjectorOptions } from "./projector.js";
export { resnet, type ResnetOptions } from "./families/resnet.js";
export { fromTorch, type Parameterised, toTorch } from "./torch-layout.js";
export { vit, type VitOptions } from "./families/vit.js";
