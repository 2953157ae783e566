/** Captures a step as a graph: runs it twice on a recorder and compares what was recorded. */
import * as tf from "@tensorflow/tfjs-core";
import type { HostTensors, Tensors } from "@lejepa/ops";
import { withBackend } from "../active-backend.js";
import type { Step } from "../engine.js";
import { newValue, type Graph, type Literal, type Port, type Value } from "../graph/graph.js";
import type { LoweringTarget } from "../lower.js";
import { callStep } from "../step-call.js";
import type { ResolvedInput } from "../step-values.js";
import { CallSite } from "../graph/call-site.js";
import { compareTraces } from "./compare-traces.js";
import { port } from "../graph/port.js";
import { withoutDraws } from "./random-draws.js";
import { Recorder, recorderName, registerRecorderKernels, type RecordedEvent } from "./recorder.js";

/** One run of the step on a recorder. */
export interface Trace {
  readonly inputs: readonly Port[];
  readonly outputs: readonly Port[];
  readonly events: readonly RecordedEvent[];
}

/** A step as it was captured. */
export interface Captured {
  /** Its inputs are `state/..` and `input/..`, its outputs `next/..` and `output/..`. */
  readonly graph: Graph;
  /** What {@link retrace} compares with. */
  readonly trace: Trace;
}

/** Captures a step. tfjs is left as it was found, also when the step is refused. */
export function capture(
  step: Step,
  state: HostTensors,
  inputs: readonly ResolvedInput[],
  target: LoweringTarget,
): Captured {
  registerRecorderKernels(target);
  const first = trace(step, state, inputs, target);
  compareTraces(first, trace(step, state, inputs, target));
  return { graph: graphOf(first), trace: withoutSites(first) };
}

/** Captures a step again. Throws "changing-constant" or "changing-structure" where it is no longer what it was. */
export function retrace(
  before: Trace,
  step: Step,
  state: HostTensors,
  inputs: readonly ResolvedInput[],
  target: LoweringTarget,
): void {
  compareTraces(before, trace(step, state, inputs, target));
}

/** A call site holds on to every function on the stack and to what those hold on to. */
const withoutSites = ({ inputs, outputs, events }: Trace): Trace => ({
  inputs,
  outputs,
  events: events.map((event) =>
    event.kind === "kernel"
      ? { kind: "kernel", node: { ...event.node, site: undefined } }
      : { kind: "literal", recorded: { ...event.recorded, site: undefined } },
  ),
});

function graphOf(first: Trace): Graph {
  const literals = new Map<Value, Literal>();
  for (const event of first.events)
    if (event.kind === "literal") literals.set(event.recorded.value, event.recorded.literal);
  return {
    stage: "captured",
    inputs: first.inputs,
    outputs: first.outputs,
    literals,
    nodes: first.events.flatMap((event) => (event.kind === "kernel" ? [event.node] : [])),
  };
}

function trace(
  step: Step,
  state: HostTensors,
  inputs: readonly ResolvedInput[],
  target: LoweringTarget,
): Trace {
  const recorder = new Recorder(target);
  const name = recorderName(target);
  tf.registerBackend(name, () => recorder, 0);
  try {
    return withBackend(name, () =>
      withoutVariables(recorder, () =>
        withoutDraws(
          (draw) =>
            recorder.refuse(
              "random-draw",
              `The step draws random numbers by ${draw} at ${String(new CallSite())}, which a compiled step would freeze, with a seed or without; draw them outside and pass them in as an input.`,
            ),
          () => tidily(() => record(recorder, step, state, inputs, target)),
        ),
      ),
    );
  } catch (error) {
    throw recorder.refusal ?? error;
  } finally {
    tf.removeBackend(name);
  }
}

/** tf.tidy for a result that holds no tensors. */
function tidily<R>(body: () => R): R {
  let result!: R;
  tf.tidy(() => {
    result = body();
  });
  return result;
}

function record(
  recorder: Recorder,
  step: Step,
  state: HostTensors,
  inputs: readonly ResolvedInput[],
  { engine }: LoweringTarget,
): Trace {
  const ports: Port[] = [];
  const tensor = (name: string, value: Value): tf.Tensor => {
    ports.push({ name, value });
    const { dataId, shape, dtype } = recorder.infoOf(value);
    return tf.engine().makeTensorFromDataId(dataId, shape, dtype, recorder);
  };
  const stateTensors = Object.fromEntries(
    Object.entries(state).map(([name, { shape }]) => [
      name,
      tensor(port.state(name), newValue(shape, "float32")),
    ]),
  );
  const inputTensors = Object.fromEntries(
    inputs.map(({ name, shape, dtype }) => [
      name,
      tensor(port.input(name), newValue(shape, dtype)),
    ]),
  );
  const given = { state: stateTensors, inputs: inputTensors };
  const result = callStep(step, given, state, engine);
  if (recorder.refusal) throw recorder.refusal;
  const site = new CallSite();
  const named = (tensors: Tensors, names: readonly string[], as: (name: string) => string) =>
    names.map((name) => ({
      name: as(name),
      value: recorder.valueBehind(tensors[name]!, `return of "${name}"`, site),
    }));
  return {
    inputs: ports,
    outputs: [
      ...named(result.state, Object.keys(state), port.nextState),
      ...named(result.outputs, Object.keys(result.outputs), port.output),
    ],
    events: recorder.events,
  };
}

/** tf.variable refuses while `body` runs: a variable outlives the step and would change unseen. */
function withoutVariables<R>(recorder: Recorder, body: () => R): R {
  const engine = tf.engine() as { makeVariable: unknown };
  engine.makeVariable = (initial: tf.Tensor) =>
    recorder.refuse(
      "variable-created",
      `The step creates a variable of ${recorder.describe(initial)} at ${String(new CallSite())}; a step is a pure function: pass the tensor in as state and return its new value.`,
    );
  try {
    return body();
  } finally {
    // The method of the class shows again.
    delete engine.makeVariable;
  }
}
