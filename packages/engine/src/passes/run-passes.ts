import type { Graph } from "../graph/graph.js";
import { verify } from "../graph/verify.js";
import { onnxTarget } from "../kernels/table.js";
import { GraphBuilder } from "../graph/builder.js";
import { lower, type LoweringTarget } from "../lower.js";
import { blockedLayout } from "./blocked-layout.js";
import { withBlocksIn, withBlocksOut, type CarriedBlocks } from "./carried-blocks.js";
import { commonSubexpressions } from "./common-subexpressions.js";
import { constants } from "./constants.js";
import { deadCode } from "./dead-code.js";
import { emptyValues } from "./empty-values.js";
import { earlySplits } from "./early-splits.js";
import { exactSigmoids } from "./exact-sigmoids.js";
import { flatUpdates } from "./flat-updates.js";
import { fusedChannels } from "./fused-channels.js";
import { gatheredRows } from "./gathered-rows.js";
import { gemmBias } from "./gemm-bias.js";
import { inPlaceUpdates } from "./in-place-updates.js";
import { identities } from "./identities.js";
import { indexChecks } from "./index-checks.js";
import { lateBroadcasts } from "./late-broadcasts.js";
import { logSigmoids } from "./log-sigmoids.js";
import { masksFromResults } from "./masks-from-results.js";
import type { Pass } from "./rewrite-nodes.js";
import { wholeReorderings } from "./whole-reorderings.js";
import { wideBroadcasts } from "./wide-broadcasts.js";

/** How the host of an engine keeps the state, and who changes it. */
export interface StateKeeping {
  /** How the host keeps small tensors of the state: several in one array, or each in its own. */
  readonly smallState: "packed" | "apart";
  /** Who updates the parameters.
   *  - "by-host": the host, in place, each update of tensors of the state in one pass over memory.
   *  - "in-graph": the operations of the graph, whose results are the next state: for a host whose state lies where only
   *    the graph reaches it. */
  readonly updates: "by-host" | "in-graph";
  /** A pass that is left out, by its name, to see what it is worth. */
  readonly leftOut?: string | undefined;
}

/** Over the kernels as recorded. */
export const capturedPasses = ({ smallState, updates }: StateKeeping): readonly Pass[] => [
  indexChecks,
  commonSubexpressions,
  logSigmoids,
  masksFromResults,
  emptyValues,
  deadCode,
  ...(updates === "by-host" ? [inPlaceUpdates] : []),
  ...(smallState === "packed" ? [flatUpdates] : []),
];

/** Over the ONNX operators, whatever runs them. The second identities simplify what broadcasts and constants left. */
export const loweredPasses: readonly Pass[] = [
  identities,
  lateBroadcasts,
  constants,
  identities,
  commonSubexpressions,
];

/** For onnxruntime. */
export const onnxPasses = (blockSize?: number): readonly Pass[] => [
  ...loweredPasses,
  ...(blockSize === undefined
    ? []
    : [
        blockedLayout(blockSize),
        identities,
        commonSubexpressions,
        deadCode,
        fusedChannels,
        wholeReorderings,
      ]),
  earlySplits,
  gemmBias,
  gatheredRows,
  deadCode,
  wideBroadcasts,
  exactSigmoids,
  identities,
  commonSubexpressions,
  deadCode,
];

/** Runs passes in order, checking the graph after each. */
export function runPasses(graph: Graph, passes: readonly Pass[], leftOut?: string): Graph {
  return passes.reduce((before, pass) => {
    if (pass.name === leftOut) return before;
    const after = pass.run(before);
    verify(after, graph.stage, pass.name);
    return after;
  }, graph);
}

/** The captured graph, checked and simplified, for a host that keeps the state so. */
export function rewriteCaptured(captured: Graph, keeping: StateKeeping): Graph {
  verify(captured, "captured", "capture");
  return runPasses(captured, capturedPasses(keeping), keeping.leftOut);
}

/** From the rewritten captured graph to the graph that runs, rewritten by `passes` after the
 *  lowering, which `g` writes down. */
export function compileGraph(
  captured: Graph,
  target: LoweringTarget,
  passes: readonly Pass[],
  g?: GraphBuilder,
): Graph {
  const lowered = lower(captured, target, g);
  verify(lowered, "lowered", "lowering");
  return runPasses(lowered, passes);
}

/** The graphs that onnxruntime runs, of the segments of a rewritten captured graph. What a segment makes in the blocked
 *  layout is handed on in it: they are compiled in order, each with what those before it carry. */
export function compileSegments(
  segments: readonly Graph[],
  blockSize: number | undefined,
  leftOut?: string,
): readonly Graph[] {
  const carried = new Map<string, CarriedBlocks>();
  return segments.map((captured) => {
    const lowered = lower(captured, onnxTarget, new GraphBuilder(blockSize));
    const taking = withBlocksIn(lowered, carried);
    verify(taking, "lowered", "lowering");
    const own = withBlocksOut(runPasses(taking, onnxPasses(blockSize), leftOut));
    verify(own.graph, "lowered", "blocks that are handed on");
    for (const [name, blocks] of own.carried) carried.set(name, blocks);
    return own.graph;
  });
}
