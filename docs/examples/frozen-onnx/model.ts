/** LeJEPA on top of a frozen ONNX model: onnxruntime-node runs the backbone, and a small head learns.
 *
 *      image -> ONNX backbone, frozen -> 1,568 features
 *            -> linear to 128 -> norm, ReLU -> linear to D          (the head)
 *
 *  onnxruntime-node has no gradients. `lejepaValueAndGrad` gives that of the embeddings, and the head's two layers take
 *  it from there by hand; the backbone needs none. */
import { randomOf } from "@lejepa/data";
import { closedFormWorkspace, directions, lejepaValueAndGrad } from "@lejepa/sigreg";
import { InferenceSession, Tensor } from "onnxruntime-node";
import {
  adam,
  heUniform,
  inputGradient,
  matMul,
  newMoments,
  normRelu,
  normReluBy,
  weightGradient,
} from "../plain-typescript/layers.js";
import { recipe, type Model } from "../shared/mnist-run.js";
import { features, randomBackbone } from "./backbone.js";

const { views, batchSize, side, dim, slices, rows } = recipe;
const hidden = 128;
const sizes = { hidden: [rows, features, hidden], out: [rows, hidden, dim] } as const;

/** The weights of the head's two linear layers. */
export interface Head {
  readonly hidden: Float32Array; // [1568, 128]
  readonly out: Float32Array; // [128, D]
}

export function initialHead(seed: number): Head {
  const random = randomOf(`${seed}/weights`);
  return { hidden: heUniform(features, hidden, random), out: heUniform(hidden, dim, random) };
}

/** Embeddings [V·N, D] of features [V·N, 1568] in training, and the gradients of the head for one of the embeddings. */
export function forward(head: Head, x: Float32Array, moments = newMoments(hidden)) {
  const layer = normRelu(matMul(x, head.hidden, sizes.hidden), moments);
  const z = matMul(layer.y, head.out, sizes.out);
  const backward = (dz: Float32Array): Head => {
    const dx = layer.backward(inputGradient(dz, head.out, sizes.out));
    return {
      hidden: weightGradient(x, dx, sizes.hidden),
      out: weightGradient(layer.y, dz, sizes.out),
    };
  };
  return { z, backward };
}

export async function createModel(seed: number): Promise<Model> {
  const backbone = await InferenceSession.create(await randomBackbone(rows)); // or the path of a file
  const featuresOf = async (images: Float32Array): Promise<Float32Array> => {
    const input = new Tensor("float32", images, [rows, side, side, 1]);
    const outputs = await backbone.run({ [backbone.inputNames[0]!]: input });
    return outputs[backbone.outputNames[0]!]!.data as Float32Array;
  };

  const head = initialHead(seed);
  const moments = newMoments(hidden);
  const update = adam([head.hidden, head.out]);
  const buffers = { grad: new Float32Array(rows * dim), workspace: closedFormWorkspace() };
  return {
    async step(images, step, learningRate) {
      const { z, backward } = forward(head, await featuresOf(images), moments);
      const { loss, prediction, sigreg, grad } = lejepaValueAndGrad(
        z,
        [views, batchSize, dim],
        directions(dim, slices, seed, step), // new ones at each step
        { lambda: 0.05 },
        buffers,
      );
      const gradients = backward(grad);
      update([gradients.hidden, gradients.out], learningRate);
      return { loss, prediction, sigreg };
    },
    async embed(images) {
      const y = normReluBy(moments, matMul(await featuresOf(images), head.hidden, sizes.hidden));
      return matMul(y, head.out, sizes.out);
    },
    dispose: () => backbone.release(),
  };
}
