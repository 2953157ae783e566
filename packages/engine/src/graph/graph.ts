/** A graph of operations over named inputs, at one of two stages: "captured" (tfjs kernels as the step called them)
 *  and "lowered" (ONNX operators and those of the library that runs them). Graphs are never changed in place: a pass
 *  returns a new one. */
import type { CallSite } from "./call-site.js";

/** Element types. int64, float64 and bfloat16 appear only at stage "lowered": shape operands, and arithmetic inside one
 *  lowering. */
export type DType = "float32" | "int32" | "bool" | "int64" | "float64" | "bfloat16";

export type Shape = readonly number[];

/** One array that flows through a graph; compared by identity. */
export interface Value {
  /** Unique within its graph and all graphs that passes make of it. */
  readonly id: number;
  readonly shape: Shape;
  readonly dtype: DType;
}

/** The contents of a constant. A uniform one of any size is one number and is never written out. */
export type Literal = { readonly uniform: number } | { readonly dense: ArrayLike<number> };

/** A value of an attribute: of a tfjs kernel at stage "captured", of an operator at stage "lowered". */
type Attribute = unknown;

export interface GraphNode {
  /** Kernel name at stage "captured", operator name at stage "lowered". */
  readonly op: string;
  /** Operator set at stage "lowered": "" is the standard one. */
  readonly domain: string;
  /** Operands in order; undefined where an optional one is left out. */
  readonly inputs: readonly (Value | undefined)[];
  /** The kernel's names of its operands, in the order of `inputs`; stage "captured" only. */
  readonly inputNames?: readonly string[];
  readonly attributes: Readonly<Record<string, Attribute>>;
  readonly outputs: readonly Value[];
  /** The composite kernel of @lejepa/ops that it is a part of; stage "captured" only. */
  readonly layer?: string | undefined;
  /** The tfjs kernel that it was lowered from; stage "lowered" only. */
  readonly kernel?: string | undefined;
  /** Where in the caller's code this comes from. */
  readonly site?: CallSite | undefined;
}

/** A value with the name that the outside knows it by. */
export interface Port {
  readonly name: string;
  readonly value: Value;
}

export type Stage = "captured" | "lowered";

export interface Graph {
  readonly stage: Stage;
  readonly inputs: readonly Port[];
  readonly outputs: readonly Port[];
  readonly literals: ReadonlyMap<Value, Literal>;
  /** In an order in which every operand is made before it is used. */
  readonly nodes: readonly GraphNode[];
}

let lastId = 0;

export const newValue = (shape: Shape, dtype: DType): Value => ({ id: ++lastId, shape, dtype });

export const sizeOf = (shape: Shape): number => shape.reduce((size, length) => size * length, 1);

export const sameShape = (a: Shape, b: Shape): boolean =>
  a.length === b.length && a.every((length, axis) => length === b[axis]);

/** The literal of typed or plain values: uniform where every element is the same number. */
export function literalOf(values: ArrayLike<number>): Literal {
  const first = values[0];
  if (first === undefined) return { dense: values };
  for (let i = 1; i < values.length; i++)
    if (!Object.is(values[i], first)) return { dense: values };
  return { uniform: first };
}

/** The graph with values replaced: each node's operands and the graph's outputs go through `replacement` until it
 *  names no other value. Nodes that `dropped` contains are left out. */
export function rewire(
  graph: Graph,
  replacement: ReadonlyMap<Value, Value>,
  nodes: readonly GraphNode[] = graph.nodes,
  literals: Graph["literals"] = graph.literals,
): Graph {
  const final = (value: Value): Value => {
    let current = value;
    for (let next = replacement.get(current); next !== undefined; next = replacement.get(current))
      current = next;
    return current;
  };
  return {
    ...graph,
    literals,
    nodes: nodes.map((node) =>
      node.inputs.some((input) => input && replacement.has(input))
        ? { ...node, inputs: node.inputs.map((input) => input && final(input)) }
        : node,
    ),
    outputs: graph.outputs.map(({ name, value }) => ({ name, value: final(value) })),
  };
}
