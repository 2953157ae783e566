/** LeJEPA on a Keras-style model: a `tf.LayersModel`, with the gradients of tfjs.
 *
 *  `pureModel` makes the model a function of its weights, and `engine.compile` records one training step, loss and update
 *  included, and runs it as one ONNX graph. */
import { createEngine, pureModel, type Step } from "@lejepa/engine";
import { adamw } from "@lejepa/ops";
import { directions, lejepaLoss } from "@lejepa/sigreg";
import { tfjsAdapter } from "@lejepa/tensor/tfjs";
import "@tensorflow/tfjs-backend-cpu"; // where the weights get their first values
import * as tf from "@tensorflow/tfjs-core";
import { layers, initializers, sequential, type LayersModel } from "@tensorflow/tfjs-layers";
import { recipe, type Model } from "../shared/mnist-run.js";

const { views, batchSize, side, dim, slices, rows } = recipe;
const adapter = tfjsAdapter();
const adam = { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0 };

/** Any LayersModel will do that takes the images and gives [.., D]. */
function encoder(seed: number): LayersModel {
  const convolution = (filters: number, kernelSize: number) =>
    layers.conv2d({
      filters,
      kernelSize,
      strides: 2,
      padding: "same",
      useBias: false,
      kernelInitializer: initializers.heUniform({ seed: seed + filters }),
    });
  const norm = () => layers.batchNormalization({ momentum: 0.9 });
  return sequential({
    layers: [
      layers.inputLayer({ inputShape: [side, side, 1] }),
      ...[convolution(16, 4), norm(), layers.reLU()],
      ...[convolution(32, 3), norm(), layers.reLU()],
      ...[convolution(64, 3), norm(), layers.reLU()],
      layers.flatten(),
      layers.dense({ units: dim, kernelInitializer: initializers.heUniform({ seed }) }),
    ],
  });
}

/** The objective on embeddings [V·N, D]. */
export const objective = (embeddings: tf.Tensor, slicing: tf.Tensor) =>
  lejepaLoss(adapter, tf.reshape(embeddings, [views, batchSize, dim]), slicing, { lambda: 0.05 });

export async function createModel(seed: number): Promise<Model> {
  await tf.setBackend("cpu");
  const net = pureModel(encoder(seed));

  const train: Step = (state, { images, slicing, ...rates }) => {
    let kept: readonly tf.Tensor[] = [];
    const { loss, gradients, updates } = net.lossAndGradients(state, images!, (embeddings) => {
      const { loss, prediction, sigreg } = objective(embeddings, slicing!);
      // tfjs frees all but the value that is differentiated.
      kept = [tf.keep(prediction), tf.keep(sigreg)];
      return loss;
    });
    const [prediction, sigreg] = kept.map((term) => term.clone());
    for (const term of kept) term.dispose();

    const next = { ...state, ...updates }; // the moving averages of batch norm
    for (const name of net.trainable) {
      const slot = adamw(
        {
          parameter: state[name]!,
          mean: state[`mean/${name}`]!,
          square: state[`square/${name}`]!,
          gradient: gradients[name]!,
          learningRate: rates["learningRate"]!,
          correction1: rates["correction1"]!,
          correction2: rates["correction2"]!,
        },
        adam,
      );
      next[name] = slot.parameter;
      next[`mean/${name}`] = slot.mean;
      next[`square/${name}`] = slot.square;
    }
    return { state: next, outputs: { loss, prediction: prediction!, sigreg: sigreg! } };
  };
  const embed: Step = (state, { images }) => {
    const [embeddings] = net.apply(state, images!, "eval").outputs;
    return { state, outputs: { embeddings: embeddings! } };
  };

  const zeros = (prefix: string) =>
    net.trainable.map((name) => {
      const { shape, data } = net.weights[name]!;
      return [prefix + name, { shape, data: new Float32Array(data.length) }] as const;
    });
  const images = { shape: [rows, side, side, 1] };
  const scalar = { shape: [] };
  const engine = await createEngine("onnx");
  const compiled = await engine.compile(
    { train, embed },
    {
      state: { ...net.weights, ...Object.fromEntries([...zeros("mean/"), ...zeros("square/")]) },
      inputs: {
        train: {
          images,
          slicing: { shape: [dim, slices] },
          learningRate: scalar,
          correction1: scalar,
          correction2: scalar,
        },
        embed: { images },
      },
    },
  );
  return {
    async step(images, step, learningRate) {
      const { loss, prediction, sigreg } = await compiled.entries.train.run({
        images,
        slicing: directions(dim, slices, seed, step), // new ones at each step
        learningRate,
        correction1: 1 - adam.beta1 ** (step + 1),
        correction2: 1 - adam.beta2 ** (step + 1),
      });
      return {
        loss: loss!.data[0]!,
        prediction: prediction!.data[0]!,
        sigreg: sigreg!.data[0]!,
      };
    },
    async embed(images) {
      return (await compiled.entries.embed.run({ images }))["embeddings"]!.data;
    },
    dispose: () => engine.dispose(),
  };
}
