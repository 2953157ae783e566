/** Updates of the state that the host does behind a run, in place, in one pass over memory. */
import type { AdamwConstants, AdamwInputs } from "@lejepa/ops";
import { GraphBuilder } from "../graph/builder.js";
import { rewire, type Graph, type GraphNode, type Port, type Value } from "../graph/graph.js";
import { port } from "../graph/port.js";
import { kernel } from "../kernels/kernel.js";
import { adamwScalars, composedAdamw } from "../kernels/optimizer.js";
import { adamwInPlace, replacedState } from "../passes/in-place-updates.js";

/** Domain of an update in a lowered graph: {@link Operands} to the next parameter, mean and square. */
const hostDomain = "lejepa.host";

/** Updates in place as nodes that {@link splitUpdates} takes out. */
export const hostUpdateRows = {
  [adamwInPlace]: kernel<Record<keyof AdamwInputs, never>, AdamwConstants>(
    (
      { parameter, mean, square, gradient, ...operands },
      { beta1, beta2, epsilon: smallest, weightDecay },
      g,
    ) => {
      const scalars = { epsilon: smallest, weightDecay };
      const { stepSize, epsilon, decay } = adamwScalars(g, operands, scalars);
      const inputs: Operands = [parameter, mean, square, gradient, stepSize, epsilon, decay];
      const results = ([parameter, mean, square] as const).map(
        ({ shape, dtype }) => [shape, dtype] as const,
      );
      const rates: Rates = { beta1, beta2 };
      return g.opMany("Adamw", inputs, results, { ...rates }, hostDomain);
    },
  ),
};

/** An AdamW update of three tensors that the host keeps. */
export interface HostUpdate {
  /** Names that the host knows the tensors by. */
  readonly parameter: string;
  readonly mean: string;
  readonly square: string;
  /** Ports of the model with what the run computes for it: the gradient, and three numbers. */
  readonly gradient: string;
  readonly stepSize: string;
  readonly epsilon: string;
  readonly decay: string;
  readonly beta1: number;
  readonly beta2: number;
}

/** The updates of a graph, and the graph that computes what they need. An update of tensors that the host does not keep
 *  as such becomes the operations that it is composed of. */
export function splitUpdates(graph: Graph): {
  readonly graph: Graph;
  readonly updates: readonly HostUpdate[];
} {
  if (!graph.nodes.some(isUpdate)) return { graph, updates: [] };
  const updates: HostUpdate[] = [];
  const made = new Map<Value, Port>();
  const madePort = (value: Value): string => {
    const found = made.get(value) ?? { name: port.updated(made.size), value };
    made.set(value, found);
    return found.name;
  };
  const done = new Set<Value>();
  const replaced = new Map<Value, Value>();
  const literals = new Map(graph.literals);
  const nodes = graph.nodes.flatMap((node) => {
    if (!isUpdate(node)) return [node];
    const [parameter, mean, square, gradient, stepSize, epsilon, decay] = node.inputs as Operands;
    const { beta1, beta2 } = node.attributes as Rates;
    const names = keptNames(graph, [parameter, mean, square], node.outputs);
    if (names) {
      for (const output of node.outputs) done.add(output);
      updates.push({
        ...names,
        gradient: madePort(gradient),
        stepSize: madePort(stepSize),
        epsilon: madePort(epsilon),
        decay: madePort(decay),
        beta1,
        beta2,
      });
      return [];
    }
    const g = new GraphBuilder();
    const tensors = { parameter, mean, square, gradient };
    const results = composedAdamw(g, tensors, { stepSize, epsilon, decay }, { beta1, beta2 });
    node.outputs.forEach((output, i) => replaced.set(output, results[i]!));
    const composed = g.finish([], []);
    for (const [value, literal] of composed.literals) literals.set(value, literal);
    return composed.nodes;
  });
  const outputs = graph.outputs.filter(({ value }) => !done.has(value));
  const left = rewire({ ...graph, outputs }, replaced, nodes, literals);
  return { graph: { ...left, outputs: [...left.outputs, ...made.values()] }, updates };
}

type Operands = [
  ...tensors: [parameter: Value, mean: Value, square: Value, gradient: Value],
  ...scalars: [stepSize: Value, epsilon: Value, decay: Value],
];
type Rates = Pick<AdamwConstants, "beta1" | "beta2">;

const isUpdate = ({ domain }: GraphNode): boolean => domain === hostDomain;

/** What the host calls the tensors, where each is one that it keeps and the result is the next value of just that. */
function keptNames(
  graph: Graph,
  operands: readonly Value[],
  results: readonly Value[],
): Pick<HostUpdate, "parameter" | "mean" | "square"> | undefined {
  const [parameter, mean, square] = operands.map((operand, i) =>
    replacedState(graph, operand, results[i]!),
  );
  return parameter !== undefined && mean !== undefined && square !== undefined
    ? { parameter, mean, square }
    : undefined;
}
