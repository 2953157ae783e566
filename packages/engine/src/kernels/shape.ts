/** Kernels that only move elements. */
import {
  backend_util,
  slice_util,
  util,
  type BatchToSpaceNDAttrs,
  type BatchToSpaceNDInputs,
  type ConcatAttrs,
  type ConcatInputs,
  type DepthToSpaceAttrs,
  type DepthToSpaceInputs,
  type DiagInputs,
  type ExpandDimsAttrs,
  type ExpandDimsInputs,
  type FlipLeftRightInputs,
  type MirrorPadAttrs,
  type MirrorPadInputs,
  type PackAttrs,
  type PackInputs,
  type PadV2Attrs,
  type PadV2Inputs,
  type ReshapeAttrs,
  type ReshapeInputs,
  type ReverseAttrs,
  type ReverseInputs,
  type SliceAttrs,
  type SliceInputs,
  type SpaceToBatchNDAttrs,
  type SpaceToBatchNDInputs,
  type SplitVAttrs,
  type SplitVInputs,
  type StridedSliceAttrs,
  type StridedSliceInputs,
  type Tensor,
  type TileAttrs,
  type TileInputs,
  type TransposeAttrs,
  type TransposeInputs,
  type UnpackAttrs,
  type UnpackInputs,
} from "@tensorflow/tfjs-core";
import { positiveAxis, type GraphBuilder } from "../graph/builder.js";
import { sameShape, sizeOf, type Value } from "../graph/graph.js";
import { kernel, refuse } from "./kernel.js";

/** x read backwards along the given axes. */
function reverse(g: GraphBuilder, x: Value, axes: readonly number[]): Value {
  const back = x.shape.map((_, axis) => axes.includes(axis));
  return g.slice(
    x,
    x.shape.map((length, axis) => (back[axis] ? length - 1 : 0)),
    x.shape.map((length, axis) => (back[axis] ? -1 : length)),
    back.map((reversed) => (reversed ? -1 : 1)),
  );
}

/** Which element of an axis each position of the mirrored axis shows. */
function mirrored(
  length: number,
  [before, after]: readonly [number, number],
  edge: 0 | 1,
): number[] {
  return Array.from({ length: before + length + after }, (_, i) => {
    const position = i - before;
    if (position < 0) return -position - 1 + edge;
    if (position >= length) return 2 * length - 1 - position - edge;
    return position;
  });
}

export const shape = {
  Reshape: kernel<ReshapeInputs, ReshapeAttrs>(({ x }, { shape }, g) =>
    g.reshape(x, util.inferFromImplicitShape(shape, sizeOf(x.shape))),
  ),
  ExpandDims: kernel<ExpandDimsInputs, ExpandDimsAttrs>(({ input }, { dim }, g) => {
    const at = positiveAxis(dim, input.shape.length + 1);
    if (at < 0 || at > input.shape.length)
      throw new Error(`There is no axis ${dim} to insert into [${input.shape.join(", ")}].`);
    return g.reshape(input, [...input.shape.slice(0, at), 1, ...input.shape.slice(at)]);
  }),
  Transpose: kernel<TransposeInputs, TransposeAttrs>(({ x }, { perm }, g) => g.transpose(x, perm)),
  Concat: kernel<ConcatInputs, ConcatAttrs>((parts, { axis }, g) => {
    const [first, ...rest] = Object.values(parts) as [Value, ...Value[]];
    const shapes = [first, ...rest].map(({ shape }) => [...shape]);
    backend_util.assertParamsConsistent(shapes, positiveAxis(axis, first.shape.length));
    return rest.length === 0 ? g.unary("Identity", first) : g.concat([first, ...rest], axis);
  }),
  Pack: kernel<PackInputs, PackAttrs>((parts, { axis }, g) => {
    const values = Object.values(parts) as [Value, ...Value[]];
    const at = positiveAxis(axis, values[0].shape.length + 1);
    for (const { shape, dtype } of values)
      if (!sameShape(shape, values[0].shape) || dtype !== values[0].dtype)
        throw new Error("All tensors passed to stack must have matching shapes and dtypes.");
    const row = [...values[0].shape.slice(0, at), 1, ...values[0].shape.slice(at)];
    return g.concat(
      values.map((value) => g.reshape(value, row)),
      at,
    );
  }),
  Unpack: kernel<UnpackInputs, UnpackAttrs>(({ value }, { axis }, g) => {
    const at = positiveAxis(axis, value.shape.length);
    const sizes = Array.from({ length: value.shape[at]! }, () => 1);
    const row = value.shape.filter((_, i) => i !== at);
    return g.split(value, sizes, at).map((part) => g.reshape(part, row));
  }),
  SplitV: kernel<SplitVInputs, SplitVAttrs>(({ x }, { numOrSizeSplits, axis }, g) => {
    const at = positiveAxis(axis, x.shape.length);
    const sizes = backend_util.prepareSplitSize(x as unknown as Tensor, numOrSizeSplits, at);
    return sizes.length === 1 ? [g.unary("Identity", x)] : g.split(x, sizes, at);
  }),
  Slice: kernel<SliceInputs, SliceAttrs>(({ x }, { begin, size }, g) => {
    const info = { dataId: {}, shape: [...x.shape], dtype: "float32" as const };
    const [from, lengths] = slice_util.parseSliceParams(info, begin, size) as [number[], number[]];
    slice_util.assertParamsValid(info, from, lengths);
    return g.slice(
      x,
      from,
      from.map((start, axis) => start + lengths[axis]!),
    );
  }),
  StridedSlice: kernel<StridedSliceInputs, StridedSliceAttrs>(
    (
      { x },
      { begin, end, strides, beginMask, endMask, ellipsisMask, newAxisMask, shrinkAxisMask },
      g,
    ) => {
      const info = slice_util.sliceInfo(
        [...x.shape],
        begin,
        end,
        strides,
        beginMask,
        endMask,
        ellipsisMask,
        newAxisMask,
        shrinkAxisMask,
      );
      return g.reshape(g.slice(x, info.begin, info.end, info.strides), info.finalShape);
    },
  ),
  // A tiled axis of length 1 is a broadcast, which ONNX can leave unwritten.
  Tile: kernel<TileInputs, TileAttrs>(({ x }, { reps }, g) => {
    const shape = x.shape.map((length, axis) => length * reps[axis]!);
    if (x.shape.every((length, axis) => length === 1 || reps[axis] === 1))
      return g.expand(x, shape);
    return g.op("Tile", [x, g.list(reps)], shape, x.dtype);
  }),
  BroadcastTo: refuse("call tf.broadcastTo, which tiles"),
  PadV2: kernel<PadV2Inputs, PadV2Attrs>(({ x }, { paddings, constantValue }, g) =>
    // A fraction is dropped before it is asked whether it is not 0.
    g.pad(x, paddings, g.number(x.dtype === "bool" ? Math.trunc(constantValue) : constantValue, x)),
  ),
  MirrorPad: kernel<MirrorPadInputs, MirrorPadAttrs>(({ x }, { paddings, mode }, g) =>
    paddings.reduce(
      (result, padding, axis) => {
        if (padding[0] === 0 && padding[1] === 0) return result;
        const indices = mirrored(x.shape[axis]!, padding, mode === "reflect" ? 1 : 0);
        return g.gather(result, g.dense(indices, [indices.length], "int32"), axis);
      },
      g.unary("Identity", x),
    ),
  ),
  Reverse: kernel<ReverseInputs, ReverseAttrs>(({ x }, { dims }, g) =>
    x.shape.length === 0
      ? g.unary("Identity", x)
      : reverse(g, x, util.parseAxisParam(dims, [...x.shape])),
  ),
  FlipLeftRight: kernel<FlipLeftRightInputs>(({ image }, _none, g) => reverse(g, image, [2])),
  // [.., L] -> [.., L, .., L] with x on the diagonal; Where, because 0 times infinity is not 0.
  Diag: kernel<DiagInputs>(({ x }, _none, g) => {
    const size = sizeOf(x.shape);
    const eye = Array.from({ length: size * size }, (_, i) => (i % (size + 1) === 0 ? 1 : 0));
    const row = g.reshape(x, [1, size]);
    const square = g.where(g.dense(eye, [size, size], "bool"), row, g.number(0, x));
    return g.reshape(square, [...x.shape, ...x.shape]);
  }),
  // Channels are (block row, block column, depth), in both layouts.
  DepthToSpace: kernel<DepthToSpaceInputs, DepthToSpaceAttrs>(
    ({ x }, { blockSize: b, dataFormat }, g) => {
      if (dataFormat === "NCHW") {
        const [n, c, h, w] = x.shape as [number, number, number, number];
        return g.op("DepthToSpace", [x], [n, c / b / b, h * b, w * b], x.dtype, {
          blocksize: b,
          mode: "DCR",
        });
      }
      const [n, h, w, c] = x.shape as [number, number, number, number];
      const blocks = g.transpose(g.reshape(x, [n, h, w, b, b, c / b / b]), [0, 1, 3, 2, 4, 5]);
      return g.reshape(blocks, [n, h * b, w * b, c / b / b]);
    },
  ),
  BatchToSpaceND: kernel<BatchToSpaceNDInputs, BatchToSpaceNDAttrs>(
    ({ x }, { blockShape, crops }, g) => {
      const block = blockShape.reduce((product, length) => product * length, 1);
      const own = [...x.shape];
      const reshaped = backend_util.getReshaped(own, blockShape, block);
      const perm = backend_util.getPermuted(reshaped.length, blockShape.length);
      const permuted = backend_util.getReshapedPermuted(own, blockShape, block);
      const begin = backend_util.getSliceBeginCoords(crops, blockShape.length);
      const size = backend_util.getSliceSize(permuted, crops, blockShape.length);
      const whole = g.reshape(g.transpose(g.reshape(x, reshaped), perm), permuted);
      const from = permuted.map((_, axis) => begin[axis] ?? 0);
      return g.slice(
        whole,
        from,
        permuted.map((length, axis) => from[axis]! + (size[axis] ?? length)),
      );
    },
  ),
  SpaceToBatchND: kernel<SpaceToBatchNDInputs, SpaceToBatchNDAttrs>(
    ({ x }, { blockShape, paddings }, g) => {
      const block = blockShape.reduce((product, length) => product * length, 1);
      const full = x.shape.map((_, axis) => (paddings[axis - 1] ?? [0, 0]) as [number, number]);
      const padded = g.pad(x, full, g.number(0, x));
      const reshaped = backend_util.getReshaped([...padded.shape], blockShape, block, false);
      const perm = backend_util.getPermuted(reshaped.length, blockShape.length, false);
      const flat = backend_util.getReshapedPermuted([...padded.shape], blockShape, block, false);
      return g.reshape(g.transpose(g.reshape(padded, reshaped), perm), flat);
    },
  ),
  BroadcastArgs: refuse("shapes are plain numbers inside a step: compute them in JavaScript"),
  Unique: refuse("the shape of its result depends on the data: do it outside the step"),
};
