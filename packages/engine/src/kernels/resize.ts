/** Resizing of images: linear in the pixels, so each axis is a product with a small fixed matrix, and the gradient a
 *  product with its transpose. */
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

/** How much of each of `from` pixels goes into each of `to`: [to, from]. */
function weights(
  from: number,
  to: number,
  { alignCorners, halfPixelCenters }: ResizeBilinearAttrs,
  method: Method,
): Float64Array {
  const aligned = alignCorners && to > 1;
  const scale = aligned ? (from - 1) / (to - 1) : from / to;
  const matrix = new Float64Array(to * from);
  for (let i = 0; i < to; i++) {
    if (method === "nearest") {
      const position = halfPixelCenters ? scale * (i + 0.5) : scale * i;
      const nearest = aligned || alignCorners ? Math.round(position) : Math.floor(position);
      matrix[i * from + Math.max(0, Math.min(from - 1, nearest))] = 1;
      continue;
    }
    const position = halfPixelCenters ? scale * (i + 0.5) - 0.5 : scale * i;
    const low = Math.max(0, Math.floor(position));
    const high = Math.min(from - 1, Math.ceil(position));
    const share = position - low;
    matrix[i * from + low]! += 1 - share;
    matrix[i * from + high]! += share;
  }
  return matrix;
}

/** Resizes x [N, H, W, C] by [Y, H] and [Z, W] matrices, or by their transposes. */
function apply(
  g: GraphBuilder,
  x: Value,
  [rows, columns]: readonly [Value, Value],
  direction: "forward" | "backward",
): Value {
  const [n, h, w, c] = x.shape as Four;
  const transposed = direction === "backward" ? 1 : 0;
  const tall = g.matMul(rows, g.reshape(x, [n, h, w * c]), transposed);
  const y = tall.shape[1]!;
  const wide = g.matMul(columns, g.reshape(tall, [n * y, w, c]), transposed);
  return g.reshape(wide, [n, y, wide.shape[1]!, c]);
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
    ({ images }, { alignCorners, halfPixelCenters, size }, g) => {
      const [, h, w] = images.shape as Four;
      const attributes = { alignCorners, halfPixelCenters, size };
      const pixels = g.cast(images, "float32");
      const y = apply(g, pixels, matrices(g, [h, w], size, attributes, method), "forward");
      return method === "nearest" ? g.cast(y, images.dtype) : y;
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
      return apply(g, dy, matrices(g, [h, w], size, attributes, method), "backward");
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
