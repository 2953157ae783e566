import type { GraphNode, Literal, Value } from "../graph/graph.js";
import { sizeOf } from "../graph/graph.js";
import type { Pass } from "./rewrite-nodes.js";

/** What sums, products and truths of no elements are. */
const ofNothing: Readonly<Record<string, number>> = {
  All: 1,
  Any: 0,
  AvgPoolGrad: 0,
  BatchMatMul: 0,
  Conv2D: 0,
  Conv2DBackpropFilter: 0,
  Conv2DBackpropInput: 0,
  DepthwiseConv2dNativeBackpropFilter: 0,
  DepthwiseConv2dNativeBackpropInput: 0,
  Einsum: 0,
  MaxPoolGrad: 0,
  Mean: NaN,
  Prod: 1,
  ResizeBilinearGrad: 0,
  ResizeNearestNeighborGrad: 0,
  ScatterNd: 0,
  Sum: 0,
  UnsortedSegmentSum: 0,
};

/** Kernels of tensors without elements are constants: runtimes refuse windows over nothing, products over axes of length 0
 *  and more, each in its own way. */
export const emptyValues: Pass = {
  name: "empty values",
  run(graph) {
    const literals = new Map(graph.literals);
    const nodes = graph.nodes.filter((node) => {
      const constants = constantsOf(node);
      for (const [value, literal] of constants ?? []) literals.set(value, literal);
      return constants === undefined;
    });
    return nodes.length === graph.nodes.length ? graph : { ...graph, nodes, literals };
  },
};

function constantsOf({
  op,
  inputs,
  outputs,
}: GraphNode): (readonly [Value, Literal])[] | undefined {
  if (outputs.every(({ shape }) => sizeOf(shape) === 0))
    return outputs.map((value) => [value, { uniform: 0 }]);
  const uniform = ofNothing[op];
  if (uniform === undefined || !inputs.some((input) => input && sizeOf(input.shape) === 0))
    return undefined;
  return outputs.map((value) => [value, { uniform }]);
}
