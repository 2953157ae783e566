import {
  newValue,
  sameShape,
  type Graph,
  type GraphNode,
  type Literal,
  type Port,
  type Shape,
  type Value,
} from "../graph/graph.js";
import { port } from "../graph/port.js";
import { nchwc } from "../onnx/nchwc.js";
import { deadCode } from "./dead-code.js";

/** A batch in the blocked layout that a port carries: [N, C in whole blocks, H, W], of which so many channels count. */
export interface CarriedBlocks {
  readonly shape: Shape;
  readonly channels: number;
}

/** The other end of a port of {@link withBlocksOut}: a segment takes it in the blocked layout and reorders it itself, so
 *  that the blocked layout goes on behind the port as it would behind an operator. Over ONNX operators, before the
 *  passes. */
export function withBlocksIn(graph: Graph, carried: ReadonlyMap<string, CarriedBlocks>): Graph {
  const nodes: GraphNode[] = [];
  const literals = new Map<Value, Literal>(graph.literals);
  const inputs = graph.inputs.map(({ name, value }): Port => {
    const blocks = carried.get(name);
    if (blocks === undefined) return { name, value };
    const { shape, channels } = blocks;
    const [n, , h, w] = shape as [number, number, number, number];
    const blocked = newValue(shape, value.dtype);
    const rows = [n, h, w, channels];
    const last = sameShape(rows, value.shape) ? value : newValue(rows, value.dtype);
    const attributes = { channels, channels_last: 1 };
    nodes.push({
      ...{ op: "ReorderOutput", domain: nchwc, inputs: [blocked] },
      ...{ attributes, outputs: [last] },
    });
    if (last !== value) {
      const list = newValue([value.shape.length], "int64");
      literals.set(list, { dense: value.shape });
      const operands = { inputs: [last, list], outputs: [value] };
      nodes.push({ op: "Reshape", domain: "", attributes: {}, ...operands });
    }
    return { name, value: blocked };
  });
  return { ...graph, inputs, literals, nodes: [...nodes, ...graph.nodes] };
}

/** What is handed on to later segments and only leaves the blocked layout for that stays in it. Over ONNX operators,
 *  after the passes; with what the ports then carry, by name. */
export function withBlocksOut(graph: Graph): {
  readonly graph: Graph;
  readonly carried: ReadonlyMap<string, CarriedBlocks>;
} {
  const producers = new Map(
    graph.nodes.flatMap((node) => node.outputs.map((output) => [output, node] as const)),
  );
  const carried = new Map<string, CarriedBlocks>();
  const outputs = graph.outputs.map(({ name, value }): Port => {
    let producer = producers.get(value);
    while (producer?.op === "Reshape") producer = producers.get(producer.inputs[0]!);
    const isReordered =
      producer?.op === "ReorderOutput" &&
      producer.domain === nchwc &&
      producer.attributes.channels_last === 1;
    if (!port.isCarried(name) || !isReordered) return { name, value };
    const [blocked] = producer!.inputs as [Value];
    const channels = producer!.attributes.channels as number;
    carried.set(name, { shape: blocked.shape, channels });
    return { name, value: blocked };
  });
  return { graph: deadCode.run({ ...graph, outputs }), carried };
}
