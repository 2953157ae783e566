import * as tf from "@tensorflow/tfjs-core";
import type { Embedded } from "../define-encoder.js";
import { contentsOf, type Layer } from "../layers/layer.js";

/** Numbers in the hidden layer of one part of a batch: 8 MB of float32. */
const partSize = 2 ** 21;
/** More parts would cost more operations than they save. */
const mostParts = 8;

/** The network, which takes the images of a batch in equal parts, one after the other: each is an image's own affair, and
 *  between operations on a part its activations stay in the processor's caches. On one thread a step of the reference
 *  model takes 327 µs for each of 4,096 images at once, 290 in parts of 512.
 *  @param hiddenSize numbers in the hidden layer for one image of this height and width */
export function inParts(
  network: Layer<tf.Tensor4D, Required<Embedded>>,
  hiddenSize: (height: number, width: number) => number,
): Layer<tf.Tensor4D, Required<Embedded>> {
  return {
    ...contentsOf(network),
    apply: (pass, images) => {
      const [, height, width] = images.shape;
      // Features and draws are those of the whole batch.
      const draws = pass.mode === "train" && (network.draws ?? []).length > 0;
      if (draws || pass.handsOutFeatures) return network.apply(pass, images);
      const parts = partsOf(images, hiddenSize(height, width)).map((part) =>
        network.apply(pass, part),
      );
      const joined = <T extends tf.Tensor>(of: (part: Required<Embedded>) => T): T =>
        parts.length === 1 ? of(parts[0]!) : tf.concat(parts.map(of), 0);
      return {
        embedding: joined(({ embedding }) => embedding),
        tokens: joined(({ tokens }) => tokens),
      };
    },
  };
}

function partsOf(images: tf.Tensor4D, hiddenSize: number): tf.Tensor4D[] {
  const batch = images.shape[0];
  const wanted = Math.min(mostParts, Math.ceil((batch * hiddenSize) / partSize));
  let parts = wanted;
  while (parts < batch && batch % parts !== 0) parts++;
  return parts <= 1 || parts > 2 * wanted ? [images] : tf.split<tf.Tensor4D>(images, parts, 0);
}
