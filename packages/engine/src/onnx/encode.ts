/** An ONNX graph as the bytes of an ONNX model. */
import { microsoft } from "../graph/builder.js";
import {
  newValue,
  sizeOf,
  type DType,
  type Graph,
  type GraphNode,
  type Literal,
  type Value,
} from "../graph/graph.js";
import { bytesOf } from "../graph/literal-bytes.js";
import { nchwc } from "./nchwc.js";
import { attributeType, dataType, modelMessage } from "./onnx-messages.js";

/** Operator sets: the standard one of ONNX 1.13, and onnxruntime's own. */
const operatorSets = [
  { domain: "", version: 18, always: true },
  { domain: microsoft, version: 1, always: true },
  // Not every build of onnxruntime knows it.
  { domain: nchwc, version: 1, always: false },
];
const irVersion = 8;

/** Uniform literals up to this many elements are written out; larger ones are an Expand of one number. */
const writtenOut = 1;

export function encode(graph: Graph): Uint8Array {
  const names = new Map<Value, string>();
  const extra: GraphNode[] = [];
  // A port's name is its value's name, unless the value has one already: then a copy carries it.
  for (const { name, value } of graph.inputs) names.set(value, name);
  for (const { name, value } of graph.outputs) {
    if (!names.has(value) && !graph.literals.has(value)) {
      names.set(value, name);
      continue;
    }
    const copy = newValue(value.shape, value.dtype);
    names.set(copy, name);
    extra.push({ op: "Identity", domain: "", inputs: [value], attributes: {}, outputs: [copy] });
  }
  // Numbered as they come, so that equal graphs are equal bytes.
  const nameOf = (value: Value | undefined): string => {
    if (value === undefined) return "";
    const name = names.get(value) ?? `v${names.size}`;
    names.set(value, name);
    return name;
  };

  const initializers: object[] = [];
  const expansions: object[] = [];
  const scalars = new Map<string, string>();
  const write = (name: string, literal: Literal, shape: readonly number[], dtype: DType): void => {
    const rawData = bytesOf(literal, shape, dtype);
    initializers.push({ dims: shape, dataType: dataType[dtype], name, rawData });
  };
  for (const [value, literal] of graph.literals) {
    const name = nameOf(value);
    if ("dense" in literal || sizeOf(value.shape) <= writtenOut) {
      write(name, literal, value.shape, value.dtype);
      continue;
    }
    const key = `${value.dtype} ${literal.uniform}`;
    if (!scalars.has(key)) {
      scalars.set(key, `${name}/number`);
      write(`${name}/number`, literal, [], value.dtype);
    }
    const shape = `${name}/shape`;
    write(shape, { dense: value.shape }, [value.shape.length], "int64");
    const input = [scalars.get(key), shape];
    expansions.push({ input, output: [name], name: `Expand/${name}`, opType: "Expand" });
  }
  const node = ({ op, domain, inputs, attributes, outputs }: GraphNode, index: number) => ({
    input: inputs.map(nameOf),
    output: outputs.map(nameOf),
    name: `${op}/${index}`,
    opType: op,
    attribute: Object.entries(attributes).map(([name, value]) => attribute(name, value)),
    domain,
  });
  const info = ({ name, value }: { name: string; value: Value }) => ({
    name,
    type: {
      tensorType: {
        elemType: dataType[value.dtype],
        shape: { dim: value.shape.map((dimValue) => ({ dimValue })) },
      },
    },
  });
  return modelMessage
    .encode({
      irVersion,
      producerName: "@lejepa/engine",
      opsetImport: operatorSets.filter(
        ({ domain, always }) => always || graph.nodes.some((node) => node.domain === domain),
      ),
      graph: {
        name: "step",
        node: [...expansions, ...graph.nodes.map(node), ...extra.map(node)],
        initializer: initializers,
        input: graph.inputs.map(info),
        output: graph.outputs.map(info),
      },
    })
    .finish();
}

const text = new TextEncoder();

function attribute(name: string, value: unknown): object {
  if (Array.isArray(value)) return { name, ints: value, type: attributeType.ints };
  if (typeof value === "string") return { name, s: text.encode(value), type: attributeType.string };
  if (typeof value === "number" && Number.isInteger(value))
    return { name, i: value, type: attributeType.int };
  if (typeof value === "object" && value !== null && "float" in value)
    return { name, f: value.float, type: attributeType.float };
  if (typeof value === "object" && value !== null && "dtype" in value)
    return { name, i: dataType[value.dtype as DType], type: attributeType.int };
  throw new Error(`The attribute ${name} = ${String(value)} has no form in ONNX.`);
}
