/** The part of a TensorFlow graph that one entry of a program is. Parts of several entries laid end to end, behind the
 *  variables that they share, are the graph of the program. */
import { port } from "../capture/port.js";
import { sizeOf, type DType, type Graph, type GraphNode } from "../graph/graph.js";
import type { Literal, Value } from "../graph/graph.js";
import type { ModelPorts } from "../session-host.js";
import { attribute, type Attribute } from "./attribute.js";
import { tensorflow, writeNode } from "./operators.js";
import { graphMessage } from "./saved-model-messages.js";

/** Names of the nodes that a host feeds and fetches. State, inputs and outputs go by number, since TensorFlow restricts
 *  the characters of a name; behind the inputs come those that earlier models kept, behind the outputs those to keep. */
export const nodeName = {
  variable: (index: number) => `state/${index}`,
  input: (entry: string, index: number) => `${entry}/input/${index}`,
  output: (entry: string, index: number) => `${entry}/output/${index}`,
  /** Fetched where an entry has no outputs. */
  done: (entry: string) => `${entry}/done`,
};

interface NodeMessage {
  readonly name: string;
  readonly op: string;
  readonly input: readonly string[];
  readonly attr: Readonly<Record<string, Attribute>>;
}

/** Nodes as a GraphDef. */
export const graphDef = (nodes: readonly NodeMessage[]): Uint8Array =>
  graphMessage.encode({ node: nodes }).finish();

export const message = (
  name: string,
  op: string,
  input: readonly string[],
  attr: NodeMessage["attr"],
): NodeMessage => ({ name, op, input, attr });

/** Operators whose result is memory of its own whatever TensorFlow simplifies. All others may hand on that of an operand
 *  of the same size, if not as they stand, then once TensorFlow has found that they change nothing: -(-x), x + (y - y). */
const makesItsOwn = new Set([
  ...["MatMul", "FusedMatMul", "Gemm", "Einsum", "Softmax", "CumSum", "TopK", "ScatterElements"],
  ...[
    "Gather",
    "GatherND",
    "Exp",
    "Log",
    "Erf",
    "Tanh",
    "Sigmoid",
    "Softplus",
    "Sqrt",
    "Sin",
    "Cos",
  ],
]);

/** Whether a result may lie in the memory of one of the values. */
const mayHandOn = ({ op, domain, inputs }: GraphNode, output: Value, of: ReadonlySet<Value>) =>
  domain !== tensorflow &&
  !makesItsOwn.has(op) &&
  inputs.some((input) => input && of.has(input) && sizeOf(output.shape) <= sizeOf(input.shape));

/** Asks XLA to compile a node together with its neighbours, as `tf.xla.experimental.jit_scope` does. */
const compiled = { _XlaCompile: attribute.bool(true) };

/** The nodes of a lowered graph, under names that begin with `entry`. The variables are numbered as in `state`. */
export function graphFragment(
  graph: Graph,
  { entry, reads, writes, outputs, takes, keeps }: ModelPorts,
  state: readonly string[],
  inputs: readonly string[],
  compiler: "xla" | "none",
): Uint8Array {
  const nodes: NodeMessage[] = [];
  const names = new Map<Value, string>();
  const constants = new Map<string, string>();
  let count = 0;
  const { type, shape } = attribute;
  const add = (
    name: string,
    op: string,
    operands: readonly string[],
    attr: NodeMessage["attr"],
  ) => {
    nodes.push(message(name, op, operands, attr));
    return name;
  };
  const constant = (literal: Literal, size: readonly number[], dtype: DType): string => {
    const write = () =>
      add(`${entry}/constant/${count++}`, "Const", [], {
        dtype: type(dtype),
        value: attribute.tensor(literal, size, dtype),
      });
    if (!("uniform" in literal)) return write();
    const key = `${dtype} [${size.join()}] ${Object.is(literal.uniform, -0) ? "-0" : literal.uniform}`;
    const name = constants.get(key) ?? write();
    constants.set(key, name);
    return name;
  };
  const nameOf = (value: Value): string => {
    let name = names.get(value);
    if (name === undefined) {
      name = constant(graph.literals.get(value)!, value.shape, value.dtype);
      names.set(value, name);
    }
    return name;
  };

  const fed = new Set<Value>();
  for (const { name, value } of graph.inputs) {
    const at = reads.findIndex((each) => port.state(each) === name);
    if (at >= 0) {
      const variable = state.indexOf(reads[at]!);
      const read = `${entry}/read/${variable}`;
      names.set(
        value,
        add(read, "ReadVariableOp", [nodeName.variable(variable)], { dtype: type(value.dtype) }),
      );
      continue;
    }
    const index = [...inputs.map(port.input), ...takes].indexOf(name);
    fed.add(value);
    names.set(
      value,
      add(nodeName.input(entry, index), "Placeholder", [], {
        dtype: type(value.dtype),
        shape: shape(value.shape),
      }),
    );
  }
  for (const node of graph.nodes) {
    const results = writeNode(
      node,
      node.inputs.map((input) => nameOf(input!)),
      {
        node: (op, operands, attr) =>
          add(
            `${entry}/${op}/${count++}`,
            op,
            operands,
            compiler === "xla" ? { ...attr, ...compiled } : attr,
          ),
        constant,
        literal: (value) => {
          const literal = value && graph.literals.get(value);
          if (literal === undefined) return undefined;
          return "uniform" in literal
            ? Array.from({ length: value!.shape[0] ?? 1 }, () => literal.uniform)
            : Array.from(literal.dense);
        },
      },
    );
    const list = typeof results === "string" ? [results] : results;
    node.outputs.forEach((output, i) => names.set(output, list[i]!));
    for (const output of node.outputs) if (mayHandOn(node, output, fed)) fed.add(output);
  }

  const made = (name: string): Value => graph.outputs.find((each) => each.name === name)!.value;
  const fetched = [...outputs.map(port.output), ...keeps];
  // Nothing is assigned before everything is computed: a run that fails leaves the state as it was.
  const computed = [...writes.map(port.nextState), ...fetched]
    .map(made)
    .map((value) => `^${nameOf(value).replace(/:\d+$/, "")}`);
  const commit = add(`${entry}/commit`, "NoOp", [...new Set(computed)], {});
  const assigned = writes.map((name) => {
    const value = made(port.nextState(name));
    const variable = state.indexOf(name);
    // What was fed is the caller's memory, which a variable must not keep.
    const next = fed.has(value)
      ? add(`${entry}/copy/${variable}`, "DeepCopy", [nameOf(value)], { T: type(value.dtype) })
      : nameOf(value);
    return add(
      `${entry}/assign/${variable}`,
      "AssignVariableOp",
      [nodeName.variable(variable), next, `^${commit}`],
      { dtype: type(value.dtype) },
    );
  });
  const after = assigned.map((name) => `^${name}`);
  fetched.forEach((name, index) => {
    const value = made(name);
    // Results are read at once; what is kept outlives the caller's memory.
    const op = port.isCarried(name) && fed.has(value) ? "DeepCopy" : "Identity";
    add(nodeName.output(entry, index), op, [nameOf(value), ...after], {
      T: type(value.dtype),
    });
  });
  if (fetched.length === 0) {
    const one = constant({ uniform: 1 }, [], "float32");
    add(nodeName.done(entry), "Identity", [one, ...after], { T: type("float32") });
  }
  return graphDef(nodes);
}
