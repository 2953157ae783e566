import { requireArgument } from "./check-argument.js";
import { requireOptionalTensors, requireTensors, tokenLayout } from "./tensor-argument.js";
import * as tf from "@tensorflow/tfjs-core";
import type { TokenLayout } from "./attention.js";
import { linear } from "./linear.js";
import { badShape, requireShape } from "./shape.js";

/** Linear embedding of non-overlapping patches (arXiv 2010.11929): a convolution whose stride equals its kernel,
 *  as one transpose of the image and one matrix product.
 *  Shapes: images [N, H, W, C], weight [P, Q, C, D], bias [D] -> tokens [N, L, D], or [L, N, D] in layout "LND", with
 *  L = floor(H / P) floor(W / Q), row by row; pixels beyond the last whole patch are not read, as in a convolution.
 *  Throws LejepaError "bad-shape". */
export function patchEmbed(
  images: tf.Tensor4D,
  weight: tf.Tensor,
  bias?: tf.Tensor,
  layout: TokenLayout = "NLD",
): tf.Tensor3D {
  requireTensors("patchEmbed", { images, weight });
  requireOptionalTensors("patchEmbed", { bias });
  requireArgument("patchEmbed", "layout", layout, tokenLayout);
  if (images.shape.length !== 4) {
    throw badShape({
      op: "patchEmbed",
      argument: "images",
      expected: "[N, H, W, C]",
      got: images.shape,
    });
  }
  const [batch, height, width, channels] = images.shape;
  requireShape("patchEmbed", "weight", weight.shape, [-1, -1, channels, -1]);
  const [patchHeight, patchWidth, , dim] = weight.shape as [number, number, number, number];
  const rows = Math.floor(height / patchHeight);
  const columns = Math.floor(width / patchWidth);
  if (rows === 0 || columns === 0) {
    throw badShape({
      op: "patchEmbed",
      argument: "images",
      expected: `[N, H >= ${patchHeight}, W >= ${patchWidth}, ${channels}]`,
      got: images.shape,
    });
  }
  const whole = [batch, rows * patchHeight, columns * patchWidth, channels];
  const cut =
    whole[1] === height && whole[2] === width ? images : tf.slice(images, [0, 0, 0, 0], whole);
  const strips = tf.reshape(cut, [batch, rows, patchHeight, columns, patchWidth * channels]);
  const patches = tf.reshape(
    tf.transpose(strips, layout === "NLD" ? [0, 1, 3, 2, 4] : [1, 3, 0, 2, 4]),
    [
      ...(layout === "NLD" ? [batch, rows * columns] : [rows * columns, batch]),
      patchHeight * patchWidth * channels,
    ],
  );
  return linear(patches, tf.reshape(weight, [-1, dim]), bias) as tf.Tensor3D;
}
