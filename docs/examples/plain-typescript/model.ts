/** LeJEPA without a framework: a small network over plain arrays, backprop by hand.
 *
 *      image -> 49 patches of 4 x 4 -> linear to 16 -> norm, ReLU
 *            -> linear to 128 -> norm, ReLU -> linear to D
 *
 *  `lejepaValueAndGrad` gives the loss and its gradient by the embeddings; from there on it is the chain rule. */
import { randomOf } from "@lejepa/data";
import { closedFormWorkspace, directions, lejepaValueAndGrad } from "@lejepa/sigreg";
import { recipe, type Model } from "../shared/mnist-run.js";
import {
  adam,
  heUniform,
  inputGradient,
  matMul,
  newMoments,
  normRelu,
  normReluBy,
  weightGradient,
} from "./layers.js";

const { views, batchSize, dim, slices, rows } = recipe;
const [patches, pixels, channels, hidden] = [49, 16, 16, 128];

/** The weights of the three linear layers. */
export interface Weights {
  readonly patch: Float32Array; // [16, 16]
  readonly hidden: Float32Array; // [49·16, 128]
  readonly out: Float32Array; // [128, D]
}

export function initialWeights(seed: number): Weights {
  const random = randomOf(`${seed}/weights`);
  return {
    patch: heUniform(pixels, channels, random),
    hidden: heUniform(patches * channels, hidden, random),
    out: heUniform(hidden, dim, random),
  };
}

/** Embeddings [N, D] of images [N, 784] in training, and the gradients of the weights for one of the embeddings. */
export function forward(weights: Weights, images: Float32Array, moments = initialMoments()) {
  const sizes = layerSizes(images.length / (patches * pixels));
  const x0 = toPatches(images);
  const layer1 = normRelu(matMul(x0, weights.patch, sizes.patch), moments.patch);
  // The 49 patches of an image are one row now.
  const layer2 = normRelu(matMul(layer1.y, weights.hidden, sizes.hidden), moments.hidden);
  const z = matMul(layer2.y, weights.out, sizes.out);

  const backward = (dz: Float32Array): Weights => {
    const d2 = layer2.backward(inputGradient(dz, weights.out, sizes.out));
    const d1 = layer1.backward(inputGradient(d2, weights.hidden, sizes.hidden));
    return {
      patch: weightGradient(x0, d1, sizes.patch),
      hidden: weightGradient(layer1.y, d2, sizes.hidden),
      out: weightGradient(layer2.y, dz, sizes.out),
    };
  };
  return { z, backward };
}

const layerSizes = (images: number) =>
  ({
    patch: [images * patches, pixels, channels],
    hidden: [images, patches * channels, hidden],
    out: [images, hidden, dim],
  }) as const;

const initialMoments = () => ({ patch: newMoments(channels), hidden: newMoments(hidden) });

/** [N, 28, 28] -> [N·49, 16]. */
function toPatches(images: Float32Array): Float32Array {
  return images.map((_, at) => {
    const [image, patch, pixel] = [Math.floor(at / 784), Math.floor(at / 16) % 49, at % 16];
    const row = 4 * Math.floor(patch / 7) + Math.floor(pixel / 4);
    const column = 4 * (patch % 7) + (pixel % 4);
    return images[image * 784 + row * 28 + column]!;
  });
}

export function createModel(seed: number): Promise<Model> {
  const weights = initialWeights(seed);
  const moments = initialMoments();
  const update = adam([weights.patch, weights.hidden, weights.out]);
  const buffers = {
    grad: new Float32Array(views * batchSize * dim),
    workspace: closedFormWorkspace(),
  };
  return Promise.resolve({
    step(images, step, learningRate) {
      const { z, backward } = forward(weights, images, moments);
      const shape = [views, batchSize, dim];
      const { loss, prediction, sigreg, grad } = lejepaValueAndGrad(
        z,
        shape,
        directions(dim, slices, seed, step), // new ones at each step
        { lambda: 0.05 },
        buffers,
      );
      const gradients = backward(grad);
      update([gradients.patch, gradients.hidden, gradients.out], learningRate);
      return { loss, prediction, sigreg };
    },
    embed(images) {
      const sizes = layerSizes(rows);
      const y1 = normReluBy(moments.patch, matMul(toPatches(images), weights.patch, sizes.patch));
      const y2 = normReluBy(moments.hidden, matMul(y1, weights.hidden, sizes.hidden));
      return matMul(y2, weights.out, sizes.out);
    },
    dispose() {},
  });
}
