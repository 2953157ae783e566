import * as tf from "@tensorflow/tfjs-core";
import type { Encoder } from "@lejepa/encoders";

/** An encoder of one linear layer for the 8 x 8 images of `stripes`, as a user would write one. */
export function linearEncoder({ name = "linear", dim = 6, bias = "fc.bias" } = {}): Encoder {
  return {
    name,
    imageSize: 8,
    channels: 1,
    dim,
    accepts: (height, width) => height === 8 && width === 8,
    draws: () => ({}),
    features: [],
    parameters: [
      { name: "fc.weight", shape: [64, dim], layout: "linear", decay: true, buffer: false },
      { name: bias, shape: [dim], layout: "as-is", decay: false, buffer: false },
    ],
    init: (seed) => ({
      "fc.weight": {
        shape: [64, dim],
        data: Float32Array.from({ length: 64 * dim }, (_, i) => Math.sin(i * i + seed) / 8),
      },
      [bias]: { shape: [dim], data: new Float32Array(dim) },
    }),
    apply: (parameters, images) => {
      const pixels = tf.reshape(images, [-1, 64]);
      const product = tf.matMul(pixels, parameters["fc.weight"] as tf.Tensor2D);
      return { embedding: tf.add(product, parameters[bias]!), updates: {} };
    },
  };
}
