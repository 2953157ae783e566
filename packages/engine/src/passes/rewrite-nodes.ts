import {
  newValue,
  rewire,
  sameShape,
  type DType,
  type Graph,
  type GraphNode,
  type Literal,
  type Shape,
  type Value,
} from "../graph/graph.js";

/** A named rewriting of a graph that leaves what it computes as it is. */
export interface Pass {
  readonly name: string;
  run(graph: Graph): Graph;
}

/** What a rule sees besides its node. */
export interface Rewriting {
  /** The node that makes a value; undefined for inputs and literals. */
  producer(value: Value): GraphNode | undefined;
  /** The contents of a literal; undefined for everything else. */
  literal(value: Value | undefined): Literal | undefined;
  /** A new literal. */
  constant(literal: Literal, shape: Shape, dtype: DType): Value;
  /** A new node with one result, emitted before the current one. */
  emit(
    op: string,
    inputs: readonly (Value | undefined)[],
    shape: Shape,
    dtype: DType,
    attributes?: GraphNode["attributes"],
    domain?: string,
  ): Value;
}

/** What stands in for a node's only result, or undefined to keep the node. */
export type Rule = (node: GraphNode, rewriting: Rewriting) => Value | undefined;

/** The graph with `rule` applied to each node in order, the operands already being what earlier nodes became. */
export function rewriteNodes(graph: Graph, rule: Rule): Graph {
  const literals = new Map(graph.literals);
  const nodes: GraphNode[] = [];
  const producers = new Map<Value, GraphNode>();
  const replacement = new Map<Value, Value>();
  const add = (node: GraphNode): void => {
    nodes.push(node);
    for (const output of node.outputs) producers.set(output, node);
  };
  for (const original of graph.nodes) {
    const node = original.inputs.some((input) => input && replacement.has(input))
      ? {
          ...original,
          inputs: original.inputs.map((input) => input && (replacement.get(input) ?? input)),
        }
      : original;
    const stand = rule(node, {
      producer: (value) => producers.get(value),
      literal: (value) => value && literals.get(value),
      constant: (literal, shape, dtype) => {
        const value = newValue(shape, dtype);
        literals.set(value, literal);
        return value;
      },
      emit: (op, inputs, shape, dtype, attributes = {}, domain = "") => {
        const output = newValue(shape, dtype);
        const { kernel, site } = node;
        add({ op, domain, inputs, attributes, outputs: [output], kernel, site });
        return output;
      },
    });
    if (stand === undefined) {
      add(node);
      continue;
    }
    const [result] = node.outputs as [Value];
    if (!sameShape(stand.shape, result.shape) || stand.dtype !== result.dtype)
      throw new Error(
        `${node.op} makes ${result.dtype} [${result.shape.join(", ")}] and cannot become ${stand.dtype} [${stand.shape.join(", ")}].`,
      );
    replacement.set(result, stand);
  }
  return rewire(graph, replacement, nodes, literals);
}

/** A shape, axes or bounds as an operand. */
export const list = (rewriting: Rewriting, values: readonly number[]): Value =>
  rewriting.constant({ dense: values }, [values.length], "int64");
