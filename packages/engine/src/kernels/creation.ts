/** Tensors made from numbers alone: they become literals. */
import type {
  FillAttrs,
  LinSpaceAttrs,
  OneHotAttrs,
  OneHotInputs,
  RangeAttrs,
} from "@tensorflow/tfjs-core";
import type { DType } from "../graph/graph.js";
import { kernel, refuse, unary } from "./kernel.js";

type None = Record<never, never>;

export const creation = {
  Fill: kernel<None, FillAttrs>((_none, { shape, value, dtype }, g) => {
    if (typeof value === "string") throw new Error("There are no tensors of text.");
    return g.uniform(Number(value), shape, (dtype as DType | undefined) ?? "float32");
  }),
  OnesLike: unary((x, g) => g.uniform(1, x.shape, x.dtype)),
  ZerosLike: unary((x, g) => g.uniform(0, x.shape, x.dtype)),
  // Counted as tfjs counts: from start by step, up to but without stop; a step of 1 means -1 where that leads down.
  Range: kernel<None, RangeAttrs>((_none, { start, stop, step: given, dtype }, g) => {
    const step = given === 1 && stop < start ? -1 : given;
    const towards = step === 0 || (stop - start) * step < 0 ? 0 : (stop - start) / step;
    const values = Float64Array.from({ length: Math.ceil(towards) }, (_, i) => start + i * step);
    return g.dense(values, [values.length], dtype);
  }),
  LinSpace: kernel<None, LinSpaceAttrs>((_none, { start, stop, num }, g) => {
    const gap = num > 1 ? (stop - start) / (num - 1) : 0;
    return g.dense(
      Float64Array.from({ length: num }, (_, i) => start + i * gap),
      [num],
      "float32",
    );
  }),
  // ONNX OneHot counts negative indices from the end; tfjs gives a row of off values.
  OneHot: kernel<OneHotInputs, OneHotAttrs>(
    ({ indices }, { depth, onValue, offValue, dtype }, g) => {
      const classes = g.dense(
        Array.from({ length: depth }, (_, i) => i),
        [depth],
        "int32",
      );
      const hit = g.compare("Equal", g.reshape(indices, [...indices.shape, 1]), classes);
      const type = dtype as DType;
      if (type === "bool" && onValue === 1 && offValue === 0) return hit;
      return g.where(hit, g.uniform(onValue, [], type), g.uniform(offValue, [], type));
    },
  ),
  Multinomial: refuse(
    "it draws random numbers: draw outside the step and pass the result in as an input",
  ),
  FromPixels: refuse("pass the pixels in as an input"),
};
