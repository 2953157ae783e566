/** LeJEPA for a PyTorch model: Python keeps the model, its gradients and its optimiser, and the objective is computed
 *  here, on the embeddings that the process sends. */
import { closedFormWorkspace, directions, lejepaValueAndGrad } from "@lejepa/sigreg";
import { recipe, type Model } from "../shared/mnist-run.js";
import { startEncoder } from "./encoder-process.js";

const { views, batchSize, dim, slices, rows } = recipe;
/** What a request begins with. */
const request = { embed: 0, train: 1 } as const;

export function createModel(seed: number): Promise<Model> {
  const encoder = startEncoder(seed, rows, dim);
  const buffers = { grad: new Float32Array(rows * dim), workspace: closedFormWorkspace() };
  return Promise.resolve({
    async step(images, step, learningRate) {
      encoder.send(request.train, learningRate, images);
      const z = await encoder.receive(rows * dim);
      const { loss, prediction, sigreg, grad } = lejepaValueAndGrad(
        z,
        [views, batchSize, dim],
        directions(dim, slices, seed, step), // new ones at each step
        { lambda: 0.05 },
        buffers,
      );
      encoder.send(grad); // PyTorch goes on from here
      return { loss, prediction, sigreg };
    },
    embed(images) {
      encoder.send(request.embed, images);
      return encoder.receive(rows * dim);
    },
    dispose: () => encoder.end(),
  });
}
