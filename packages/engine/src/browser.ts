/** What a bundle for a browser imports: the engines without what Node alone has. */
export { createEngine } from "./create-browser-engine.js";
export type { BrowserEngineOptions } from "./create-browser-engine.js";
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
export type { OnnxRuntime } from "./hosts/onnx-session-host.js";
