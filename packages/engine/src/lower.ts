/** From tfjs kernels to operators, by the lowering table. */
import { engineError } from "./engine-error.js";
import { GraphBuilder } from "./graph/builder.js";
import type { Graph, GraphNode, Port, Value } from "./graph/graph.js";
import { port } from "./graph/port.js";
import { operandsOf, type Operands, type Row } from "./kernels/kernel.js";

type LoweringTable = Readonly<Record<string, Row>>;

/** Whom a step is lowered for, and what can be. */
export interface LoweringTarget {
  readonly engine: "onnx" | "tensorflow";
  readonly table: LoweringTable;
}

/** Lowers one kernel. What its row does not read of the attributes fails, so that none is dropped quietly. */
export function lowerKernel(
  { engine, table }: LoweringTarget,
  { op, attributes, site }: Pick<GraphNode, "op" | "attributes" | "site">,
  operands: Operands,
  g: GraphBuilder,
): Value | readonly Value[] {
  const row = table[op];
  if (typeof row !== "function")
    throw engineError(
      "unsupported-kernel",
      `The ${engine} engine has no lowering for the tfjs kernel ${op}, called at ${String(site)}; ${row?.wayOut ?? 'run the step on the "eager" engine'}.`,
    );
  const unread = new Set(Object.keys(attributes).filter((name) => attributes[name] !== undefined));
  const watched = new Proxy(attributes, {
    get(target, name) {
      unread.delete(String(name));
      return target[String(name)];
    },
  });
  g.site = site;
  g.kernel = op;
  let results: Value | readonly Value[];
  try {
    results = row(operands, watched, g);
  } catch (cause) {
    throw engineError(
      "unsupported-kernel",
      `The ${engine} engine cannot lower the tfjs kernel ${op}, called at ${String(site)}: ${(cause as Error).message}`,
      { cause },
    );
  }
  if (unread.size > 0)
    throw engineError(
      "unread-attribute",
      `The lowering of ${op}, called at ${String(site)}, ignores ${[...unread].join(", ")}. Please report this.`,
    );
  return results;
}

/** What a lowering returned, as a list. */
export const asList = (results: Value | readonly Value[]): readonly Value[] =>
  "dtype" in results ? [results] : results;

/** The lowered graph of a captured graph, with the same ports, as `g` writes it. */
export function lower(captured: Graph, target: LoweringTarget, g = new GraphBuilder()): Graph {
  const lowered = new Map<Value, Value>();
  const inputs = captured.inputs.map(({ name, value }): Port => ({ name, value }));
  for (const { value } of inputs) lowered.set(value, value);
  for (const [value, literal] of captured.literals)
    lowered.set(value, g.literal(literal, value.shape, value.dtype));
  for (const node of captured.nodes) {
    const operands = Object.fromEntries(
      Object.entries(operandsOf(node)).map(([name, value]) => [name, value && lowered.get(value)]),
    );
    g.layer = node.layer ?? node.op;
    const results = asList(lowerKernel(target, node, operands, g));
    node.outputs.forEach((output, i) => lowered.set(output, results[i]!));
  }
  // The outside reads float32 only; what segments hand on stays as it is.
  g.site = undefined;
  g.kernel = undefined;
  const outputs = captured.outputs.map(({ name, value }) => {
    const result = lowered.get(value)!;
    return { name, value: port.isCarried(name) ? result : g.cast(result, "float32") };
  });
  return g.finish(inputs, outputs);
}
