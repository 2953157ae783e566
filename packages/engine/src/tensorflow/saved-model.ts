/** A program as a SavedModel: its variables, what sets and reads them, and its entries. */
import type { Shape } from "../graph/graph.js";
import { attribute } from "./attribute.js";
import { graphDef, message, nodeName } from "./graph-fragment.js";
import { graphMessage, savedModelMessage } from "./saved-model-messages.js";

/** Names of what every program has besides its entries. */
export const stateNode = {
  /** A new value of a variable, to be fed. */
  value: (index: number) => `set/value/${index}`,
  /** Fetched to set all variables. */
  set: "set/done",
  /** The value of a variable, to be fetched. */
  read: (index: number) => `get/${index}`,
};

/** The tag that the one graph of the model is found by. */
export const tag = "serve";

/** Format of graphs that every TensorFlow since 2.9 reads: before it, no operator of ours changed its meaning. */
const producer = 1087;

/** @param shapes Shapes of the variables, all float32, in their order.
 *  @param fragments Graphs of the entries, as `graphFragment` makes them. */
export function savedModel(shapes: readonly Shape[], fragments: readonly Uint8Array[]): Uint8Array {
  const { type, shape, string, tensor } = attribute;
  const dtype = type("float32");
  const nodes = shapes.flatMap((dims, i) => [
    message(nodeName.variable(i), "VarHandleOp", [], {
      dtype,
      shape: shape(dims),
      shared_name: string(nodeName.variable(i)),
      container: string(""),
    }),
    message(stateNode.value(i), "Placeholder", [], { dtype, shape: shape(dims) }),
    // What is fed is an array of JavaScript's, which a variable must not keep: TensorFlow may let go of it in another
    // thread than JavaScript's.
    message(`set/copy/${i}`, "DeepCopy", [stateNode.value(i)], { T: dtype }),
    message(`set/assign/${i}`, "AssignVariableOp", [nodeName.variable(i), `set/copy/${i}`], {
      dtype,
    }),
    message(stateNode.read(i), "ReadVariableOp", [nodeName.variable(i)], { dtype }),
  ]);
  const one = message("set/one", "Const", [], {
    dtype,
    value: tensor({ uniform: 1 }, [], "float32"),
  });
  const set = message(
    stateNode.set,
    "Identity",
    [one.name, ...shapes.map((_, i) => `^set/assign/${i}`)],
    { T: dtype },
  );
  const versions = graphMessage.encode({ versions: { producer } }).finish();
  return savedModelMessage
    .encode({
      savedModelSchemaVersion: 1,
      metaGraphs: [
        {
          metaInfoDef: { tags: [tag], tensorflowVersion: "2.9.0" },
          graphDef: Buffer.concat([versions, graphDef([...nodes, one, set]), ...fragments]),
        },
      ],
    })
    .finish();
}
