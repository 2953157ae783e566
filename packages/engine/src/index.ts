export { createEngine, engineReport } from "./create-engine.js";
export type { EngineAvailability, EngineOptions, EngineReport } from "./create-engine.js";
export type {
  CompiledEntry,
  CompiledProgram,
  CompiledStep,
  Engine,
  EngineErrorCode,
  EngineName,
  ExplainOptions,
  Explanation,
  InputSpec,
  InputValue,
  MemoryUse,
  NodeCost,
  OpCost,
  ProgramSpec,
  ResidentState,
  Step,
  StepSpec,
} from "./engine.js";
export { engineNames } from "./engine.js";
export { pureModel } from "./layers-model.js";
export type {
  LayersMode,
  LayerLike,
  LayersModelLike,
  LayersWeight,
  PureModel,
} from "./layers-model.js";
export type { ConvolutionMethod } from "./onnx/block-size.js";
export type { OnnxOptions } from "./onnx-engine.js";
export type { ProcessGroup } from "./processes/process-group.js";
export { breakThreadGroup, createThreadGroup, joinThreadGroup } from "./processes/thread-group.js";
export type { ThreadGroup } from "./processes/thread-group.js";
