import {
  newValue,
  rewire,
  sizeOf,
  type DType,
  type Graph,
  type GraphNode,
  type Shape,
  type Value,
} from "../graph/graph.js";
import { port } from "../graph/port.js";
import type { Pass } from "./rewrite-nodes.js";

/** A part holds whole blocks of so many images, which is how filter gradients take them. */
const blockOfImages = 16;
/** And not fewer than so many: with 16 a part, ResNet-18 on 128 images of 64x64 takes 4 % longer than in one piece, with 32
 *  as long. */
const leastImages = 64;

/** The batch of a convolutional net goes through the step in parts whose activations have at most `partBytes` each. What
 *  is computed of each image alone is computed part by part: convolutions and their input gradients, elementwise
 *  operations, pooling. What sums over the images, the statistics of batch norms and the gradients of filters, adds up
 *  the sums of the parts. onnxruntime goes depth first, so a part is taken from one sum over the batch to the next while
 *  it is in a processor's cache, where operations on the whole batch would each wait for memory. Over tfjs kernels.
 *
 *  Microseconds per image of the convolutional reference step, in parts of 4 MiB: on two threads 75, 75 and 83 for 512,
 *  1,024 and 4,096 images instead of 83, 88 and 103; on one 139, 139 and 133 for 256, 1,024 and 4,096 instead of 145, 159
 *  and 160. The most memory in use at once falls by a third.
 *
 *  Refused: batches of smaller activations, or without parts of so few bytes and enough images; and steps that exchange
 *  values with other processes, between whose sums whole batches are handed on. Activations of less than half a part
 *  stay whole, where fixed costs of an operation would be most of it. */
export const batchParts = (partBytes: number): Pass => ({
  name: "batch parts",
  run(graph) {
    const handedOn = [...graph.inputs, ...graph.outputs].some(({ name }) => port.isCarried(name));
    const counts = handedOn ? new Map<number, number>() : partCounts(graph, partBytes);
    return counts.size === 0 ? graph : new Division(graph, counts, partBytes / 2).run();
  },
});

const bytesOf = ({ shape }: Value): number => sizeOf(shape) * Float32Array.BYTES_PER_ELEMENT;

/** In how many parts a batch of so many images goes. */
function partCounts({ nodes }: Graph, partBytes: number): Map<number, number> {
  const largest = new Map<number, number>();
  for (const { op, inputs, outputs } of nodes) {
    if (op !== "Conv2D") continue;
    const [x, y] = [inputs[0]!, outputs[0]!];
    const images = x.shape[0]!;
    largest.set(images, Math.max(largest.get(images) ?? 0, bytesOf(x), bytesOf(y)));
  }
  const counts = new Map<number, number>();
  for (const [images, bytes] of largest) {
    const fits = (count: number): boolean => images % (count * blockOfImages) === 0;
    let count = Math.ceil(bytes / partBytes);
    while (count * leastImages <= images && !fits(count)) count++;
    if (count > 1 && count * leastImages <= images) counts.set(images, count);
  }
  return counts;
}

/** How a kernel is computed in parts. */
interface Rule {
  /** The axis along which each operand is divided; undefined for those that every part takes whole. */
  readonly axes: readonly (number | undefined)[];
  /** Whether the parts' results are parts of the result, along its first axis, or addends. */
  readonly results: "parts" | "addends";
  /** The attribute that is the shape of the result. */
  readonly shapeAttribute?: string;
}

type RuleOf = (node: GraphNode) => Rule | undefined;

/** Element by element; operands that are broadcast along the batch are taken whole. */
const elementwise: RuleOf = ({ inputs, outputs }) => {
  const { shape } = outputs[0]!;
  const along = (operand: Value | undefined): boolean =>
    operand?.shape.length === shape.length && operand.shape[0] === shape[0];
  return { axes: inputs.map((operand) => (along(operand) ? 0 : undefined)), results: "parts" };
};

/** Of each image by itself: the first `operands` have a row for each. */
const byImage =
  (operands: number, shapeAttribute?: string): RuleOf =>
  ({ inputs }) => ({
    axes: inputs.map((_, i) => (i < operands ? 0 : undefined)),
    results: "parts",
    ...(shapeAttribute !== undefined && { shapeAttribute }),
  });

const overImages: RuleOf = () => ({ axes: [0, 0], results: "addends" });

/** A reduction within each image. */
const withinImages: RuleOf = (node) =>
  [node.attributes.axis].flat().every((axis) => typeof axis === "number" && axis > 0)
    ? byImage(1)(node)
    : undefined;

/** Weighted sums of rows. */
const sumOfRows: RuleOf = ({ inputs: [weights], attributes: { transposeA, transposeB } }) =>
  weights!.shape.length === 2 && weights!.shape[0] === 1 && !transposeA && !transposeB
    ? { axes: [1, 0], results: "addends" }
    : undefined;

const rules: Readonly<Record<string, RuleOf>> = {
  Add: elementwise,
  Sub: elementwise,
  Multiply: elementwise,
  Square: elementwise,
  Relu: elementwise,
  Step: elementwise,
  Reshape: byImage(1, "shape"),
  Mean: withinImages,
  BatchMatMul: sumOfRows,
  Conv2D: byImage(1),
  Conv2DBackpropInput: byImage(1, "inputShape"),
  Conv2DBackpropFilter: overImages,
  DepthwiseConv2dNative: byImage(1),
  DepthwiseConv2dNativeBackpropInput: byImage(1, "inputShape"),
  DepthwiseConv2dNativeBackpropFilter: overImages,
  MaxPool: byImage(1),
  MaxPoolGrad: byImage(3),
  AvgPool: byImage(1),
  AvgPoolGrad: byImage(2),
};

/** Kernels that a batch is taken apart for. Others go on with what is in parts, or begin them where their result is
 *  larger than all that they take. */
const begins = new Set(["Conv2D", "Conv2DBackpropFilter"]);

/** A graph while its batches are divided. */
class Division {
  readonly #nodes: GraphNode[] = [];
  readonly #producers = new Map<Value, GraphNode>();
  /** The parts of what was computed in parts. */
  readonly #parts = new Map<Value, readonly Value[]>();
  /** The same joined, where something needs it so. */
  readonly #joined = new Map<Value, Value>();
  /** What was computed as a sum over the parts. */
  readonly #sums = new Map<Value, Value>();

  constructor(
    private readonly graph: Graph,
    private readonly counts: ReadonlyMap<number, number>,
    private readonly leastBytes: number,
  ) {}

  run(): Graph {
    for (const node of this.graph.nodes)
      if (!this.#divide(node))
        this.#add({ ...node, inputs: node.inputs.map((input) => input && this.#whole(input)) });
    const outputs = this.graph.outputs.map(({ name, value }) => ({
      name,
      value: this.#whole(value),
    }));
    return rewire({ ...this.graph, outputs }, this.#sums, this.#nodes);
  }

  /** Whether the node could be, and now is, computed in parts. */
  #divide(node: GraphNode): boolean {
    const [y] = node.outputs as [Value];
    const count = this.#countFor(node);
    const rule = count === undefined ? undefined : rules[node.op]?.(node);
    if (count === undefined || rule === undefined) return false;
    const { axes, results, shapeAttribute } = rule;
    const divided = node.inputs.filter((_, i) => axes[i] === 0) as Value[];
    if (results === "parts") divided.push(y);
    if (!divided.every(({ shape }) => isDivisible(shape, count))) return false;
    const operands = node.inputs.map((input, i) => {
      const axis = axes[i];
      if (input === undefined || axis === undefined)
        return this.#repeated(input && this.#whole(input), count);
      return this.#partsOf(input, axis, count);
    });
    const shape = results === "parts" ? shortened(y.shape, 0, count) : y.shape;
    const attributes =
      shapeAttribute === undefined
        ? node.attributes
        : { ...node.attributes, [shapeAttribute]: shape };
    const made = Array.from({ length: count }, (_, part) =>
      this.#emit(
        { ...node, inputs: operands.map((values) => values[part]), attributes },
        shape,
        y.dtype,
      ),
    );
    if (results === "parts") this.#parts.set(y, made);
    else this.#sums.set(y, this.#sumOf(made, node));
    return true;
  }

  /** In how many parts the node should be computed; undefined where it had better be whole. */
  #countFor({ op, inputs, outputs }: GraphNode): number | undefined {
    const [y] = outputs as [Value];
    const operands = inputs.filter((input) => input !== undefined);
    const isLarge = (value: Value): boolean => bytesOf(value) >= this.leastBytes;
    if (!isLarge(y) && !operands.some(isLarge)) return undefined;
    const counts = new Set(operands.flatMap((operand) => this.#parts.get(operand)?.length ?? []));
    if (counts.size > 0) return counts.size === 1 ? [...counts][0] : undefined;
    const grows = isLarge(y) && operands.every((operand) => bytesOf(operand) < bytesOf(y));
    if (!begins.has(op) && !grows) return undefined;
    return this.counts.get((begins.has(op) ? operands[0]! : y).shape[0] ?? 0);
  }

  #partsOf(value: Value, axis: number, count: number): readonly Value[] {
    const parts = axis === 0 ? this.#parts.get(value) : undefined;
    if (parts) return parts;
    const whole = this.#whole(value);
    const shape = shortened(value.shape, axis, count);
    const producer = this.#producers.get(whole);
    // Equal numbers are not cut up but made anew: the row that sums are taken with is as long as the batch has pixels.
    if (producer?.op === "Fill") {
      const attributes = { ...producer.attributes, shape };
      return this.#repeated(this.#emit({ ...producer, attributes }, shape, value.dtype), count);
    }
    return Array.from({ length: count }, (_, part) => {
      const begin = shape.map((length, i) => (i === axis ? part * length : 0));
      const attributes = { begin, size: shape };
      const slice = { op: "Slice", domain: "", inputs: [whole], inputNames: ["x"], attributes };
      return this.#emit(slice, shape, value.dtype);
    });
  }

  #repeated<T>(value: T, count: number): readonly T[] {
    return Array.from({ length: count }, () => value);
  }

  #sumOf(addends: readonly Value[], { layer, site }: GraphNode): Value {
    return addends.reduce((sum, addend) => {
      const operands = { inputs: [sum, addend], inputNames: ["a", "b"] };
      const add = { op: "Add", domain: "", ...operands, attributes: {}, layer, site };
      return this.#emit(add, sum.shape, sum.dtype);
    });
  }

  #whole(value: Value): Value {
    const parts = this.#parts.get(value);
    if (!parts) return value;
    const inputNames = parts.map((_, i) => String(i));
    const concat = { op: "Concat", domain: "", inputs: parts, inputNames, attributes: { axis: 0 } };
    const joined = this.#joined.get(value) ?? this.#emit(concat, value.shape, value.dtype);
    this.#joined.set(value, joined);
    return joined;
  }

  #emit(node: Omit<GraphNode, "outputs">, shape: Shape, dtype: DType): Value {
    const output = newValue(shape, dtype);
    this.#add({ ...node, outputs: [output] });
    return output;
  }

  #add(node: GraphNode): void {
    this.#nodes.push(node);
    for (const output of node.outputs) this.#producers.set(output, node);
  }
}

const isDivisible = (shape: Shape, count: number): boolean =>
  shape.length > 0 && shape[0]! % count === 0;

const shortened = (shape: Shape, axis: number, count: number): Shape =>
  shape.map((length, i) => (i === axis ? length / count : length));
