import { sizeOf, type Value } from "../graph/graph.js";
import { rewriteNodes, list, type Pass, type Rewriting } from "./rewrite-nodes.js";

/** Elementwise operators of two operands and one element type. */
const binary = ["Add", "Sub", "Mul", "Div", "Max", "Min"];

/** Smaller operations are not worth the reshapes. */
const leastSize = 2 ** 16;
/** onnxruntime handles a broadcast one inner row at a time. From this many elements on a row's overhead vanishes:
 *  [100352, 32] x [32] took 1.04 ms, [6272, 512] x [512] 0.69. */
const wideRow = 512;

/** An operation between [.., C] and one row [C] runs on rows that are several times as long, with the row repeated.
 *  Refused: rows that are long already, small operands, and numbers of rows without a fitting divisor. */
export const wideBroadcasts: Pass = {
  name: "wide broadcasts",
  run: (graph) =>
    rewriteNodes(graph, (node, rewriting) => {
      if (!binary.includes(node.op) || node.domain !== "") return undefined;
      const [y] = node.outputs as [Value];
      const [a, b] = node.inputs as [Value, Value];
      if (sizeOf(y.shape) < leastSize) return undefined;
      const columns = y.shape.at(-1)!;
      const isRow = (value: Value): boolean =>
        sizeOf(value.shape) === columns && value.shape.at(-1) === columns;
      const isWhole = (value: Value): boolean => sizeOf(value.shape) === sizeOf(y.shape);
      if (!(isWhole(a) && isRow(b)) && !(isRow(a) && isWhole(b))) return undefined;
      const rows = sizeOf(y.shape) / columns;
      const times = repeats(rows, columns);
      if (times === 1) return undefined;
      const widened = [a, b].map((value) =>
        isWhole(value)
          ? reshape(rewriting, value, [rows / times, times * columns])
          : repeated(rewriting, value, times),
      );
      const wide = rewriting.emit(
        node.op,
        widened,
        [rows / times, times * columns],
        y.dtype,
        node.attributes,
      );
      return reshape(rewriting, wide, y.shape);
    }),
};

/** How often to repeat the row: the least divisor of `rows` that makes it wide, if that is not far beyond wide. */
function repeats(rows: number, columns: number): number {
  const least = Math.ceil(wideRow / columns);
  if (columns < 2 || least === 1) return 1;
  for (let times = least; times <= 16 * least && times < rows; times++)
    if (rows % times === 0) return times;
  return 1;
}

function reshape(rewriting: Rewriting, x: Value, shape: readonly number[]): Value {
  return rewriting.emit("Reshape", [x, list(rewriting, shape)], shape, x.dtype);
}

function repeated(rewriting: Rewriting, row: Value, times: number): Value {
  const columns = sizeOf(row.shape);
  const single = reshape(rewriting, row, [1, columns]);
  const shape = [times, columns];
  const rows = rewriting.emit("Expand", [single, list(rewriting, shape)], shape, row.dtype);
  return reshape(rewriting, rows, [1, times * columns]);
}
