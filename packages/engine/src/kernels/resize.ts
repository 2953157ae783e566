/** Resizing of images, one axis after the other; the gradient, linear in dy, is two products with small fixed matrices. */
import type {
  ResizeBilinearAttrs,
  ResizeBilinearGradInputs,
  ResizeBilinearInputs,
  ResizeNearestNeighborGradInputs,
  ResizeNearestNeighborInputs,
} from "@tensorflow/tfjs-core";
import type { GraphBuilder } from "../graph/builder.js";
import type { Value } from "../graph/graph.js";
import { kernel, refuse } from "./kernel.js";

type Method = "bilinear" | "nearest";
type Four = [number, number, number, number];

/** The two of `from` pixels that each of `to` lies between, the same one twice where it is one, and the share of the
 *  second. */
function neighbours(
  from: number,
  to: number,
  { alignCorners, halfPixelCenters }: ResizeBilinearAttrs,
  method: Method,
): { readonly low: number[]; readonly high: number[]; readonly share: number[] } {
  const aligned = alignCorners && to > 1;
  const scale = aligned ? (from - 1) / (to - 1) : from / to;
  const last = (at: number): number => Math.max(0, Math.min(from - 1, at));
  const low: number[] = [];
  const high: number[] = [];
  const share: number[] = [];
  for (let i = 0; i < to; i++) {
    if (method === "nearest") {
      const position = halfPixelCenters ? scale * (i + 0.5) : scale * i;
      const nearest = last(alignCorners ? Math.round(position) : Math.floor(position));
      low.push(nearest);
      high.push(nearest);
      share.push(0);
      continue;
    }
    const position = halfPixelCenters ? scale * (i + 0.5) - 0.5 : scale * i;
    const first = Math.max(0, Math.floor(position));
    low.push(first);
    high.push(last(Math.ceil(position)));
    share.push(position - first);
  }
  return { low, high, share };
}

/** One axis resized, pixel by pixel and not by a product with a matrix: 0 times a pixel that is not finite would make
 *  NaN of all others. */
function resized(
  g: GraphBuilder,
  x: Value,
  axis: 1 | 2,
  to: number,
  attributes: ResizeBilinearAttrs,
  method: Method,
): Value {
  const { low, high, share } = neighbours(x.shape[axis]!, to, attributes, method);
  const at = (places: number[]): Value => g.gather(x, g.dense(places, [to], "int32"), axis);
  const first = at(low);
  if (method === "nearest") return first;
  const shares = g.dense(share, axis === 1 ? [1, to, 1, 1] : [1, 1, to, 1], "float32");
  return g.add(first, g.mul(g.sub(at(high), first), shares));
}

/** How much of each of `from` pixels goes into each of `to`: [to, from]. */
function weights(
  from: number,
  to: number,
  attributes: ResizeBilinearAttrs,
  method: Method,
): Float64Array {
  const { low, high, share } = neighbours(from, to, attributes, method);
  const matrix = new Float64Array(to * from);
  for (let i = 0; i < to; i++) {
    matrix[i * from + low[i]!]! += 1 - share[i]!;
    matrix[i * from + high[i]!]! += share[i]!;
  }
  return matrix;
}

/** The transpose of resizing: dy [N, Y, Z, C] by the transposes of [Y, H] and [Z, W]. */
function spread(g: GraphBuilder, dy: Value, [rows, columns]: readonly [Value, Value]): Value {
  const [n, y, z, c] = dy.shape as Four;
  const tall = g.matMul(rows, g.reshape(dy, [n, y, z * c]), 1);
  const h = tall.shape[1]!;
  const wide = g.matMul(columns, g.reshape(tall, [n * h, z, c]), 1);
  return g.reshape(wide, [n, h, wide.shape[1]!, c]);
}

function matrices(
  g: GraphBuilder,
  from: readonly [number, number],
  to: readonly [number, number],
  attributes: ResizeBilinearAttrs,
  method: Method,
): [Value, Value] {
  const matrix = (axis: 0 | 1): Value =>
    g.dense(
      weights(from[axis], to[axis], attributes, method),
      [1, to[axis], from[axis]],
      "float32",
    );
  return [matrix(0), matrix(1)];
}

const forward = (method: Method) =>
  kernel<ResizeBilinearInputs & ResizeNearestNeighborInputs, ResizeBilinearAttrs>(
    ({ images }, { alignCorners, halfPixelCenters, size: [y, z] }, g) => {
      const attributes = { alignCorners, halfPixelCenters, size: [y, z] as [number, number] };
      const pixels = method === "nearest" ? images : g.cast(images, "float32");
      return resized(g, resized(g, pixels, 2, z, attributes, method), 1, y, attributes, method);
    },
  );

/** The transpose of the forward pass. tfjs leaves halfPixelCenters out of it, so that is refused, not imitated. */
const backward = (method: Method) =>
  kernel<ResizeBilinearGradInputs & ResizeNearestNeighborGradInputs, ResizeBilinearAttrs>(
    ({ images, dy }, { alignCorners, halfPixelCenters, size }, g) => {
      if (halfPixelCenters)
        throw new Error("tfjs has no gradient of resizing with halfPixelCenters; leave it off.");
      const [, h, w] = images.shape as Four;
      const attributes = { alignCorners, halfPixelCenters, size };
      return spread(g, dy, matrices(g, [h, w], size, attributes, method));
    },
  );

const outside = "transform images outside the step and pass them in as an input";

export const resize = {
  ResizeBilinear: forward("bilinear"),
  ResizeBilinearGrad: backward("bilinear"),
  ResizeNearestNeighbor: forward("nearest"),
  ResizeNearestNeighborGrad: backward("nearest"),
  CropAndResize: refuse(outside),
  RotateWithOffset: refuse(outside),
  Transform: refuse(outside),
  NonMaxSuppressionV3: refuse(outside),
  NonMaxSuppressionV4: refuse(outside),
  NonMaxSuppressionV5: refuse(outside),
};
