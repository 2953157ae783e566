import type { Value } from "../graph/graph.js";
import type { Pass } from "./rewrite-nodes.js";

/** Drops nodes and literals that no output depends on. Inputs stay: they are the step's interface. */
export const deadCode: Pass = {
  name: "dead code",
  run(graph) {
    const live = new Set<Value>(graph.outputs.map(({ value }) => value));
    const nodes = [...graph.nodes]
      .reverse()
      .filter((node) => {
        if (!node.outputs.some((output) => live.has(output))) return false;
        for (const input of node.inputs) if (input) live.add(input);
        return true;
      })
      .reverse();
    const literals = new Map([...graph.literals].filter(([value]) => live.has(value)));
    return { ...graph, nodes, literals };
  },
};
