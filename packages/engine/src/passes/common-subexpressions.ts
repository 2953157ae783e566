import { rewire, type GraphNode, type Literal, type Value } from "../graph/graph.js";
import type { Pass } from "./rewrite-nodes.js";

/** Two literals with the same contents become one, and two nodes with the same operator, attributes and operands. */
export const commonSubexpressions: Pass = {
  name: "common subexpressions",
  run(graph) {
    const replacement = new Map<Value, Value>();
    const literals = new Map<Value, Literal>();
    const seenLiterals = new Map<string, [Value, Literal][]>();
    for (const [value, literal] of graph.literals) {
      const key = `${value.dtype} ${value.shape.join()} ${digest(literal)}`;
      const alike = seenLiterals.get(key) ?? [];
      const twin = alike.find(([, other]) => sameLiteral(literal, other));
      if (twin) {
        replacement.set(value, twin[0]);
        continue;
      }
      seenLiterals.set(key, [...alike, [value, literal]]);
      literals.set(value, literal);
    }
    const seen = new Map<string, GraphNode>();
    const nodes: GraphNode[] = [];
    for (const node of graph.nodes) {
      const inputs = node.inputs.map((input) => input && (replacement.get(input) ?? input));
      const key = `${node.domain} ${node.op} ${inputs.map((input) => input?.id).join()} ${node.inputNames?.join()} ${textOf(node.attributes)}`;
      const twin = seen.get(key);
      if (twin) {
        node.outputs.forEach((output, i) => replacement.set(output, twin.outputs[i]!));
        continue;
      }
      seen.set(key, node);
      nodes.push(node);
    }
    return rewire(graph, replacement, nodes, literals);
  },
};

/** Attributes as text; NaN, infinities and -0 are not the same as null or 0. */
const textOf = (attributes: GraphNode["attributes"]): string =>
  JSON.stringify(attributes, (_, value: unknown) =>
    typeof value === "number" && (!Number.isFinite(value) || Object.is(value, -0))
      ? `number ${Object.is(value, -0) ? "-0" : value}`
      : value,
  );

function digest(literal: Literal): string {
  if ("uniform" in literal) return Object.is(literal.uniform, -0) ? "-0" : `${literal.uniform}`;
  let hash = 0;
  for (let i = 0; i < literal.dense.length; i++)
    hash = (Math.imul(hash, 31) + Math.trunc(literal.dense[i]! * 4096)) | 0;
  return `dense ${hash}`;
}

function sameLiteral(a: Literal, b: Literal): boolean {
  if ("uniform" in a || "uniform" in b)
    return "uniform" in a && "uniform" in b && Object.is(a.uniform, b.uniform);
  for (let i = 0; i < a.dense.length; i++) if (!Object.is(a.dense[i], b.dense[i])) return false;
  return a.dense.length === b.dense.length;
}
