/** @packageDocumentation
 *  Training with LeJEPA: the pure step, the loop around it, and the run folder that it leaves. */
export type { AdamwOptions } from "./adamw.js";
export type { TrainConfig, TrainConfigInput } from "./config.js";
export { replaceFile, type Guard } from "./durable-file.js";
export {
  lejepaStep,
  type LejepaStep,
  type LejepaStepOptions,
  type StepBatch,
  type StepMoment,
} from "./lejepa-step.js";
export type { StepMetrics } from "./metrics-log.js";
export { claimOutput, type OutputFiles } from "./output-files.js";
export { mnistPreset } from "./presets/mnist.js";
export type { PresetName } from "./presets/preset-of.js";
export { embedRun, labelled } from "./probe-encoder.js";
export type { PhaseSeconds, ProbeAccuracies, TrainResult } from "./result.js";
export { openRun, type OpenRunOptions, type Run } from "./run-folder.js";
export type { DataRecord, ExtensionRecord, RunRecord } from "./run-record.js";
export { decodeSafetensors, encodeSafetensors, type SafetensorsContent } from "./safetensors.js";
export { warmupCosine, type WarmupCosine } from "./schedule.js";
export { stepOf } from "./step-of.js";
export { train, type TrainCallbacks, type TrainOptions, type TrainStart } from "./train.js";
export { makeFolder, removeEmptyFolders } from "./writable-folder.js";
