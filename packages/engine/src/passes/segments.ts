import { AllReduceMean } from "@lejepa/ops";
import { port } from "../graph/port.js";
import { minCut, type FlowEdge } from "./min-cut.js";
import { sizeOf, type Graph, type GraphNode, type Port, type Value } from "../graph/graph.js";

/** A part of a step between two exchanges with other processes. */
export interface Segment {
  /** What it computes, at the stage of the whole graph. */
  readonly graph: Graph;
  /** Names of input ports that earlier segments kept for this one. */
  readonly takes: readonly string[];
  /** Names of output ports that later segments take. */
  readonly keeps: readonly string[];
  /** Those kept before, or here, that no segment behind this one takes. */
  readonly drops: readonly string[];
  /** What is averaged over processes behind it, in one exchange and in this order: names of its outputs, and of inputs
   *  of later segments. */
  readonly averages: readonly string[];
}

/** How a host hands values on from one segment to the next: as copies, or as they are. */
export type HandingOn = "copies" | "references";

/** The name of the output that gives an average its operand, and of the input that takes its result. */
const averageName = (index: number): string => `all-reduce mean ${index}`;

/** Kernels that are only another view of their operand: cheaper to repeat than to hand on. */
const views = new Set(["Reshape", "Identity", "ExpandDims"]);

/** Cuts a graph over tfjs kernels at the places where it averages over processes.
 *
 *  The level of a node is the number of averages on the longest path to it. Segment s computes the nodes of level s, and
 *  all averages whose operands are of level s are one exchange behind it. The values of the step leave by the last
 *  segment; state and inputs are there for each. A node that only later segments use moves to the first of them, unless
 *  its operands would then be more to hand on than its results. Views and what is made of constants alone are repeated
 *  where they are used, and where handing on takes copies, large values that are cheaper to compute. A graph without
 *  averages is its only segment, as it is. */
export function segmentsOf(graph: Graph, handingOn: HandingOn): readonly Segment[] {
  const averages = graph.nodes.filter(isAverage);
  if (averages.length === 0) return [{ graph, takes: [], keeps: [], drops: [], averages: [] }];
  const levels = levelsOf(graph);
  const count = Math.max(...averages.map(({ outputs }) => levels.get(outputs[0]!)!)) + 1;
  const sources = sourcesOf(graph);
  const places = placesOf(graph, levels, sources, count - 1);
  const kept = keptValues(graph, places, sources, handingOn);
  const indexOf = new Map(averages.map((node, i) => [node.outputs[0]!, i]));
  const drafts = Array.from({ length: count }, (_, s) => {
    const behind = averages.filter(({ outputs }) => levels.get(outputs[0]!) === s + 1);
    const outputs = behind.map((node): Port => {
      const name = averageName(indexOf.get(node.outputs[0]!)!);
      return { name: port.output(name), value: node.inputs[0]! };
    });
    return draft(graph, places, kept, indexOf, s, s === count - 1 ? graph.outputs : outputs);
  });
  return joined(drafts);
}

const isAverage = ({ op }: GraphNode): boolean => op === AllReduceMean;

/** Averages on the longest path to each value; 0 for those that are not in the map. */
function levelsOf({ nodes }: Graph): Map<Value, number> {
  const levels = new Map<Value, number>();
  for (const node of nodes) {
    const operands = node.inputs.map((input) => (input && levels.get(input)) ?? 0);
    const level = Math.max(0, ...operands) + (isAverage(node) ? 1 : 0);
    for (const output of node.outputs) levels.set(output, level);
  }
  return levels;
}

/** Where nodes are computed, and where their results are used. */
interface Places {
  /** The segment of each node; none for nodes that are repeated where they are used, and for averages. */
  readonly places: ReadonlyMap<GraphNode, number>;
  /** The segments that use a value, directly or through nodes that are repeated. */
  readonly needs: ReadonlyMap<Value, ReadonlySet<number>>;
}

function placesOf(
  graph: Graph,
  levels: ReadonlyMap<Value, number>,
  { sources, repeated }: Sources,
  last: number,
): Places {
  const needs = new Map<Value, Set<number>>();
  const needIn = (value: Value, segment: number): void =>
    void (needs.get(value) ?? needs.set(value, new Set()).get(value)!).add(segment);
  const needsOf = (values: readonly Value[]): number[] =>
    values.flatMap((value) => [...(needs.get(value) ?? [])]);
  for (const { value } of graph.outputs) needIn(value, last);

  const places = new Map<GraphNode, number>();
  for (const node of [...graph.nodes].reverse()) {
    const operands = node.inputs.filter((input) => input !== undefined);
    const own = levels.get(node.outputs[0]!)!;
    if (isAverage(node)) {
      needIn(operands[0]!, own - 1);
      continue;
    }
    const users = needsOf(node.outputs);
    if (users.length === 0) continue;
    if (repeated.has(node)) {
      for (const operand of operands) for (const segment of users) needIn(operand, segment);
      continue;
    }
    const first = Math.min(...users);
    // What later segments use of an operand anyway is handed on anyway.
    const toHandOn = operands
      .flatMap((value) => sources.get(value)!)
      .filter((value) => !needsOf([value]).some((segment) => segment > levels.get(value)!));
    const place = first > own && elements(toHandOn) <= elements(node.outputs) ? first : own;
    places.set(node, place);
    for (const operand of operands) needIn(operand, place);
  }
  return { places, needs };
}

interface Sources {
  /** For each value what has to be handed on for it to be there. */
  readonly sources: ReadonlyMap<Value, readonly Value[]>;
  /** The nodes that are repeated where they are used. */
  readonly repeated: ReadonlySet<GraphNode>;
}

function sourcesOf({ nodes, inputs, literals }: Graph): Sources {
  const sources = new Map<Value, readonly Value[]>();
  const repeated = new Set<GraphNode>();
  const constants = new Set<Value>(literals.keys());
  for (const value of [...inputs.map(({ value }) => value), ...constants]) sources.set(value, []);
  for (const node of nodes) {
    const operands = node.inputs.filter((input) => input !== undefined);
    const isConstant = !isAverage(node) && operands.every((operand) => constants.has(operand));
    if (isConstant) for (const output of node.outputs) constants.add(output);
    if (isConstant || views.has(node.op)) repeated.add(node);
    for (const output of node.outputs) {
      const behind = operands.flatMap((operand) => sources.get(operand)!);
      sources.set(output, isAverage(node) ? [] : repeated.has(node) ? behind : [output]);
    }
  }
  return { sources, repeated };
}

const elements = (values: readonly Value[]): number =>
  [...new Set(values)].reduce((sum, { shape }) => sum + sizeOf(shape), 0);

/** The values that segments hand on; later ones compute the rest of what they use once more. A copy costs its bytes and
 *  what is repeated a share of them, and the cheapest choice is a minimum cut between what has to be computed where it is
 *  and what is used later. */
function keptValues(
  graph: Graph,
  { places, needs }: Places,
  { sources }: Sources,
  handingOn: HandingOn,
): Set<Value> {
  const edges: FlowEdge<Value | string>[] = [];
  const wanted = new Set<Value>();
  for (const node of [...graph.nodes].reverse()) {
    const place = places.get(node);
    if (place === undefined) continue;
    const price = handingOn === "copies" ? repeatPrice(node) : Infinity;
    for (const output of node.outputs) {
      const usedLater = [...(needs.get(output) ?? [])].some((segment) => segment > place);
      if (!usedLater && !wanted.has(output)) continue;
      const before = `before ${output.id}`;
      edges.push({ from: before, to: output, capacity: bytesOf(output) });
      edges.push({ from: "computed once", to: before, capacity: price });
      if (usedLater) edges.push({ from: output, to: "used later", capacity: Infinity });
      if (price === Infinity) continue;
      for (const value of node.inputs.flatMap((input) => (input ? sources.get(input)! : []))) {
        wanted.add(value);
        edges.push({ from: value, to: before, capacity: Infinity });
      }
    }
  }
  const cut = minCut(edges, "computed once", "used later");
  return new Set(cut.flatMap(({ to }) => (typeof to === "string" ? [] : [to])));
}

/** What it costs to compute a node's result once more, where handing a byte on costs 1: Infinity where that is not done.
 *  On one thread of onnxruntime 4 MiB take 0.45 to 0.65 ms to copy out, 0.08 to 0.1 to operate on, 0.25 for a sigmoid
 *  and 0.6 for a product of inner length 64. Repeating counts for half of that: what is handed on lies outside V8's heap
 *  but counts for it, and the marking that 38 MiB set off at every step doubled the time of the ViT's. Of less than
 *  `leastBytes` the fixed costs are most. */
function repeatPrice({ op, inputs, outputs, attributes }: GraphNode): number {
  const bytes = bytesOf(outputs[0]!);
  if (bytes < leastBytes) return Infinity;
  if (op === "BatchMatMul") {
    const length = inputs[0]!.shape.at(attributes.transposeA ? -2 : -1)!;
    return (bytes * length) / 128;
  }
  return bytes * (repeatable[op] ?? Infinity);
}

const operations = ["Add", "Sub", "Multiply", "RealDiv", "Maximum", "Minimum"];
const functions = ["Square", "Neg", "Abs", "Relu", "Step"];
const transcendental = ["Sigmoid", "Tanh", "Erf", "Exp"];
const repeatable: Readonly<Record<string, number>> = {
  ...Object.fromEntries([...operations, ...functions].map((op) => [op, 0.1])),
  ...Object.fromEntries(transcendental.map((op) => [op, 0.25])),
  Transpose: 0.2,
};

const leastBytes = 1 << 16;

const bytesOf = ({ shape, dtype }: Value): number => sizeOf(shape) * (dtype === "bool" ? 1 : 4);

/** A segment before it is known what the others take of it. */
interface Draft {
  readonly inputs: readonly Port[];
  readonly literals: Graph["literals"];
  readonly nodes: readonly GraphNode[];
  readonly outputs: readonly Port[];
  /** Values that an earlier segment makes. */
  readonly carriedIn: ReadonlySet<Value>;
}

function draft(
  graph: Graph,
  { places }: Places,
  kept: ReadonlySet<Value>,
  averages: ReadonlyMap<Value, number>,
  segment: number,
  outputs: readonly Port[],
): Draft {
  const producers = new Map(
    graph.nodes.flatMap((node) => node.outputs.map((output) => [output, node] as const)),
  );
  const needed = new Set<Value>();
  const included = new Set<GraphNode>();
  const carriedIn = new Set<Value>();
  const made = [...kept].filter((value) => places.get(producers.get(value)!) === segment);
  const pending: (Value | undefined)[] = [...outputs.map(({ value }) => value), ...made];
  const include = (node: GraphNode): void => {
    if (included.has(node)) return;
    included.add(node);
    pending.push(...node.inputs);
  };
  while (pending.length > 0) {
    const value = pending.pop();
    if (value === undefined || needed.has(value)) continue;
    needed.add(value);
    const producer = producers.get(value);
    if (producer === undefined || averages.has(value)) continue;
    if (kept.has(value) && places.get(producer)! < segment) carriedIn.add(value);
    else include(producer);
  }
  return {
    inputs: [
      ...graph.inputs.filter(({ value }) => needed.has(value)),
      ...[...averages]
        .filter(([value]) => needed.has(value))
        .map(([value, index]) => ({ name: port.input(averageName(index)), value })),
    ],
    literals: new Map([...graph.literals].filter(([value]) => needed.has(value))),
    nodes: graph.nodes.filter((node) => included.has(node)),
    outputs,
    carriedIn,
  };
}

/** The segments, with ports for what they hand on. */
function joined(drafts: readonly Draft[]): Segment[] {
  const carried = [...new Set(drafts.flatMap(({ carriedIn }) => [...carriedIn]))];
  const names = new Map(carried.map((value, i) => [value, port.carried(i)]));
  const lastUse = new Map<Value, number>();
  drafts.forEach(({ carriedIn }, s) => carriedIn.forEach((value) => lastUse.set(value, s)));
  const nameOf = (value: Value): string => names.get(value)!;
  const portOf = (value: Value): Port => ({ name: nameOf(value), value });
  return drafts.map((own, s) => {
    const made = new Set(own.nodes.flatMap(({ outputs }) => outputs));
    const keeps = carried.filter((value) => made.has(value) && !own.carriedIn.has(value));
    const takes = [...own.carriedIn];
    return {
      graph: {
        stage: "captured",
        inputs: [...own.inputs, ...takes.map(portOf)],
        outputs: [...own.outputs, ...keeps.map(portOf)],
        literals: own.literals,
        nodes: own.nodes,
      },
      takes: takes.map(nameOf),
      keeps: keeps.map(nameOf),
      drops: takes.filter((value) => lastUse.get(value) === s).map(nameOf),
      averages: s === drafts.length - 1 ? [] : own.outputs.map(({ name }) => port.outputName(name)),
    };
  });
}
