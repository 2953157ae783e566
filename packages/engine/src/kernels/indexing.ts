/** Reading and adding at computed places. Places outside of a tensor are an error, as in tfjs: the index checks, a pass,
 *  see to that. */
import {
  backend_util,
  gather_util,
  util,
  type GatherNdInputs,
  type GatherV2Attrs,
  type GatherV2Inputs,
  type ScatterNdAttrs,
  type ScatterNdInputs,
  type SearchSortedAttrs,
  type SearchSortedInputs,
  type TensorScatterUpdateInputs,
  type UnsortedSegmentSumAttrs,
  type UnsortedSegmentSumInputs,
} from "@tensorflow/tfjs-core";
import type { GraphBuilder } from "../graph/builder.js";
import { sizeOf, type Shape, type Value } from "../graph/graph.js";
import { kernel, refuse } from "./kernel.js";

/** x[b.., i, ..] for each row i of indices[b..], batch axes b shared: rows of one long axis, counted per batch. */
function gatherBatched(
  g: GraphBuilder,
  x: Value,
  indices: Value,
  axis: number,
  batch: number,
): Value {
  const order = x.shape.map((_, i) => i).filter((i) => i !== axis);
  order.splice(batch, 0, axis);
  const front = g.transpose(x, order);
  const [groups, length] = [sizeOf(front.shape.slice(0, batch)), front.shape[batch]!];
  const rest = front.shape.slice(batch + 1);
  const starts = Array.from({ length: groups }, (_, i) => i * length);
  const perGroup = g.reshape(indices, [groups, sizeOf(indices.shape.slice(batch))]);
  const places = g.add(perGroup, g.dense(starts, [groups, 1], indices.dtype));
  const rows = g.gather(g.reshape(front, [groups * length, ...rest]), places, 0);
  const batchShape = front.shape.slice(0, batch);
  const inner = indices.shape.slice(batch);
  const gathered = g.reshape(rows, [...batchShape, ...inner, ...rest]);
  // From [batch, indices, before, after] to [batch, before, indices, after].
  const before = axis - batch;
  const middle = inner.map((_, i) => batch + i);
  const outer = Array.from({ length: before }, (_, i) => batch + inner.length + i);
  const after = rest.slice(before).map((_, i) => batch + inner.length + before + i);
  const first = batchShape.map((_, i) => i);
  return g.transpose(gathered, [...first, ...outer, ...middle, ...after]);
}

/** `target` with `updates` added to it, or put in place, at `places` [rows, K], K leading axes of the target. Not by
 *  ScatterND, whose threads add to the same place at once: of 400,000 rows into 8 it lost some in 2 runs of 30. */
function scatter(
  g: GraphBuilder,
  target: Value,
  places: Value,
  updates: Value,
  how: "add" | "replace",
): Value {
  const [rows, depth] = places.shape as [number, number];
  const outer = target.shape.slice(0, depth);
  const inner = sizeOf(target.shape.slice(depth));
  const strides = outer.map((_, axis) => sizeOf(outer.slice(axis + 1)));
  const flat =
    depth === 1
      ? places
      : g.reduce(
          "ReduceSum",
          g.mul(places, g.dense(strides, [1, depth], places.dtype)),
          [1],
          "keep",
        );
  const result = g.op(
    "ScatterElements",
    [
      g.reshape(target, [sizeOf(outer), inner]),
      g.expand(flat, [rows, inner]),
      g.reshape(updates, [rows, inner]),
    ],
    [sizeOf(outer), inner],
    target.dtype,
    { axis: 0, ...(how === "add" ? { reduction: "add" } : {}) },
  );
  return g.reshape(result, target.shape);
}

export const indexing = {
  GatherV2: kernel<GatherV2Inputs, GatherV2Attrs>(({ x, indices }, { axis, batchDims }, g) => {
    const [at] = util.parseAxisParam(axis, [...x.shape]) as [number];
    const batch = batchDims < 0 ? batchDims + indices.shape.length : batchDims;
    backend_util.segment_util.collectGatherOpShapeInfo(x as never, indices as never, at, batchDims);
    return batch ? gatherBatched(g, x, indices, at, batch) : g.gather(x, indices, at);
  }),
  GatherNd: kernel<GatherNdInputs>(({ params, indices }, _none, g) => {
    gather_util.prepareAndValidate(params as never, indices as never);
    const depth = indices.shape.at(-1)!;
    const shape = [...indices.shape.slice(0, -1), ...params.shape.slice(depth)];
    return g.op("GatherND", [params, g.cast(indices, "int64")], shape, params.dtype);
  }),
  ScatterNd: kernel<ScatterNdInputs, ScatterNdAttrs>(({ indices, updates }, { shape }, g) =>
    scatter(
      g,
      g.uniform(0, shape, updates.dtype),
      asRows(g, indices, shape, updates),
      updates,
      "add",
    ),
  ),
  TensorScatterUpdate: kernel<TensorScatterUpdateInputs>(({ tensor, indices, updates }, _none, g) =>
    scatter(g, tensor, asRows(g, indices, tensor.shape, updates), updates, "replace"),
  ),
  // Segment s gets the sum of the rows with that id; rows of a negative id go to an extra row that is cut off.
  UnsortedSegmentSum: kernel<UnsortedSegmentSumInputs, UnsortedSegmentSumAttrs>(
    ({ x, segmentIds }, { numSegments }, g) => {
      const rows = sizeOf(segmentIds.shape);
      const inner = x.shape.slice(segmentIds.shape.length);
      const target = g.uniform(0, [numSegments + 1, ...inner], x.dtype);
      const zero = g.number(0, segmentIds);
      const spare = g.number(numSegments, segmentIds);
      const ids = g.where(g.compare("Less", segmentIds, zero), spare, segmentIds);
      const sums = scatter(g, target, g.reshape(ids, [rows, 1]), x, "add");
      const shape = [numSegments, ...inner];
      return g.slice(
        sums,
        shape.map(() => 0),
        shape,
      );
    },
  ),
  // How many of a sorted row are smaller ("left") or at most as large ("right"): [B, S] and [B, V] -> [B, V].
  SearchSorted: kernel<SearchSortedInputs, SearchSortedAttrs>(
    ({ sortedSequence, values }, { side }, g) => {
      const [rows, length] = sortedSequence.shape as [number, number];
      const passed = g.compare(
        side === "left" ? "Less" : "LessOrEqual",
        g.reshape(sortedSequence, [rows, 1, length]),
        g.reshape(values, [...values.shape, 1]),
      );
      return g.reduce("ReduceSum", g.cast(passed, "int32"), [2], "drop");
    },
  ),
  LowerBound: refuse("call tf.lowerBound, which searches"),
  UpperBound: refuse("call tf.upperBound, which searches"),
  MatrixBandPart: refuse("multiply by a mask made outside the step"),
};

/** tfjs takes indices [rows, depth] (or [rows] for depth 1) whatever the shape of the updates. */
function asRows(g: GraphBuilder, indices: Value, shape: Shape, updates: Value): Value {
  const { sliceRank } = backend_util.calculateShapes(updates as never, indices as never, [
    ...shape,
  ]);
  return g.reshape(indices, [sizeOf(indices.shape) / sliceRank, sliceRank]);
}
