import { sizeOf, type Shape, type Value } from "../graph/graph.js";
import { list, rewriteNodes, type Pass } from "./rewrite-nodes.js";

/** Elements of a row from which copying it whole is fast: a cache line of float32. */
const shortestRow = 16;
/** Smaller operations are not worth the reshapes. */
const leastSize = 2 ** 16;
/** The list of places is part of the model. */
const mostPlaces = 2 ** 17;

/** A Transpose that leaves the last axis in place moves whole rows and becomes a Gather of them: onnxruntime transposes
 *  in one thread ([512, 4, 16, 16] to tokens, 0.33 ms) and gathers in all of them (0.27 ms of one core, 0.14 of two).
 *  Refused: short rows, small operands, too many places, and the first axis moved behind the others' start, which
 *  onnxruntime makes part of the product that reads it. */
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
      const places = placesOf(x.shape.slice(fixed, last), perm.slice(fixed, last), fixed);
      if (places.length > mostPlaces) return undefined;
      const shape = [outer, places.length, row];
      const rows = rewriting.emit("Reshape", [x, list(rewriting, shape)], shape, x.dtype);
      const index = rewriting.constant({ dense: places }, [places.length], "int32");
      const moved = rewriting.emit("Gather", [rows, index], shape, x.dtype, { axis: 1 });
      return rewriting.emit("Reshape", [moved, list(rewriting, y.shape)], y.shape, y.dtype);
    }),
};

/** [L, N, .., E] to [N, .., L, E]. */
const isBatchMove = (perm: readonly number[]): boolean =>
  perm.slice(0, -2).every((axis, i) => axis === i + 1) && perm.at(-2) === 0;

/** For each row of the result, in order, where it lies in x. The axes are numbered from `first`. */
function placesOf(shape: Shape, perm: readonly number[], first: number): Int32Array {
  const strides = shape.map((_, axis) => sizeOf(shape.slice(axis + 1)));
  let places = [0];
  for (const axis of perm) {
    const length = shape[axis - first]!;
    const stride = strides[axis - first]!;
    places = places.flatMap((place) => Array.from({ length }, (_, i) => place + i * stride));
  }
  return Int32Array.from(places);
}
