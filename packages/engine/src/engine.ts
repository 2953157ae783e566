import type { HostTensor, HostTensors, Tensors } from "@lejepa/ops";

/** One pure step: tfjs-core operations only, everything it needs in `state` and `inputs`, everything it makes in
 *  what it returns. The returned `state` has the names and shapes of the one passed in; `outputs` are free.
 *  Randomness, learning rates and whatever else changes from call to call enter as inputs: a compiled step freezes
 *  every other number it sees. */
export type Step = (state: Tensors, inputs: Tensors) => { state: Tensors; outputs: Tensors };

/** Shape and element type of one input of a step. */
export interface InputSpec {
  /** Length of each axis; `[]` for a scalar. */
  readonly shape: readonly number[];
  /** Element type inside the step; "float32" when left out. */
  readonly dtype?: "float32" | "int32";
}

/** What {@link CompiledStep.run} accepts for one input: the elements row-major, a host tensor of the declared shape,
 *  or a number for an input of one element. Typed arrays are read in place (only those over shared memory are copied by
 *  the onnx engine), so leave them alone until the returned promise settles. */
export type InputValue = Float32Array | Int32Array | HostTensor | number;

/** What a step is compiled for. */
export interface StepSpec {
  /** The first state, by name; `{}` for a pure function. */
  readonly state: HostTensors;
  /** The inputs of every run, by name. */
  readonly inputs: Readonly<Record<string, InputSpec>>;
}

/** What several steps over one state are compiled for. */
export interface ProgramSpec<Name extends string = string> {
  /** The first state, by name: everything that any of the steps reads. */
  readonly state: HostTensors;
  /** The inputs of every run, for each step by its name. */
  readonly inputs: Readonly<Record<Name, Readonly<Record<string, InputSpec>>>>;
}

/** One step that is ready to run. */
export interface CompiledEntry {
  /** Runs the step once and advances the state.
   *  Returns `outputs`, in arrays of the caller's own (int32 and bool outputs as float32 numbers).
   *  @throws LejepaError "bad-input" when an input is missing, unknown, or of the wrong length or type;
   *  "disposed" after {@link ResidentState.dispose}. The state is then what it was. */
  run(inputs: Readonly<Record<string, InputValue>>): Promise<HostTensors>;
  /** Wall-clock milliseconds that compiling took, the loading of the graph included. */
  readonly compileMilliseconds: number;
  /** Operations in the graph that runs; 0 for the eager engine, which has no graph. */
  readonly nodes: number;
}

/** A state that steps advance in place. */
export interface ResidentState {
  /** A copy of the state as it stands after the last run.
   *  @throws LejepaError "disposed" */
  readState(): Promise<HostTensors>;
  /** Replaces the whole state by a copy of the one given.
   *  @throws LejepaError "bad-state" unless names, shapes and lengths are those it was compiled for; "disposed" */
  writeState(state: HostTensors): Promise<void>;
  /** Frees the state and what was compiled for it. Further calls of `dispose` do nothing. */
  dispose(): Promise<void>;
}

/** A step with its state, ready to run. */
export interface CompiledStep extends CompiledEntry, ResidentState {}

/** Several steps over one state, ready to run. Calls that are not awaited run in the order made, whatever their step. */
export interface CompiledProgram<Name extends string = string> extends ResidentState {
  /** The steps, by the names that they were compiled under. */
  readonly entries: Readonly<Record<Name, CompiledEntry>>;
}

/** Runs steps. Made by {@link createEngine}. */
export interface Engine {
  /** Which engine this is; never another than the one asked for by name. */
  readonly name: "onnx" | "eager";
  /** What it runs on, for a person: library, version, threads. */
  readonly description: string;
  /** Prepares a step to run over and over.
   *  @throws LejepaError with one of {@link EngineErrorCode} when the step cannot be captured */
  compile(step: Step, spec: StepSpec): Promise<CompiledStep>;
  /** Prepares several steps over one state, which is in memory once: `{ step, grads, apply, embed }`, say. Each is
   *  given the whole state and returns the whole state. What a step returns as it came in is never copied.
   *  @throws LejepaError as for one step */
  compile<Name extends string>(
    steps: Readonly<Record<Name, Step>>,
    spec: ProgramSpec<Name>,
  ): Promise<CompiledProgram<Name>>;
  /** Disposes every step compiled by this engine. */
  dispose(): Promise<void>;
}

/** `code` of the errors that an engine throws.
 *  - "unknown-engine", "engine-unavailable", "bad-option": from {@link createEngine}
 *  - "unsupported-kernel": the step uses an operation that the engine has no lowering for
 *  - "tensor-read": the step reads a tensor's values (`dataSync`, `data`, `arraySync`, printing)
 *  - "variable-created": the step calls `tf.variable`
 *  - "changing-constant": a number that is neither state nor input differs from one trace to the next
 *  - "changing-structure": the step performs other operations from one trace to the next
 *  - "outside-tensor": the step uses a tensor made outside of it that is neither state nor input
 *  - "bad-step": the step is asynchronous, or returns something else than `{ state, outputs }`
 *  - "state-mismatch": the state out has other names, shapes or types than the state in
 *  - "bad-input", "bad-state": values of the wrong name, shape, length or type
 *  - "disposed": used after `dispose`
 *  - "unread-attribute", "invalid-graph": a fault of this package; please report it */
export type EngineErrorCode =
  | "unknown-engine"
  | "engine-unavailable"
  | "bad-option"
  | "unsupported-kernel"
  | "tensor-read"
  | "variable-created"
  | "changing-constant"
  | "changing-structure"
  | "outside-tensor"
  | "bad-step"
  | "state-mismatch"
  | "bad-input"
  | "bad-state"
  | "disposed"
  | "unread-attribute"
  | "invalid-graph";
