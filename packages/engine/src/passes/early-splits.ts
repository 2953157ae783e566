import { newValue, rewire, type GraphNode, type Value } from "../graph/graph.js";
import type { Pass } from "./rewrite-nodes.js";

const elementwise = ["Add", "Sub", "Mul", "Div"];

/** What was computed a block of rows at a time, joined, and is split into the same blocks again goes on in blocks:
 *    Split(op(Concat(x0, x1), y))   is op(x0, y0), op(x1, y1)   with y0, y1 = Split(y), or y where it is broadcast.
 *  A block no longer waits for the others then, and is still in the processor's cache when its turn comes: SIGReg with
 *  its gradient at 8 x 64 x 1024 on 1024 slices, on one thread, takes 34 ms where it took 37. Refused: splits along
 *  other axes than the first or into other blocks, operands that were never joined, and vectors, which are small
 *  tensors laid end to end so that one operation does for all. */
export const earlySplits: Pass = {
  name: "early splits",
  run(graph) {
    const producers = new Map<Value, GraphNode>();
    for (const node of graph.nodes) for (const output of node.outputs) producers.set(output, node);
    const replacement = new Map<Value, Value>();
    const nodes = graph.nodes.flatMap((node) => {
      const [whole] = node.inputs;
      if (node.op !== "Split" || node.domain !== "" || node.attributes.axis !== 0) return [node];
      if (whole!.shape.length < 2) return [node];
      const emitted: GraphNode[] = [];
      const parts = partsOf(whole!, { split: node, producers, emitted });
      if (parts === undefined) return [node];
      node.outputs.forEach((output, i) => replacement.set(output, parts[i]!));
      return emitted;
    });
    return rewire(graph, replacement, nodes);
  },
};

interface Splitting {
  readonly split: GraphNode;
  readonly producers: ReadonlyMap<Value, GraphNode>;
  readonly emitted: GraphNode[];
}

/** The blocks of a value, if it was joined of such blocks. */
function partsOf(value: Value, splitting: Splitting): readonly Value[] | undefined {
  const { split, producers, emitted } = splitting;
  const producer = producers.get(value);
  if (producer?.domain !== "") return undefined;
  if (producer.op === "Concat") {
    const parts = producer.inputs as readonly Value[];
    const alike =
      producer.attributes.axis === 0 &&
      parts.length === split.outputs.length &&
      parts.every((part, i) => part.shape[0] === split.outputs[i]!.shape[0]);
    return alike ? parts : undefined;
  }
  if (!elementwise.includes(producer.op)) return undefined;
  const operands = producer.inputs as readonly Value[];
  const isWhole = ({ shape }: Value): boolean =>
    shape.length === value.shape.length && shape[0] === value.shape[0];
  const joined = operands.map((operand) =>
    isWhole(operand) ? partsOf(operand, splitting) : undefined,
  );
  if (joined.every((parts) => parts === undefined)) return undefined;
  /** A value for each block of one like `whole`. */
  const blocksOf = (whole: Value): Value[] =>
    split.outputs.map(({ shape }) => newValue([shape[0]!, ...whole.shape.slice(1)], whole.dtype));
  const operandBlocks = operands.map((operand, k) => {
    if (joined[k]) return joined[k];
    if (!isWhole(operand)) return split.outputs.map(() => operand);
    const outputs = blocksOf(operand);
    emitted.push({ ...split, inputs: [operand, split.inputs[1]], outputs });
    return outputs;
  });
  const results = blocksOf(value);
  results.forEach((result, i) => {
    const inputs = operandBlocks.map((blocks) => blocks[i]);
    emitted.push({ ...producer, inputs, outputs: [result] });
  });
  return results;
}
