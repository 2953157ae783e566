import {
  backend_util,
  type ScatterNdAttrs,
  type GatherV2Attrs,
  type UnsortedSegmentSumAttrs,
} from "@tensorflow/tfjs-core";
import { engineError } from "../engine-error.js";
import {
  newValue,
  sizeOf,
  type Graph,
  type GraphNode,
  type Literal,
  type Port,
  type Value,
} from "../graph/graph.js";
import { port } from "../graph/port.js";
import { kernel, operandsOf } from "../kernels/kernel.js";
import type { Pass } from "./rewrite-nodes.js";

/** What a kernel demands of its indices. */
export interface IndexDemand {
  /** The operand that holds them. */
  readonly indices: Value;
  /** Whether negative ones are outside; else they count for nothing. */
  readonly negative: "outside" | "dropped";
  /** Length of the axis that they count on, or of each of several for indices [.., axes]; undefined where any is inside. */
  readonly lengths: readonly number[] | undefined;
}

const every = { negative: "outside" } as const;

/** Kernels that take places as data. Indices on which tf.oneHot and tf.searchSorted depend may be any. */
const demands: Readonly<Record<string, (node: GraphNode) => IndexDemand>> = {
  GatherV2: (node) => {
    const { x, indices } = operandsOf(node) as Record<string, Value>;
    const { axis } = node.attributes as unknown as GatherV2Attrs;
    return { ...every, indices: indices!, lengths: [x!.shape.at(axis)!] };
  },
  GatherNd: (node) => {
    const { params, indices } = operandsOf(node) as Record<string, Value>;
    return { ...every, indices: indices!, lengths: params!.shape.slice(0, indices!.shape.at(-1)) };
  },
  ScatterNd: (node) => scattered(node, (node.attributes as unknown as ScatterNdAttrs).shape),
  TensorScatterUpdate: (node) => scattered(node, operandsOf(node)["tensor"]!.shape),
  // Rows of a negative segment are left out, as in TensorFlow.
  UnsortedSegmentSum: (node) => ({
    indices: operandsOf(node)["segmentIds"]!,
    negative: "dropped",
    lengths: [(node.attributes as unknown as UnsortedSegmentSumAttrs).numSegments],
  }),
  // Numbers from `size` on are not counted.
  Bincount: (node) => ({ ...every, indices: operandsOf(node)["x"]!, lengths: undefined }),
  DenseBincount: (node) => ({ ...every, indices: operandsOf(node)["x"]!, lengths: undefined }),
};

function scattered(node: GraphNode, shape: readonly number[]): IndexDemand {
  const { indices, updates } = operandsOf(node) as Record<string, Value>;
  const { sliceRank } = backend_util.calculateShapes(updates as never, indices as never, [
    ...shape,
  ]);
  return { ...every, indices: indices!, lengths: shape.slice(0, sliceRank) };
}

/** What a captured node demands of its indices; undefined for all that take none. */
export const indexDemandOf = (node: GraphNode): IndexDemand | undefined => demands[node.op]?.(node);

/** The first of the numbers that is outside; undefined where all are inside. */
function firstOutside(
  { negative, lengths }: IndexDemand,
  indices: ArrayLike<number>,
): number | undefined {
  for (let i = 0; i < indices.length; i++) {
    const length = lengths?.[i % lengths.length] ?? Infinity;
    const isInside = (indices[i]! >= 0 || negative === "dropped") && indices[i]! < length;
    if (!isInside) return i;
  }
  return undefined;
}

/** The error for indices outside, of these where they are known; `from` says where they came from.
 *  The index comes in tfjs's own words. */
export function outsideError(
  call: "compile" | "run",
  node: GraphNode,
  indices?: ArrayLike<number>,
  from = "",
  cause?: unknown,
): Error {
  const demand = indexDemandOf(node)!;
  const { lengths } = demand;
  const range =
    lengths === undefined
      ? "is less than 0"
      : lengths.length === 1
        ? `is not in [0, ${lengths[0]! - 1}]`
        : `is outside of the shape [${lengths.join(", ")}]`;
  const at = indices && firstOutside(demand, indices);
  const depth = lengths?.length ?? 1;
  const place = Array.from(
    { length: depth },
    (_, i) => indices?.[(at ?? 0) - ((at ?? 0) % depth) + i],
  );
  const value = depth === 1 ? place[0] : `[${place.join(", ")}]`;
  const index = at === undefined ? "an index value" : `the index value ${value}${from}`;
  return engineError(
    "index-out-of-range",
    `${call}: ${node.op}: ${index} ${range}, called at ${String(node.site)}; ${indexWayOut}.`,
    { cause },
  );
}

/** What the caller can do. */
export const indexWayOut = "pass indices within that, or clip them in the step (tf.clipByValue)";

/** Throws "index-out-of-range" for indices outside that the step itself wrote down. */
export function requireInside(
  node: GraphNode,
  literalOf: (value: Value) => Literal | undefined,
): void {
  const demand = indexDemandOf(node);
  const literal = demand && literalOf(demand.indices);
  if (!literal) return;
  const indices =
    "dense" in literal
      ? literal.dense
      : Array.from({ length: sizeOf(demand.indices.shape) }, () => literal.uniform);
  if (firstOutside(demand, indices) !== undefined) throw outsideError("compile", node, indices);
}

/** The kernel of a check. */
const indexCheck = "LejepaIndexCheck";

/** The output that carries check `index`, to be left out of what the caller gets. */
const checkName = (index: number): string => `lejepa/index check ${index}`;

/** Whether an output of a model is one that {@link indexChecks} added. */
export const isCheckName = (name: string): boolean => name.startsWith("lejepa/index check ");

/** Every kernel that takes places as data is joined by a check of these, a node of its own that fails when the step runs
 *  with one outside: onnxruntime counts negative ones from the end, in silence, and a gradient does not read what it does
 *  not need. It is an output, so that it runs whatever becomes of the kernel. Over tfjs kernels; places that the step
 *  wrote down are checked while it is captured. */
export const indexChecks: Pass = {
  name: "index checks",
  run(graph: Graph): Graph {
    const nodes: GraphNode[] = [];
    const outputs: Port[] = [...graph.outputs];
    const seen = new Map<string, Value>();
    for (const node of graph.nodes) {
      nodes.push(node);
      const demand = indexDemandOf(node);
      if (!demand || sizeOf(demand.indices.shape) === 0) continue;
      const { indices, negative, lengths } = demand;
      if (graph.literals.has(indices)) continue;
      const key = `${indices.id} ${negative} ${String(lengths)}`;
      if (seen.has(key)) continue;
      const value = newValue([], "float32");
      seen.set(key, value);
      nodes.push({
        op: indexCheck,
        domain: "tfjs",
        inputNames: ["indices"],
        inputs: [indices],
        attributes: { negative, lengths },
        outputs: [value],
        layer: node.layer,
        site: node.site,
      });
      outputs.push({ name: port.output(checkName(outputs.length)), value });
    }
    return { ...graph, nodes, outputs };
  },
};

/** A check as a Gather from one number, at 0 where all indices are inside and at 1, which does not exist, where one is
 *  not: both runtimes refuse that one. */
export const indexCheckRows = {
  [indexCheck]: kernel<Record<"indices", never>, Omit<IndexDemand, "indices">>(
    ({ indices }, { negative, lengths }, g) => {
      const depth = lengths?.length ?? 1;
      const rows = g.reshape(g.cast(indices, "int32"), [sizeOf(indices.shape) / depth, depth]);
      const zero = g.uniform(0, [], "int32");
      const tests = [
        negative === "outside" && g.compare("Less", g.reduce("ReduceMin", rows, [0], "drop"), zero),
        lengths &&
          g.compare(
            "GreaterOrEqual",
            g.reduce("ReduceMax", rows, [0], "drop"),
            g.dense(lengths, [depth], "int32"),
          ),
      ].filter((test) => test !== false && test !== undefined);
      const any = tests.reduce((a, b) => g.binary("Or", a, b));
      const place = g.reduce("ReduceMax", g.cast(any, "int32"), [0], "drop");
      return g.cast(g.gather(g.reshape(place, [1]), place, 0), "float32");
    },
  ),
};
