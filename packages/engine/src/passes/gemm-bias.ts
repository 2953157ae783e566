import { sizeOf, type Graph, type Value } from "../graph/graph.js";
import { rewriteNodes, type Pass, type Rewriting } from "./rewrite-nodes.js";

/** Larger products stay apart: onnxruntime copies the third operand to the whole result in one thread before it
 *  multiplies. A row of 256 on [8192, 256] took 1.2 ms so, and 1.1 ms of work for all threads as an addition; but
 *  [1024, 64] x [64, 64] with a row takes 21 us so and 28 apart on two threads, 35 and 39 on one, and [1024, 128] x
 *  [128, 128] 73 and 74, 135 and 141. */
const largest = 2 ** 17;

/** A small product of matrices with something added becomes one Gemm, which takes a third operand: a bias row, or a
 *  whole matrix. Only where nothing else needs the bare product. */
export const gemmBias: Pass = {
  name: "bias into Gemm",
  run(graph) {
    const uses = countUses(graph);
    return rewriteNodes(graph, (node, rewriting) => {
      if (node.op !== "Add" || node.domain !== "") return undefined;
      const [a, b] = node.inputs as [Value, Value];
      return withBias(rewriting, uses, a, b) ?? withBias(rewriting, uses, b, a);
    });
  },
};

function countUses({ nodes, outputs }: Graph): ReadonlyMap<Value, number> {
  const uses = new Map<Value, number>();
  const use = (value: Value): void => void uses.set(value, (uses.get(value) ?? 0) + 1);
  for (const { inputs } of nodes) for (const input of inputs) if (input) use(input);
  for (const { value } of outputs) use(value);
  return uses;
}

function withBias(
  rewriting: Rewriting,
  uses: ReadonlyMap<Value, number>,
  product: Value,
  bias: Value,
): Value | undefined {
  const gemm = rewriting.producer(product);
  if (gemm?.op !== "Gemm" || gemm.inputs.length !== 2 || uses.get(product) !== 1) return undefined;
  const shape = product.shape;
  if (sizeOf(shape) > largest) return undefined;
  // The bias may be smaller than the product, never larger.
  const fits =
    bias.shape.length <= shape.length &&
    bias.shape.every((length, i) => {
      const own = shape[i + shape.length - bias.shape.length];
      return length === 1 || length === own;
    });
  if (!fits) return undefined;
  const [a, b] = gemm.inputs as [Value, Value];
  return rewriting.emit("Gemm", [a, b, bias], shape, product.dtype, gemm.attributes);
}
