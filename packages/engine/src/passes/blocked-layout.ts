import { sameShape, sizeOf, type GraphNode, type Value } from "../graph/graph.js";
import { nchwc } from "../onnx/nchwc.js";
import { list, rewriteNodes, type Pass, type Rewriting } from "./rewrite-nodes.js";

/** Elementwise operators of one operand, and of two. */
const unary = ["Relu", "HardSigmoid", "Sigmoid", "Tanh", "Exp", "Sqrt", "Neg", "Abs", "Reciprocal"];
const binary = ["Add", "Sub", "Mul", "Div", "Max", "Min"];

type Four = [number, number, number, number];

/** Keeps what comes out of a blocked convolution in its layout for as long as the operations allow: elementwise ones,
 *  also with one number for each channel (as a convolution of 1x1 and one channel a group, which is one pass over the
 *  batch), and sums over all positions or all images. A reordering back is left for everything else; of those that nothing needs any
 *  more, dead code takes care. Refused: channels-last operands only, and broadcasts other than of scalars and channels. */
export const blockedLayout = (blockSize: number): Pass => ({
  name: "blocked layout",
  run(graph) {
    /** The blocked value that has the elements of a channels-last one. */
    const blocked = new Map<Value, Value>();
    return rewriteNodes(graph, (node, rewriting) => {
      const [x] = node.inputs as [Value | undefined];
      const [y] = node.outputs as [Value];
      if (node.domain === nchwc) {
        if (node.op === "ReorderOutput" && node.attributes.channels_last === 1) blocked.set(y, x!);
        if (node.op === "ReorderInput" && node.attributes.channels_last === 1) {
          const own = blocked.get(x!);
          return own && sameShape(own.shape, y.shape) ? own : undefined;
        }
        return undefined;
      }
      if (node.domain !== "") return undefined;
      const source = x && blocked.get(x);
      if (node.op === "Reshape" && source) {
        const [n, c, h, w] = source.shape as Four;
        if (y.shape.at(-1) === c || sameShape(y.shape, [n, h * w * c])) blocked.set(y, source);
        return undefined;
      }
      if (node.op === "Gemm") return sums(node, rewriting, blocked, blockSize);
      const result = unary.includes(node.op)
        ? source && rewriting.emit(node.op, [source], source.shape, y.dtype, node.attributes)
        : binary.includes(node.op)
          ? elementwise(node, rewriting, blocked)
          : undefined;
      if (!result) return undefined;
      return channelsLast(rewriting, result, y.shape, blocked);
    });
  },
});

/** A blocked value in channels-last order under `shape`, remembered. */
function channelsLast(
  rewriting: Rewriting,
  x: Value,
  shape: readonly number[],
  blocked: Map<Value, Value>,
): Value {
  const [n, c, h, w] = x.shape as Four;
  const back = rewriting.emit(
    "ReorderOutput",
    [x],
    [n, h, w, c],
    x.dtype,
    { channels: c, channels_last: 1 },
    nchwc,
  );
  const stand = reshape(rewriting, back, shape);
  blocked.set(stand, x);
  return stand;
}

function reshape(rewriting: Rewriting, x: Value, shape: readonly number[]): Value {
  return sameShape(x.shape, shape)
    ? x
    : rewriting.emit("Reshape", [x, list(rewriting, shape)], shape, x.dtype);
}

/** An operation of two operands in the blocked layout, if one of them is blocked and the other fits. */
function elementwise(
  node: GraphNode,
  rewriting: Rewriting,
  blocked: ReadonlyMap<Value, Value>,
): Value | undefined {
  const [y] = node.outputs as [Value];
  const operands = node.inputs as [Value, Value];
  const guide = blocked.get(operands[0]) ?? blocked.get(operands[1]);
  if (!guide || y.dtype !== "float32" || sizeOf(y.shape) !== sizeOf(guide.shape)) return undefined;
  const [n, c, h, w] = guide.shape as Four;
  if (y.shape.at(-1) !== c) return undefined;
  const isScalar = (value: Value): boolean => sizeOf(value.shape) === 1;
  const isRow = (value: Value): boolean => sizeOf(value.shape) === c && value.shape.at(-1) === c;
  const whole = (value: Value): Value | undefined => {
    const own = blocked.get(value);
    if (own) return sameShape(own.shape, guide.shape) ? own : undefined;
    if (isScalar(value)) return reshape(rewriting, value, []);
    if (sizeOf(value.shape) !== sizeOf(guide.shape)) return undefined;
    const last = reshape(rewriting, value, [n, h, w, c]);
    return rewriting.emit(
      "ReorderInput",
      [last],
      guide.shape,
      value.dtype,
      { channels_last: 1 },
      nchwc,
    );
  };
  const [a, b] = operands;
  if (isRow(b) && !isScalar(b) && blocked.has(a))
    return withChannels(rewriting, node.op, blocked.get(a)!, b);
  if (isRow(a) && !isScalar(a) && blocked.has(b) && (node.op === "Add" || node.op === "Mul"))
    return withChannels(rewriting, node.op, blocked.get(b)!, a);
  const [left, right] = [whole(a), whole(b)];
  if (!left || !right) return undefined;
  return rewriting.emit(node.op, [left, right], guide.shape, y.dtype, node.attributes);
}

/** x op row: a convolution of each channel with one weight, plus one shift. */
function withChannels(rewriting: Rewriting, op: string, x: Value, row: Value): Value | undefined {
  const c = x.shape[1]!;
  const numbers = reshape(rewriting, row, [c]);
  const one = (): Value => rewriting.constant({ uniform: 1 }, [c, 1, 1, 1], "float32");
  const own = (name: string): Value => rewriting.emit(name, [numbers], [c], "float32");
  const affine = (weights: Value, shift?: Value): Value =>
    rewriting.emit(
      "Conv",
      shift ? [x, weights, shift] : [x, weights],
      x.shape,
      x.dtype,
      { group: c, kernel_shape: [1, 1] },
      nchwc,
    );
  const asWeights = (value: Value): Value => reshape(rewriting, value, [c, 1, 1, 1]);
  switch (op) {
    case "Add":
      return affine(one(), numbers);
    case "Sub":
      return affine(one(), own("Neg"));
    case "Mul":
      return affine(asWeights(numbers));
    case "Div":
      return affine(asWeights(own("Reciprocal")));
    default:
      return undefined;
  }
}

/** A row of equal numbers times the positions [1, M] x [M, C], the sums of each channel, or times the images
 *  [1, N] x [N, H W C], the sum of all images. The batch is summed first in both. */
function sums(
  { inputs, outputs, attributes }: GraphNode,
  rewriting: Rewriting,
  blocked: Map<Value, Value>,
  blockSize: number,
): Value | undefined {
  const [ones, positions] = inputs as [Value, Value];
  const [result] = outputs as [Value];
  const source = blocked.get(positions);
  const literal = rewriting.literal(ones);
  if (!source || !literal || !("uniform" in literal)) return undefined;
  const [n, c, h, w] = source.shape as Four;
  const plain =
    inputs.length === 2 && !attributes.transA && !attributes.transB && !("alpha" in attributes);
  const each = sameShape(positions.shape, [n * h * w, c])
    ? "channel"
    : sameShape(positions.shape, [n, h * w * c]) && "element";
  if (!plain || !each || ones.shape[0] !== 1) return undefined;
  const row = rewriting.constant({ uniform: literal.uniform }, [1, n], "float32");
  const images = reshape(rewriting, source, [n, c * h * w]);
  const image = rewriting.emit("Gemm", [row, images], [1, c * h * w], "float32", {
    transA: 0,
    transB: 0,
  });
  if (each === "element")
    return channelsLast(rewriting, reshape(rewriting, image, [1, c, h, w]), result.shape, blocked);
  const channels = rewriting.emit(
    "ReduceSum",
    [reshape(rewriting, image, [c / blockSize, h * w, blockSize]), list(rewriting, [1])],
    [c / blockSize, blockSize],
    "float32",
    { keepdims: 0 },
  );
  return reshape(rewriting, channels, result.shape);
}
