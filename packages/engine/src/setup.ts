export { findTensorFlow } from "./tensorflow/find-tensorflow.js";
export type { TensorFlowInstallation } from "./tensorflow/find-tensorflow.js";
export { loadTensorFlow } from "./tensorflow/load-tensorflow.js";
export type { SetupErrorCode } from "./tensorflow/setup/setup-error.js";
export { removeTensorFlow, setupTensorFlow } from "./tensorflow/setup/setup-tensorflow.js";
export type {
  SetupOptions,
  SetupProgress,
  SetupResult,
} from "./tensorflow/setup/setup-tensorflow.js";
