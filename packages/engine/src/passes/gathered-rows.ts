import { sizeOf, type Shape, type Value } from "../graph/graph.js";
import { list, rewriteNodes, type Pass, type Rewriting } from "./rewrite-nodes.js";

/** Elements of a row from which copying it whole is fast: a cache line of float32. */
const shortestRow = 16;
/** Smaller operations are not worth the reshapes. */
const leastSize = 2 ** 16;
/** The list of places is part of the model up to this length. A longer one is the sum of two short ones, which onnxruntime
 *  adds up when it loads the model. */
const mostPlaces = 2 ** 17;

/** A Transpose that leaves the last axis in place moves whole rows and becomes a Gather of them: onnxruntime transposes
 *  in one thread ([512, 4, 16, 16] to tokens, 0.33 ms) and gathers in all of them (0.27 ms of one core, 0.14 of two).
 *  Refused: short rows, small operands, and the first axis moved behind the others' start, which onnxruntime makes part of
 *  the product that reads it. */
export const gatheredRows: Pass = {
  name: "gathered rows",
  run: (graph) =>
    rewriteNodes(graph, (node, rewriting) => {
      const [x] = node.inputs as [Value];
      const [y] = node.outputs as [Value];
      if (node.op !== "Transpose" || node.domain !== "" || sizeOf(y.shape) < leastSize)
        return undefined;
      const perm = node.attributes.perm as readonly number[];
      const last = perm.length - 1;
      const row = x.shape[last]!;
      if (perm[last] !== last || row < shortestRow || isBatchMove(perm)) return undefined;
      const fixed = perm.findIndex((axis, i) => axis !== i);
      const outer = sizeOf(x.shape.slice(0, fixed));
      const moved = x.shape.slice(fixed, last);
      const shape = [outer, sizeOf(moved), row];
      const rows = rewriting.emit("Reshape", [x, list(rewriting, shape)], shape, x.dtype);
      const index = placesOf(
        rewriting,
        moved,
        perm.slice(fixed, last).map((axis) => axis - fixed),
      );
      const gathered = rewriting.emit("Gather", [rows, index], shape, x.dtype, { axis: 1 });
      return rewriting.emit("Reshape", [gathered, list(rewriting, y.shape)], y.shape, y.dtype);
    }),
};

/** [L, N, .., E] to [N, .., L, E]. */
const isBatchMove = (perm: readonly number[]): boolean =>
  perm.slice(0, -2).every((axis, i) => axis === i + 1) && perm.at(-2) === 0;

/** For each row of the result, in order, where it lies in x. */
function placesOf(rewriting: Rewriting, shape: Shape, perm: readonly number[]): Value {
  const strides = shape.map((_, axis) => sizeOf(shape.slice(axis + 1)));
  const along = (axes: readonly number[]): Value => {
    let places = [0];
    for (const axis of axes) {
      const steps = Array.from({ length: shape[axis]! }, (_, i) => i * strides[axis]!);
      places = places.flatMap((place) => steps.map((step) => place + step));
    }
    return rewriting.constant({ dense: Int32Array.from(places) }, [places.length], "int32");
  };
  const count = sizeOf(shape);
  if (count <= mostPlaces) return along(perm);
  // The leading axes of the result, as many as make the square root of all.
  let split = 1;
  while (sizeOf(perm.slice(0, split).map((axis) => shape[axis]!)) ** 2 < count) split++;
  const [first, second] = [along(perm.slice(0, split)), along(perm.slice(split))];
  const lengths = [sizeOf(first.shape), sizeOf(second.shape)];
  const column = rewriting.emit(
    "Reshape",
    [first, list(rewriting, [lengths[0]!, 1])],
    [lengths[0]!, 1],
    "int32",
  );
  const all = rewriting.emit("Add", [column, second], lengths, "int32");
  return rewriting.emit("Reshape", [all, list(rewriting, [count])], [count], "int32");
}
