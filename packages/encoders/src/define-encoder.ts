import { requireArgument, requireTensors, wholeNumber } from "@lejepa/ops";
import type { Tensor2D, Tensor4D } from "@tensorflow/tfjs-core";
import type { AcceptedSizes } from "./accepted-sizes.js";
import { defineModel } from "./define-model.js";
import type { Encoded, Encoder } from "./encoder.js";
import { requireImages } from "./image-options.js";
import { contentsOf, type Layer } from "./layers/layer.js";

/** What makes an encoder, besides its network. */
export interface EncoderTraits extends Pick<Encoder, "name" | "imageSize" | "channels" | "dim"> {
  /** The images that it takes. */
  readonly sizes: AcceptedSizes;
}

/** What a network makes of images: all of `Encoded` that is not the same for every encoder. */
export type Embedded = Pick<Encoded, "embedding" | "tokens">;

/** The encoder that is this network. */
export function defineEncoder(
  { sizes, ...traits }: EncoderTraits,
  network: Layer<Tensor4D, Embedded>,
): Encoder {
  const { name, channels } = traits;
  const { parameters, features, init, run, ...model } = defineModel(name, network);
  return {
    ...traits,
    accepts: sizes.accepts,
    parameters,
    features,
    draws: (images) => {
      requireArgument("draws", "images", images, wholeNumber(1));
      return Object.fromEntries(model.draws.map((draw) => [draw, { shape: [images] }]));
    },
    init,
    apply: (parameters, images, options) => {
      requireTensors(name, { images });
      requireImages(name, images.shape, sizes, channels);
      const { result, updates, features } = run(parameters, images, options);
      return { ...result, updates, ...(options.features && { features }) };
    },
  };
}

/** A network whose result is the embedding, [N, H, W, C] -> [N, D]. */
export const embedding = (network: Layer): Layer<Tensor4D, Embedded> => ({
  ...contentsOf(network),
  apply: (pass, images) => ({ embedding: network.apply(pass, images) as Tensor2D }),
});
