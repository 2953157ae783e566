/** What a compiled step is made of and what it costs. */
import { checkOptions } from "./checked-options.js";
import type { ExplainOptions, Explanation, InputValue } from "./engine.js";
import { engineError } from "./engine-error.js";
import type { Graph } from "./graph/graph.js";
import type { Feed, Profile } from "./session-host.js";
import { shown } from "./shown.js";
import type { ResolvedInput } from "./step-values.js";

/** Puts together what the graph and a profile of it say. `values` is what each run fed. */
export function explanation(
  graph: Graph,
  model: Uint8Array,
  profile: Profile,
  measured: Pick<Explanation, "milliseconds" | "compileMilliseconds" | "runs"> & {
    readonly stateBytes: number;
    readonly feeds: readonly Feed[];
  },
): Explanation {
  const { stateBytes, feeds, ...times } = measured;
  const nodes: Record<string, number> = {};
  for (const { op } of graph.nodes) nodes[op] = (nodes[op] ?? 0) + 1;
  const costs = new Map<string, { op: string; count: number; milliseconds: number }>();
  for (const { op, milliseconds } of profile.nodes) {
    const cost = costs.get(op) ?? { op, count: 0, milliseconds: 0 };
    costs.set(op, cost);
    cost.count++;
    cost.milliseconds += milliseconds;
  }
  const all = profile.nodes.reduce((sum, { milliseconds }) => sum + milliseconds, 0);
  const inputBytes = feeds.reduce((sum, { data }) => sum + data.byteLength, 0);
  return {
    ...times,
    nodes: Object.fromEntries(Object.entries(nodes).sort(([, a], [, b]) => b - a)),
    costs: [...costs.values()]
      .sort((a, b) => b.milliseconds - a.milliseconds)
      .map((cost) => ({ ...cost, share: cost.milliseconds / all })),
    slowest: [...profile.nodes]
      .sort((a, b) => b.milliseconds - a.milliseconds)
      .slice(0, 20)
      .map((node) => ({ ...node, calledAt: siteOf(graph, node.name) })),
    memory: {
      stateBytes,
      inputBytes,
      arenaPeakBytes: profile.peakBytes,
      arenaHeldBytes: profile.heldBytes,
      peakBytes: stateBytes + inputBytes + profile.peakBytes,
    },
    onnx: model,
  };
}

/** Where the node was called, by its name "OP/INDEX"; undefined for those that onnxruntime made of several. */
function siteOf(graph: Graph, name: string): string | undefined {
  const [, op, index] = /^(.+)\/(\d+)$/.exec(name) ?? [];
  const node = index === undefined ? undefined : graph.nodes[Number(index)];
  return node?.op === op && node?.site ? String(node.site) : undefined;
}

/** How often a step runs to be explained. */
export function runsOf(options: ExplainOptions): number {
  checkOptions("explain", options, ["inputs", "runs"]);
  const { runs = 10 } = options;
  if (Number.isInteger(runs) && runs >= 1) return runs;
  throw engineError(
    "bad-option",
    `explain: runs should be a whole number of at least 1, got ${shown(runs)}.`,
  );
}

/** Inputs to explain a step on when none are given: numbers in [-1, 1], and zeros where whole numbers are wanted,
 *  which are in range for any index. */
export const placeholders = (inputs: readonly ResolvedInput[]): Record<string, InputValue> =>
  Object.fromEntries(
    inputs.map(({ name, size, dtype }) => [
      name,
      dtype === "int32"
        ? new Int32Array(size)
        : Float32Array.from({ length: size }, (_, i) => Math.sin(i + 1)),
    ]),
  );
