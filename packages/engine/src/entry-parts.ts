/** The models of one entry: one, or where it averages over processes one for each segment. */
import { AllReduceMean, type HostTensors } from "@lejepa/ops";
import { engineError } from "./engine-error.js";
import type { Graph } from "./graph/graph.js";
import { port } from "./graph/port.js";
import type { LoweringTarget } from "./lower.js";
import { slotsOf, withPacks, type Pack } from "./packed-state.js";
import { rewriteCaptured, type StateKeeping } from "./passes/run-passes.js";
import { segmentsOf, type HandingOn, type Segment } from "./passes/segments.js";
import type { ProcessGroup } from "./processes/process-group.js";
import type { ResolvedEntry } from "./program.js";
import type { ModelPorts } from "./session-host.js";
import { splitUpdates } from "./updates/host-updates.js";

/** How an engine makes a model of a captured step. */
export interface ModelMaker extends LoweringTarget, StateKeeping {
  /** How it hands values on from one segment of a step to the next. */
  readonly handingOn: HandingOn;
  /** The graphs that run, of the segments of a rewritten captured graph, in order. */
  readonly lower: (segments: readonly Graph[]) => readonly Graph[];
  /** What the host opens. `state` and `inputs` name everything that is fed, in order. */
  readonly encode: (
    graph: Graph,
    ports: ModelPorts,
    state: readonly string[],
    inputs: readonly string[],
  ) => Uint8Array;
  /** The processes that steps average over. */
  readonly processes?: ProcessGroup | undefined;
}

/** A model that runs, and what it is fed. */
export interface Part {
  readonly graph: Graph;
  readonly model: Uint8Array;
  readonly ports: ModelPorts;
  /** Names of its inputs, in the order in which they are fed. */
  readonly inputs: readonly string[];
  /** Names of those outputs that are averaged over processes behind it, to be inputs of later parts. */
  readonly averages: readonly string[];
}

/** A part as lowered: what it is of, and its graph without the state that it leaves alone among the outputs. */
export interface LoweredPart {
  /** What it is called within its program. */
  readonly name: string;
  readonly segment: Segment;
  readonly inputs: readonly string[];
  readonly graph: Graph;
}

/** The graphs of an entry that was captured as `graph`, in the order in which they run; it is called `name` within its program. */
export function loweredParts(
  maker: ModelMaker,
  entry: ResolvedEntry,
  name: string,
  state: HostTensors,
  graph: Graph,
): LoweredPart[] {
  const captured = rewriteCaptured(graph, maker);
  const segments = segmentsOf(captured, maker.handingOn);
  if (segments.length > 1 && maker.processes === undefined) throw noProcesses(captured);
  const graphs = maker.lower(segments.map((segment) => segment.graph));
  return segments.map((segment, i) => {
    const whole = { segment, graph: graphs[i]! };
    if (segments.length === 1) {
      const declared = entry.inputs.map((each) => each.name);
      return loweredPart(entry, name, state, whole, declared);
    }
    const used = segment.graph.inputs.flatMap((each) =>
      port.isInput(each.name) ? [port.inputName(each.name)] : [],
    );
    return loweredPart(entry, `${name}-${i}`, state, whole, used);
  });
}

function loweredPart(
  { name: stepName }: ResolvedEntry,
  name: string,
  state: HostTensors,
  { segment, graph: whole }: Pick<LoweredPart, "segment" | "graph">,
  inputs: readonly string[],
): LoweredPart {
  const writes = Object.keys(state).filter((key) => {
    const next = valueOf(whole.outputs, port.nextState(key));
    return next !== undefined && next !== valueOf(whole.inputs, port.state(key));
  });
  const made = new Set([...writes.map(port.nextState), ...segment.keeps]);
  const outputs = whole.outputs.filter((each) => made.has(each.name) || port.isOutput(each.name));
  if (outputs.length === 0)
    throw engineError(
      "bad-step",
      `The ${stepName === "step" ? "step" : `step "${stepName}"`} computes nothing: it returns its state unchanged and no outputs.`,
    );
  return { name, segment, inputs, graph: { ...whole, outputs } };
}

/** The model of a lowered part between the arrays that the host keeps, without those that it does not need. */
export function modelOf(
  maker: ModelMaker,
  { name, segment, inputs, graph: lowered }: LoweredPart,
  state: HostTensors,
  packs: readonly Pack[],
): Part {
  const { takes, keeps, drops, averages } = segment;
  const { graph: whole, updates } = splitUpdates(withPacks(lowered, packs, state, maker.leftOut));
  const { outputs } = whole;
  const slots = slotsOf(Object.keys(state), packs);
  const used = new Set([
    ...whole.nodes.flatMap((node) => node.inputs),
    ...outputs.map(({ value }) => value),
  ]);
  const reads = slots.filter((key) => {
    const value = valueOf(whole.inputs, port.state(key));
    return value !== undefined && used.has(value);
  });
  const fed = new Set([...reads.map(port.state), ...inputs.map(port.input), ...takes]);
  const graph = { ...whole, inputs: whole.inputs.filter((each) => fed.has(each.name)) };
  const ports: ModelPorts = {
    entry: name,
    reads,
    writes: slots.filter((key) => valueOf(outputs, port.nextState(key)) !== undefined),
    outputs: outputs.flatMap((each) =>
      port.isOutput(each.name) ? [port.outputName(each.name)] : [],
    ),
    takes,
    keeps,
    drops,
    updates,
  };
  const model = maker.encode(graph, ports, slots, inputs);
  return { graph, model, ports, inputs, averages };
}

const valueOf = (ports: Graph["inputs"], wanted: string) =>
  ports.find((candidate) => candidate.name === wanted)?.value;

function noProcesses({ nodes }: Graph): Error {
  const site = nodes.find(({ op }) => op === AllReduceMean)?.site;
  return engineError(
    "no-processes",
    `The step averages over processes at ${String(site)}, and this engine knows of none; give createEngine the option processes.`,
  );
}
