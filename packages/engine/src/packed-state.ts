/** State of many small tensors, kept as a few flat arrays between steps: each array that goes into onnxruntime and comes
 *  out again costs microseconds however small it is. Measured figures are at {@link planPacks}. */
import type { HostTensors } from "@lejepa/ops";
import {
  literalOf,
  newValue,
  sizeOf,
  type Graph,
  type GraphNode,
  type Literal,
  type Value,
} from "./graph/graph.js";
import { port } from "./graph/port.js";
import { deadCode } from "./passes/dead-code.js";
import { identities } from "./passes/identities.js";
import { runPasses } from "./passes/run-passes.js";

/** Tensors of the state that lie end to end in one array. */
export interface Pack {
  /** What the host knows the array by. */
  readonly name: string;
  /** Names of the tensors, in order. */
  readonly members: readonly string[];
}

/** Packs for the steps of one program, from its ONNX graphs: the tensors that a step makes by splitting one vector, as
 *  the updates of optimisers are that the pass "flat updates" joined. Refused where a step of the program changes some
 *  members and leaves others alone: those would be copied. */
export function planPacks(graphs: readonly Graph[], names: readonly string[]): Pack[] {
  const packs: Pack[] = [];
  const used = new Set(names);
  const packed = new Set<string>();
  const changes = graphs.map(
    ({ outputs }) =>
      new Set(names.filter((name) => outputs.some((each) => each.name === port.nextState(name)))),
  );
  for (const graph of graphs)
    for (const members of splitState(graph, names)) {
      const together = changes.every(
        (changed) =>
          members.every((name) => changed.has(name)) || !members.some((name) => changed.has(name)),
      );
      if (!together || members.some((name) => packed.has(name))) continue;
      let name = `${members[0]} and ${members.length - 1} more`;
      while (used.has(name)) name += "'";
      used.add(name);
      for (const member of members) packed.add(member);
      packs.push({ name, members });
    }
  return packs;
}

/** For each vector that a graph splits into new state and nothing else: the names of that state in order. */
function splitState({ nodes, outputs }: Graph, names: readonly string[]): string[][] {
  const stateOf = new Map<Value, string>();
  for (const name of names) {
    const made = outputs.find((each) => each.name === port.nextState(name));
    if (made) stateOf.set(made.value, name);
  }
  for (const {
    op,
    inputs,
    outputs: [y],
  } of nodes)
    if (op === "Reshape" && stateOf.has(y!)) stateOf.set(inputs[0]!, stateOf.get(y!)!);
  return nodes.flatMap(({ op, domain, inputs, outputs: parts }) => {
    if (op !== "Split" || domain !== "" || inputs[0]!.shape.length !== 1) return [];
    const members = parts.flatMap((part) => stateOf.get(part) ?? []);
    return members.length === parts.length && new Set(members).size === members.length
      ? [members]
      : [];
  });
}

/** The graph with packs for ports instead of their members. A pack that no step changes has no port behind. */
export function withPacks(
  graph: Graph,
  packs: readonly Pack[],
  state: HostTensors,
  leftOut?: string,
): Graph {
  if (packs.length === 0) return graph;
  const literals = new Map<Value, Literal>(graph.literals);
  const list = (values: readonly number[]): Value => {
    const value = newValue([values.length], "int64");
    literals.set(value, literalOf(values));
    return value;
  };
  const first: GraphNode[] = [];
  const last: GraphNode[] = [];
  let { inputs, outputs } = graph;
  for (const { name, members } of packs) {
    const sizes = members.map((each) => sizeOf(state[each]!.shape));
    // A graph that is a part of a step may lack ports of state that it does not use.
    const before = members.map(
      (each) => valueOf(inputs, port.state(each)) ?? newValue(state[each]!.shape, "float32"),
    );
    const whole = () => newValue([sizes.reduce((sum, size) => sum + size)], "float32");
    const parts = before.map((value, i) =>
      value.shape.length === 1 ? value : newValue([sizes[i]!], "float32"),
    );
    const pack = whole();
    first.push(node("Split", [pack, list(sizes)], { axis: 0 }, parts));
    before.forEach((value, i) => {
      if (value !== parts[i])
        first.push(node("Reshape", [parts[i]!, list(value.shape)], {}, [value]));
    });
    const isMember = (makes: (name: string) => string) => {
      const ports = new Set(members.map(makes));
      return (each: { readonly name: string }) => ports.has(each.name);
    };
    inputs = [
      ...inputs.filter((each) => !isMember(port.state)(each)),
      { name: port.state(name), value: pack },
    ];
    const after = members.map((each) => valueOf(outputs, port.nextState(each)));
    if (after[0] === undefined) continue;
    const flat = after.map((value, i) => {
      const row = newValue([sizes[i]!], "float32");
      last.push(node("Reshape", [value!, list(row.shape)], {}, [row]));
      return row;
    });
    const next = whole();
    last.push(node("Concat", flat, { axis: 0 }, [next]));
    outputs = [
      ...outputs.filter((each) => !isMember(port.nextState)(each)),
      { name: port.nextState(name), value: next },
    ];
  }
  const packed = {
    ...graph,
    literals,
    inputs,
    outputs,
    nodes: [...first, ...graph.nodes, ...last],
  };
  return runPasses(packed, [identities, deadCode], leftOut);
}

const valueOf = (ports: Graph["inputs"], wanted: string): Value | undefined =>
  ports.find((candidate) => candidate.name === wanted)?.value;

const node = (
  op: string,
  inputs: readonly Value[],
  attributes: GraphNode["attributes"],
  outputs: readonly Value[],
): GraphNode => ({ op, domain: "", inputs, attributes, outputs });

/** Names of what the host keeps: packs, and the tensors that are in none. */
export function slotsOf(names: readonly string[], packs: readonly Pack[]): string[] {
  const packed = new Set(packs.flatMap(({ members }) => members));
  return [...names.filter((name) => !packed.has(name)), ...packs.map(({ name }) => name)];
}

/** A state as the host keeps it. What is in no pack is not copied. */
export function packed(state: HostTensors, packs: readonly Pack[]): HostTensors {
  const slots: Record<string, HostTensors[string]> = { ...state };
  for (const { name, members } of packs) {
    const length = members.reduce((sum, each) => sum + sizeOf(state[each]!.shape), 0);
    const data = new Float32Array(length);
    let offset = 0;
    for (const each of members) {
      data.set(state[each]!.data, offset);
      offset += state[each]!.data.length;
      delete slots[each];
    }
    slots[name] = { shape: [length], data };
  }
  return slots;
}

/** The state of `declared` names and shapes, in that order, from what the host keeps. What was in no pack is not
 *  copied. */
export function unpacked(
  slots: HostTensors,
  packs: readonly Pack[],
  declared: HostTensors,
): HostTensors {
  const members = new Map<string, Float32Array>();
  for (const pack of packs) {
    let offset = 0;
    for (const name of pack.members) {
      const end = offset + sizeOf(declared[name]!.shape);
      members.set(name, slots[pack.name]!.data.slice(offset, end));
      offset = end;
    }
  }
  return Object.fromEntries(
    Object.entries(declared).map(([name, { shape }]) => [
      name,
      { shape, data: members.get(name) ?? slots[name]!.data },
    ]),
  );
}
