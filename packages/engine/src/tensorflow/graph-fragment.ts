/** The part of a TensorFlow graph that one entry of a program is. Parts of several entries laid end to end, behind the
 *  variables that they share, are the graph of the program. */
import { sizeOf, type DType, type Graph, type GraphNode } from "../graph/graph.js";
import type { Literal, Value } from "../graph/graph.js";
import { port } from "../graph/port.js";
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

/** The domain of operators that change variables in place. Operands and results begin with the values that the variables
 *  have before and after, as many as there are results; the node takes the variables themselves instead. */
export const resourceUpdate = "tensorflow/resource";

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

/** Without the number of a result: the name of the node. */
const control = (name: string): string => `^${name.replace(/:\d+$/, "")}`;

/** Asks XLA to compile a node together with its neighbours, as `tf.xla.experimental.jit_scope` does. */
const compiled = { _XlaCompile: attribute.bool(true) };

/** Operators that refuse places outside of their operand, which XLA's do not. */
const placing = new Set([...["GatherV2", "GatherNd", "TensorScatterAdd", "TensorScatterUpdate"]]);

/** The nodes of a lowered graph, under names that begin with `entry`. The variables are numbered as in `state`. */
export function graphFragment(
  graph: Graph,
  ports: ModelPorts,
  state: readonly string[],
  inputs: readonly string[],
  compiler: "xla" | "none",
): Uint8Array {
  const fragment = new Fragment(graph, ports, state, compiler);
  fragment.take(inputs);
  graph.nodes.forEach((node, index) => {
    if (node.domain !== resourceUpdate) fragment.compute(node, index);
  });
  fragment.hand(fragment.replaceState());
  return graphDef(fragment.nodes);
}

const { type, shape } = attribute;

class Fragment {
  readonly nodes: NodeMessage[] = [];
  readonly #names = new Map<Value, string>();
  readonly #constants = new Map<string, string>();
  /** The state as it was, by value. */
  readonly #read = new Map<Value, string>();
  /** What may lie in the memory of an array that the caller fed. */
  readonly #fed = new Set<Value>();
  #count = 0;

  constructor(
    private readonly graph: Graph,
    private readonly ports: ModelPorts,
    private readonly state: readonly string[],
    private readonly compiler: "xla" | "none",
  ) {}

  /** The state as it was, and what is fed. */
  take(inputs: readonly string[]): void {
    const { entry, reads, takes } = this.ports;
    const feeds = [...inputs.map(port.input), ...takes];
    for (const { name, value } of this.graph.inputs) {
      const dtype = type(value.dtype);
      const read = reads.find((each) => port.state(each) === name);
      if (read === undefined) {
        const fed = nodeName.input(entry, feeds.indexOf(name));
        this.#add(fed, "Placeholder", [], { dtype, shape: shape(value.shape) });
        this.#names.set(value, fed);
        this.#fed.add(value);
      } else {
        const node = `${entry}/read/${this.state.indexOf(read)}`;
        this.#add(node, "ReadVariableOp", [this.#variable(read)], { dtype });
        this.#names.set(value, node);
        this.#read.set(value, read);
      }
    }
  }

  /** Writes a node; the names of its parts carry its place in the graph, by which a failure is told where it belongs. */
  compute(node: GraphNode, index: number): void {
    let parts = 0;
    const results = writeNode(
      node,
      node.inputs.map((input) => this.#nameOf(input!)),
      {
        node: (op, operands, attr) =>
          this.#add(
            `${this.ports.entry}/${op}/${index}-${parts++}`,
            op,
            operands,
            this.compiler === "xla" && !placing.has(op) ? { ...attr, ...compiled } : attr,
          ),
        constant: (...contents) => this.#constant(...contents),
        literal: (value) => this.#literal(value),
      },
    );
    const list = typeof results === "string" ? [results] : results;
    node.outputs.forEach((output, i) => this.#names.set(output, list[i]!));
    for (const output of node.outputs)
      if (mayHandOn(node, output, this.#fed)) this.#fed.add(output);
  }

  /** Writes what replaces the state, and returns the names of the nodes that do. Nothing is replaced before everything
   *  is computed: a run that fails leaves the state as it was. */
  replaceState(): string[] {
    const { entry, writes } = this.ports;
    const updates = this.graph.nodes.filter(({ domain }) => domain === resourceUpdate);
    const updated = new Set(updates.flatMap(({ outputs }) => outputs));
    const assigned = writes.filter((name) => !updated.has(this.#next(name)));
    const computed = [
      ...assigned.map((name) => this.#next(name)),
      ...this.#fetched().map((name) => this.#made(name)),
      ...updates.flatMap(({ inputs }) =>
        (inputs as readonly Value[]).filter((value) => !this.#read.has(value)),
      ),
    ].map((value) => control(this.#nameOf(value)));
    const commit = `${entry}/commit`;
    this.#add(commit, "NoOp", [...new Set(computed)], {});
    return [
      ...assigned.map((name) => this.#assign(name, this.#next(name), commit)),
      ...updates.map((node) => this.#update(node, commit)),
    ];
  }

  #assign(name: string, value: Value, commit: string): string {
    const { entry } = this.ports;
    const index = this.state.indexOf(name);
    const dtype = type(value.dtype);
    // What was fed is the caller's memory, which a variable must not keep.
    const next = this.#fed.has(value)
      ? this.#add(`${entry}/copy/${index}`, "DeepCopy", [this.#nameOf(value)], { T: dtype })
      : this.#nameOf(value);
    return this.#add(
      `${entry}/assign/${index}`,
      "AssignVariableOp",
      [this.#variable(name), next, control(commit)],
      { dtype },
    );
  }

  /** Variables whose value is not the one that the update starts from are assigned that first. */
  #update({ op, inputs, outputs }: GraphNode, commit: string): string {
    const { entry, writes } = this.ports;
    const names = outputs.map((output) => writes.find((name) => this.#next(name) === output)!);
    const before = inputs.slice(0, names.length) as readonly Value[];
    const operands = inputs.slice(names.length) as readonly Value[];
    const assigned = before.flatMap((value, i) =>
      this.#read.get(value) === names[i] ? [] : [this.#assign(names[i]!, value, commit)],
    );
    return this.#add(
      `${entry}/${op}/${this.#count++}`,
      op,
      [
        ...names.map((name) => this.#variable(name)),
        ...operands.map((value) => this.#nameOf(value)),
        ...[commit, ...assigned].map(control),
      ],
      { T: type(outputs[0]!.dtype) },
    );
  }

  /** Writes what is fetched, to be had once the state is replaced. */
  hand(replaced: readonly string[]): void {
    const { entry } = this.ports;
    const after = replaced.map(control);
    const fetched = this.#fetched();
    fetched.forEach((name, index) => {
      const value = this.#made(name);
      // Results are read at once; what is kept outlives the caller's memory.
      const op = port.isCarried(name) && this.#fed.has(value) ? "DeepCopy" : "Identity";
      this.#add(nodeName.output(entry, index), op, [this.#nameOf(value), ...after], {
        T: type(value.dtype),
      });
    });
    if (fetched.length === 0) {
      const one = this.#constant({ uniform: 1 }, [], "float32");
      this.#add(nodeName.done(entry), "Identity", [one, ...after], { T: type("float32") });
    }
  }

  #fetched(): string[] {
    return [...this.ports.outputs.map(port.output), ...this.ports.keeps];
  }

  #made(name: string): Value {
    return this.graph.outputs.find((each) => each.name === name)!.value;
  }

  #next(name: string): Value {
    return this.#made(port.nextState(name));
  }

  #variable(name: string): string {
    return nodeName.variable(this.state.indexOf(name));
  }

  #nameOf(value: Value): string {
    let name = this.#names.get(value);
    if (name === undefined) {
      name = this.#constant(this.graph.literals.get(value)!, value.shape, value.dtype);
      this.#names.set(value, name);
    }
    return name;
  }

  #constant(literal: Literal, size: readonly number[], dtype: DType): string {
    const write = () =>
      this.#add(`${this.ports.entry}/constant/${this.#count++}`, "Const", [], {
        dtype: type(dtype),
        value: attribute.tensor(literal, size, dtype),
      });
    if (!("uniform" in literal)) return write();
    const key = `${dtype} [${size.join()}] ${Object.is(literal.uniform, -0) ? "-0" : literal.uniform}`;
    const name = this.#constants.get(key) ?? write();
    this.#constants.set(key, name);
    return name;
  }

  #literal(value: Value | undefined): readonly number[] | undefined {
    const literal = value && this.graph.literals.get(value);
    if (literal === undefined) return undefined;
    return "uniform" in literal
      ? Array.from({ length: value!.shape[0] ?? 1 }, () => literal.uniform)
      : Array.from(literal.dense);
  }

  #add(name: string, op: string, operands: readonly string[], attr: NodeMessage["attr"]): string {
    this.nodes.push(message(name, op, operands, attr));
    return name;
  }
}
