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

/** What {@link CompiledStep.run} accepts for one input: the elements row-major, the same as { shape, data } with the
 *  declared shape, or a number for an input of one element, a whole one for an int32. Leave typed arrays alone until the
 *  returned promise settles. The onnx engine copies them to its worker thread (over shared memory, that thread does); in
 *  the main thread it reads in place all but those over shared memory. */
export type InputValue =
  | Float32Array
  | Int32Array
  | HostTensor
  | { readonly shape: readonly number[]; readonly data: Int32Array }
  | number;

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
   *  @throws LejepaError "bad-input" when an input is missing, unknown, or of the wrong length or type; on the eager
   *  engine, which captures nothing, what `compile` of the others throws for a step, such as "step-failed";
   *  "index-out-of-range" when a kernel was given an index of an element that there is not; "runtime-failed" when
   *  onnxruntime or TensorFlow fails; "disposed" after {@link ResidentState.dispose}. The state is then what it was. */
  run(inputs: Readonly<Record<string, InputValue>>): Promise<HostTensors>;
  /** Runs the step on the state as it stands, without advancing it, and tells what it is made of and what it costs.
   *  @throws LejepaError "no-graph" on the eager engine; "no-profile" on the tensorflow engine, whose profiler is out of
   *  reach; "bad-input"; "bad-option"; "disposed" */
  explain(options?: ExplainOptions): Promise<Explanation>;
  /** Captures the step again and compares it with what was compiled, node by node and number by number. Compiling does so
   *  once; this finds what changes only later, such as a schedule in a variable of the caller's, whose first value the
   *  compiled step goes on with. The state stays as it is. The eager engine freezes nothing and has nothing to compare.
   *  @throws LejepaError "changing-constant" or "changing-structure", which name the line; "disposed" */
  retrace(): Promise<void>;
  /** Wall-clock milliseconds that compiling took, the loading of the graph included. */
  readonly compileMilliseconds: number;
  /** Operations in the graph that runs; 0 for the eager engine, which has no graph. */
  readonly nodes: number;
}

/** Options of {@link CompiledEntry.explain}. */
export interface ExplainOptions {
  /** What to run it on; numbers in [-1, 1] and zeros for int32 when left out. */
  readonly inputs?: Readonly<Record<string, InputValue>>;
  /** How often; 10 when left out. */
  readonly runs?: number;
}

/** What all nodes of one operator cost. */
export interface OpCost {
  /** The operator as onnxruntime runs it: some are its fusions of several. */
  readonly op: string;
  /** Nodes of this operator. */
  readonly count: number;
  /** Milliseconds of one run in all of them. */
  readonly milliseconds: number;
  /** Of the time in all nodes, 0..1. */
  readonly share: number;
}

/** What one node costs. */
export interface NodeCost {
  /** Its name in the ONNX file, or the one that onnxruntime gave to a fusion. */
  readonly name: string;
  /** Its operator. */
  readonly op: string;
  /** Milliseconds of one run. */
  readonly milliseconds: number;
  /** "file:line:column" of the call that it comes from, where it is known. */
  readonly calledAt: string | undefined;
}

/** Bytes that a step needs while it runs. */
export interface MemoryUse {
  /** The state of the program: one array for each tensor. */
  readonly stateBytes: number;
  /** The inputs of one run. */
  readonly inputBytes: number;
  /** The most that onnxruntime's allocator had in use at once, by its own count: constants, intermediate values, scratch
   *  of the operators, next state and outputs. */
  readonly arenaPeakBytes: number;
  /** What that allocator had taken from the system by then; it keeps it until the step is disposed. */
  readonly arenaHeldBytes: number;
  /** stateBytes + inputBytes + arenaPeakBytes. Not in it: copies of results that await garbage collection, the code of
   *  onnxruntime and Node themselves. */
  readonly peakBytes: number;
}

/** What {@link CompiledEntry.explain} returns. Times of nodes are medians by onnxruntime's profiler, after a first run
 *  that is left out. */
export interface Explanation {
  /** Runs that were measured. */
  readonly runs: number;
  /** Median wall-clock milliseconds of one run without the profiler. */
  readonly milliseconds: number;
  /** Milliseconds that compiling took. */
  readonly compileMilliseconds: number;
  /** Operators of the ONNX graph and how many nodes each has, most first. */
  readonly nodes: Readonly<Record<string, number>>;
  /** Operators as onnxruntime runs them, and "AdamW in place" behind them, most expensive first. */
  readonly costs: readonly OpCost[];
  /** The twenty most expensive nodes. */
  readonly slowest: readonly NodeCost[];
  /** Memory at peak. */
  readonly memory: MemoryUse;
  /** The graph as an ONNX file, for viewers such as Netron. Updates of the state that come behind it are not in it:
   *  what they need are its outputs update/0, update/1, .. */
  readonly onnx: Uint8Array;
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

/** The engines that there are. */
export const engineNames = ["onnx", "tensorflow", "eager"] as const;
/** One of {@link engineNames}. */
export type EngineName = (typeof engineNames)[number];

/** Runs steps. Made by {@link createEngine}. */
export interface Engine {
  /** Which engine this is; never another than the one asked for by name. */
  readonly name: EngineName;
  /** What it runs on, for a person: library, version, threads. */
  readonly description: string;
  /** Why "auto" is this engine, in a sentence or two; left out where the engine was asked for by name. */
  readonly reason?: string;
  /** Prepares a step to run over and over.
   *  @throws LejepaError with one of {@link EngineErrorCode} when the step cannot be captured, "bad-step", "bad-state" or
   *  "bad-input" for a step, a state or inputs that are none, and "disposed" after {@link Engine.dispose} */
  compile(step: Step, spec: StepSpec): Promise<CompiledStep>;
  /** Prepares several steps over one state, which is in memory once: `{ step, grads, apply, embed }`, say. Each is
   *  given the whole state and returns the whole state. What a step returns as it came in is never copied.
   *  @throws LejepaError as for one step */
  compile<Name extends string>(
    steps: Readonly<Record<Name, Step>>,
    spec: ProgramSpec<Name>,
  ): Promise<CompiledProgram<Name>>;
  /** Disposes every step compiled by this engine, which compiles no more. Further calls of `dispose` do nothing. */
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
 *  - "step-failed": the step throws an exception without a code, tfjs's or its own, which is the `cause`
 *  - "no-gradient": the step differentiates through a kernel that tfjs has no gradient for
 *  - "index-out-of-range": a kernel was given an index of an element that there is not
 *  - "runtime-failed": onnxruntime or TensorFlow refused a step, or failed in one
 *  - "disposed": used after `dispose`
 *  - "no-graph": `explain` on the eager engine
 *  - "no-profile": `explain` on the tensorflow engine
 *  - "no-processes": the step averages over processes, and the engine was given no process group
 *  - "process-lost", "processes-differ": from the exchange between processes
 *  - "worker-failed": the worker thread of a compiled engine cannot start, or ended
 *  - "unread-attribute", "invalid-graph": a fault of this package; please report it */
export type EngineErrorCode =
  | "unknown-engine"
  | "engine-unavailable"
  | "bad-option"
  | "unsupported-kernel"
  | "tensor-read"
  | "variable-created"
  | "random-draw"
  | "changing-constant"
  | "changing-structure"
  | "outside-tensor"
  | "bad-step"
  | "state-mismatch"
  | "bad-input"
  | "bad-state"
  | "step-failed"
  | "no-gradient"
  | "index-out-of-range"
  | "runtime-failed"
  | "disposed"
  | "no-graph"
  | "no-profile"
  | "no-processes"
  | "process-lost"
  | "processes-differ"
  | "worker-failed"
  | "unread-attribute"
  | "invalid-graph";
