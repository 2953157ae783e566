import { newValue, sizeOf, type Graph, type GraphNode, type Value } from "../graph/graph.js";
import { adamwInPlace } from "./in-place-updates.js";
import type { Pass } from "./rewrite-nodes.js";

/** Elements of the largest tensor that is laid end to end with others: from there on copying it costs more than a dozen
 *  operations more. */
const largest = 2 ** 17;
/** Elements of the longest vector, if it is of several tensors. onnxruntime gives an elementwise operation a second
 *  thread from about 90,000 elements on: on two threads the operations of AdamW over 166,400 take 205 us in one vector,
 *  and 345 in three of 36,864 to 73,728. */
const longest = 2 ** 18;

const operands = ["parameter", "mean", "square", "gradient"] as const;
const scalars = ["learningRate", "correction1", "correction2"] as const;

/** Optimiser updates of many small tensors become one over all of them laid end to end: an operation costs
 *  microseconds however little it computes, and an update is a dozen of them; one in place needs but its gradient, and
 *  there it is the array that costs them. Over tfjs kernels: before, one AdamW for each tensor;
 *  after, for each set of constants and scalars, Reshape and Concat of the operands, one AdamW, Split and Reshape of its
 *  results. A vector that grows too long is followed by another. Refused: tensors so large that copying costs more than
 *  operations do, updates whose results the step goes on to use, and an update that is alone in its constants and
 *  scalars. */
export const flatUpdates: Pass = {
  name: "flat updates",
  run(graph) {
    const groups = groupsOf(graph);
    const members = new Set(groups.flat());
    const nodes = graph.nodes.flatMap((node) => {
      if (!members.has(node)) return [node];
      // Where the last of a group stands, all of its operands are made.
      const group = groups.find((each) => each.at(-1) === node);
      return group ? flattened(group) : [];
    });
    return { ...graph, nodes };
  },
};

/** Updates that can be one, two or more to a group. */
function groupsOf({ nodes }: Graph): GraphNode[][] {
  const used = new Set(nodes.flatMap(({ inputs }) => inputs));
  const groups: GraphNode[][] = [];
  /** Of each kind the group that takes more, and how long it is. */
  const open = new Map<string, { group: GraphNode[]; length: number }>();
  for (const node of nodes) {
    if (node.op !== "LejepaAdamw" && node.op !== adamwInPlace) continue;
    const size = sizeOf(operand(node, "parameter").shape);
    if (size > largest) continue;
    if (node.outputs.some((output) => used.has(output))) continue;
    const shared = scalars.map((name) => operand(node, name).id);
    const kind = JSON.stringify([node.op, shared, Object.entries(node.attributes).sort()]);
    let last = open.get(kind);
    if (!last || last.length + size > longest) {
      last = { group: [], length: 0 };
      open.set(kind, last);
      groups.push(last.group);
    }
    last.group.push(node);
    last.length += size;
  }
  return groups.filter((group) => group.length > 1);
}

const operand = ({ inputNames, inputs }: GraphNode, name: string): Value =>
  inputs[inputNames!.indexOf(name)]!;

function flattened(group: readonly GraphNode[]): GraphNode[] {
  const [first] = group as [GraphNode];
  const nodes: GraphNode[] = [];
  const add = (
    op: string,
    inputs: Readonly<Record<string, Value>>,
    attributes: GraphNode["attributes"],
    outputs: readonly Value[],
  ): void => {
    nodes.push({
      op,
      domain: "tfjs",
      inputNames: Object.keys(inputs),
      inputs: Object.values(inputs),
      attributes,
      outputs,
      site: first.site,
    });
  };
  const sizes = group.map((node) => sizeOf(operand(node, "parameter").shape));
  const total = sizes.reduce((sum, size) => sum + size);
  const flat: Record<string, Value> = {};
  for (const name of operands) {
    const rows = group.map((node, i) => {
      const row = newValue([sizes[i]!], "float32");
      add("Reshape", { x: operand(node, name) }, { shape: row.shape }, [row]);
      return row;
    });
    flat[name] = newValue([total], "float32");
    add("Concat", Object.fromEntries(rows.entries()), { axis: 0 }, [flat[name]]);
  }
  for (const name of scalars) flat[name] = operand(first, name);
  const results = first.outputs.map(() => newValue([total], "float32"));
  add(first.op, flat, first.attributes, results);
  results.forEach((result, k) => {
    const rows = sizes.map((size) => newValue([size], "float32"));
    add("SplitV", { x: result }, { numOrSizeSplits: sizes, axis: 0 }, rows);
    group.forEach(({ outputs }, i) => {
      const output = outputs[k]!;
      add("Reshape", { x: rows[i]! }, { shape: output.shape }, [output]);
    });
  });
  return nodes;
}
