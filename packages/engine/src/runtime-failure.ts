/** A failure of onnxruntime or TensorFlow as an error of this package: where in the caller's code, and what to do. */
import { port } from "./graph/port.js";
import { engineError } from "./engine-error.js";
import type { EngineName } from "./engine.js";
import type { Graph, GraphNode, Value } from "./graph/graph.js";
import { indexDemandOf, outsideError } from "./passes/index-checks.js";
import type { Feed } from "./session-host.js";

/** A model that may be what failed. */
export interface Suspect {
  /** What the runtime calls it, where it gives names to models. */
  readonly name: string;
  /** The step that it is of, by its name in a program. */
  readonly step: string;
  /** What runs, and the step as captured. */
  readonly graph: Graph;
  readonly captured: Graph;
}

interface Failing {
  readonly engine: EngineName;
  readonly call: "compile" | "run";
  readonly suspects: readonly Suspect[];
  /** What a run was given. */
  readonly feeds?: readonly Feed[];
}

/** Operators that refuse a place outside of what they read or write. */
const placing = new Set(["Gather", "GatherND", "ScatterElements"]);

/** The error that the caller gets; one of this package's own as it is. */
export function runtimeFailure(cause: unknown, failing: Failing): unknown {
  if ((cause as Error | undefined)?.name === "LejepaError") return cause;
  const { call, engine, suspects } = failing;
  const { node, suspect } = failedNode(messageOf(cause), failing) ?? {};
  const kernel = node && placing.has(node.op) ? kernelAt(node, suspect!.captured) : undefined;
  if (kernel) return outsideIndex(kernel, suspect!, failing, cause);
  const step = (suspect ?? suspects.at(-1))?.step ?? "step";
  const named = step === "step" ? "the step" : `the step "${step}"`;
  const where = node
    ? ` at ${partOf(node)}, called at ${String(node.site ?? "an unknown line")},`
    : "";
  return engineError(
    "runtime-failed",
    `${call}: ${runtimeOf[engine]} failed in ${named}${where} with "${reasonOf(messageOf(cause))}"; write that part otherwise, or run the step on the "eager" engine.`,
    { cause },
  );
}

const partOf = ({ op, kernel }: GraphNode): string =>
  kernel === undefined || kernel === op ? `the kernel ${op}` : `${op} of the kernel ${kernel}`;

const runtimeOf: Readonly<Record<EngineName, string>> = {
  onnx: "onnxruntime",
  tensorflow: "TensorFlow",
  eager: "tfjs",
};

const messageOf = (cause: unknown): string =>
  cause instanceof Error ? cause.message : String(cause);

/** What the runtime says is wrong, on one line. */
const reasonOf = (message: string): string =>
  message
    .replace(/^Non-zero status code returned while running .*? Status Message: /s, "")
    .replace(/^Session fail to run with error: |^Failed to load SavedModel: /, "")
    .split("\n")[0]!
    .trim()
    .slice(0, 300)
    .replace(/\.$/, "");

/** The node that a message names: "OP/INDEX" in onnxruntime, "ENTRY/OP/INDEX-.." in TensorFlow. */
function failedNode(
  message: string,
  { engine, suspects }: Failing,
): { readonly node: GraphNode; readonly suspect: Suspect } | undefined {
  for (const suspect of suspects) {
    const { name, graph } = suspect;
    const names = engine === "tensorflow" ? `\\b${name}/\\w+/(\\d+)-` : `\\b\\w+/(\\d+)\\b`;
    for (const [found, index] of message.matchAll(new RegExp(names, "g"))) {
      const node = graph.nodes[Number(index)];
      if (node && (engine === "tensorflow" || found === `${node.op}/${index}`))
        return { node, suspect };
    }
  }
  return undefined;
}

/** The captured kernel with indices that a node was lowered from. */
const kernelAt = ({ site }: GraphNode, captured: Graph): GraphNode | undefined =>
  site && captured.nodes.find((each) => each.site === site && indexDemandOf(each));

/** Which index was outside, as far as it can be told: those of an input are at hand. */
function outsideIndex(
  kernel: GraphNode,
  { captured }: Suspect,
  { call, feeds = [] }: Failing,
  cause: unknown,
): Error {
  const input = inputOf(indexDemandOf(kernel)!.indices, captured);
  const feed = feeds.find(({ name }) => input === port.input(name));
  return outsideError(call, kernel, feed?.data, feed && ` of the input "${feed.name}"`, cause);
}

/** Kernels whose result has the elements of their operand in their order. */
const views = new Set(["Identity", "Reshape", "ExpandDims"]);

/** The name of the input that a value is, by views alone. */
function inputOf(value: Value, { nodes, inputs }: Graph): string | undefined {
  let source = value;
  for (const node of [...nodes].reverse())
    if (views.has(node.op) && node.outputs[0] === source) source = node.inputs[0]!;
  return inputs.find((each) => each.value === source)?.name;
}
