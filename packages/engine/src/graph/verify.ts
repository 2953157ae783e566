import { engineError } from "../engine-error.js";
import { sizeOf, type Graph, type GraphNode, type Stage, type Value } from "./graph.js";

const dtypes: Record<Stage, readonly string[]> = {
  captured: ["float32", "int32", "bool"],
  lowered: ["float32", "int32", "bool", "int64", "float64", "bfloat16"],
};

/** Throws "invalid-graph" unless the graph is at `stage` and legal there:
 *  every operand is made before it is used, every value is made once, literals fit their shapes, element types are
 *  those of the stage, and port names are unique. Runs after every pass: `after` names the pass to blame. */
export function verify(graph: Graph, stage: Stage, after: string): void {
  const fail = (what: string): never => {
    throw engineError(
      "invalid-graph",
      `After the pass "${after}" the ${stage} graph is wrong: ${what}. Please report this.`,
    );
  };
  if (graph.stage !== stage) fail(`it is at stage ${graph.stage}`);
  const made = new Set<Value>();
  const make = (value: Value, by: string): void => {
    if (made.has(value)) fail(`value ${value.id} is made twice, again by ${by}`);
    if (!dtypes[stage].includes(value.dtype)) fail(`${by} makes ${value.dtype}`);
    if (!value.shape.every((length) => Number.isInteger(length) && length >= 0))
      fail(`${by} makes shape [${value.shape.join(", ")}]`);
    made.add(value);
  };
  for (const { name, value } of graph.inputs) make(value, `input "${name}"`);
  for (const [value, literal] of graph.literals) {
    make(value, "a literal");
    if ("dense" in literal && literal.dense.length !== sizeOf(value.shape))
      fail(`a literal of shape [${value.shape.join(", ")}] has ${literal.dense.length} elements`);
  }
  graph.nodes.forEach((node, index) => {
    const who = describe(node, index);
    for (const input of node.inputs)
      if (input && !made.has(input)) fail(`${who} uses value ${input.id} before it is made`);
    if (stage === "lowered" && node.inputNames) fail(`${who} is a tfjs kernel`);
    if (node.outputs.length === 0) fail(`${who} makes nothing`);
    for (const output of node.outputs) make(output, who);
  });
  for (const { name, value } of graph.outputs)
    if (!made.has(value)) fail(`output "${name}" is never made`);
  for (const ports of [graph.inputs, graph.outputs])
    if (new Set(ports.map(({ name }) => name)).size !== ports.length)
      fail("a port name appears twice");
}

const describe = ({ op }: GraphNode, index: number): string => `${op} #${index}`;
