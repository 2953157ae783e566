import { sameShape, type Graph, type GraphNode, type Value } from "../graph/graph.js";
import { nchwc } from "../onnx/nchwc.js";
import { rewriteNodes, type Pass, type Rewriting } from "./rewrite-nodes.js";

/** Operations for each channel in the blocked layout, a scale x w and a shift x + b, become one pass over the batch
 *  together with an addition or subtraction of another batch and a ReLU:
 *    relu((x w + b) + z)   is one Conv(x, w, b, z) of one channel a group with an activation.
 *  A shift or a ReLU after any blocked convolution goes into that one. Refused where something else needs what is in
 *  between. */
export const fusedChannels: Pass = {
  name: "fused channels",
  run(graph) {
    const uses = countUses(graph);
    return rewriteNodes(graph, (node, rewriting) => {
      const once = (value: Value | undefined): GraphNode | undefined => {
        const producer = value && rewriting.producer(value);
        return producer &&
          isConv(producer) &&
          !producer.attributes.activation &&
          uses.get(value) === 1
          ? producer
          : undefined;
      };
      const [a, b] = node.inputs as [Value, Value];
      const [y] = node.outputs as [Value];
      const emit = (parts: Parts, { attributes }: GraphNode, activation?: "Relu"): Value => {
        // What stands in is needed as often as what it stands for.
        const inputs = [parts.x, parts.weights, parts.shift, parts.sum];
        while (inputs.at(-1) === undefined) inputs.pop();
        const result = rewriting.emit(
          "Conv",
          inputs,
          y.shape,
          y.dtype,
          activation ? { ...attributes, activation } : attributes,
          nchwc,
        );
        uses.set(result, uses.get(y) ?? 0);
        return result;
      };
      if (isConv(node)) {
        const inner = isShift(node, rewriting) ? once(a) : undefined;
        if (!inner || inner.inputs[2]) return undefined;
        return emit({ ...partsOf(inner), shift: node.inputs[2] }, inner);
      }
      if (node.domain !== "") return undefined;
      if (node.op === "Relu") {
        const inner = once(a);
        return inner && emit(partsOf(inner), inner, "Relu");
      }
      if ((node.op !== "Add" && node.op !== "Sub") || !sameShape(a.shape, b.shape))
        return undefined;
      const second = once(b);
      if (second && isForEachChannel(second) && !second.inputs[3]) {
        const parts = { ...partsOf(second), sum: a };
        return emit(node.op === "Add" ? parts : negated(rewriting, parts), second);
      }
      const first = once(a);
      if (node.op === "Sub" || !first || !isForEachChannel(first) || first.inputs[3])
        return undefined;
      return emit({ ...partsOf(first), sum: b }, first);
    });
  },
};

/** Operands of a blocked convolution. */
interface Parts {
  readonly x: Value;
  readonly weights: Value;
  readonly shift: Value | undefined;
  readonly sum: Value | undefined;
}

function partsOf({ inputs }: GraphNode): Parts {
  const [x, weights, shift, sum] = inputs as [Value, Value, Value | undefined, Value | undefined];
  return { x, weights, shift, sum };
}

const isConv = ({ op, domain }: GraphNode): boolean => op === "Conv" && domain === nchwc;

/** Whether a blocked convolution has one weight for each channel. */
const isForEachChannel = ({ inputs, attributes }: GraphNode): boolean =>
  sameShape(inputs[1]!.shape, [attributes.group as number, 1, 1, 1]) &&
  inputs[0]!.shape[1] === attributes.group;

/** Whether it is x + b and nothing else. */
function isShift(node: GraphNode, rewriting: Rewriting): boolean {
  const weights = rewriting.literal(node.inputs[1]);
  return (
    isForEachChannel(node) &&
    node.inputs[2] !== undefined &&
    node.inputs[3] === undefined &&
    node.attributes.activation === undefined &&
    weights !== undefined &&
    "uniform" in weights &&
    weights.uniform === 1
  );
}

function negated(rewriting: Rewriting, { weights, shift, ...parts }: Parts): Parts {
  const negative = (value: Value): Value =>
    rewriting.emit("Neg", [value], value.shape, value.dtype);
  return { ...parts, weights: negative(weights), shift: shift && negative(shift) };
}

function countUses({ nodes, outputs }: Graph): Map<Value, number> {
  const uses = new Map<Value, number>();
  const use = (value: Value): void => void uses.set(value, (uses.get(value) ?? 0) + 1);
  for (const { inputs } of nodes) for (const input of inputs) if (input) use(input);
  for (const { value } of outputs) use(value);
  return uses;
}
