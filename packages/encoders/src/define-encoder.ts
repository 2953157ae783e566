import { requireTensors } from "@lejepa/ops";
import type { Tensor2D, Tensor4D } from "@tensorflow/tfjs-core";
import { defineModel } from "./define-model.js";
import type { Encoded, Encoder } from "./encoder.js";
import { requireImages } from "./image-options.js";
import type { Layer } from "./layers/layer.js";

/** What makes an encoder, besides its network. */
export type EncoderTraits = Pick<Encoder, "name" | "imageSize" | "channels" | "dim">;

/** What a network makes of images: all of `Encoded` that is not the same for every encoder. */
export type Embedded = Pick<Encoded, "embedding" | "tokens">;

/** The encoder that is this network. */
export function defineEncoder(traits: EncoderTraits, network: Layer<Tensor4D, Embedded>): Encoder {
  const { name, imageSize, channels } = traits;
  const { parameters, init, run } = defineModel(name, network);
  return {
    ...traits,
    parameters,
    init,
    apply: (parameters, images, options) => {
      requireTensors(name, { images });
      requireImages(name, images.shape, imageSize, channels);
      const { result, updates } = run(parameters, images, options);
      return { ...result, updates };
    },
  };
}

/** A network whose result is the embedding, [N, H, W, C] -> [N, D]. */
export const embedding = (network: Layer): Layer<Tensor4D, Embedded> => ({
  plans: network.plans,
  apply: (pass, images) => ({ embedding: network.apply(pass, images) as Tensor2D }),
});
