/** LeJEPA on a jax-js model, with jax-js's own gradients.
 *
 *      image -> 49 patches of 4 x 4 -> linear to 32 -> norm, ReLU
 *            -> linear to 256 -> norm, ReLU -> linear to D
 *
 *  The whole step, loss and Adam included, is one function, compiled by `jit`. jax-js counts references and each of its
 *  functions takes one from every argument: `x.ref` keeps x. */
import { grad, jit, nn, numpy as np, random, tree, vjp } from "@jax-js/jax";
import { directions, lejepaLoss, type LejepaLoss } from "@lejepa/sigreg";
import { jaxAdapter } from "@lejepa/tensor/jax";
import { recipe, type Model } from "../shared/mnist-run.js";

const { views, batchSize, dim, slices, rows } = recipe;
const [patches, pixels, channels, hidden] = [49, 16, 32, 256];
const adapter = jaxAdapter();

type Weights = { patch: np.Array; hidden: np.Array; out: np.Array };
/** Mean and variance of each column before the two ReLUs. */
type Moments = { mean1: np.Array; variance1: np.Array; mean2: np.Array; variance2: np.Array };
type State = { weights: Weights; means: Weights; squares: Weights; moments: Moments };

/** [N, 784] -> [N·49, 16]. */
const toPatches = (images: np.Array): np.Array =>
  np
    .transpose(np.reshape(images, [rows, 7, 4, 7, 4]), [0, 1, 3, 2, 4])
    .reshape([rows * patches, pixels]);

const normRelu = (x: np.Array, mean: np.Array, variance: np.Array): np.Array =>
  nn.relu(x.sub(mean).div(np.sqrt(variance.add(1e-5))));

const meanOf = (x: np.Array): np.Array => np.mean(x, 0);
const varianceOf = (x: np.Array): np.Array => np.var_(x, 0);

/** Embeddings [N, D] in training, and the moments of this batch. */
function forward(weights: Weights, images: np.Array): [np.Array, Moments] {
  const x1 = np.matmul(toPatches(images), weights.patch);
  const [mean1, variance1] = [meanOf(x1.ref), varianceOf(x1.ref)];
  const y1 = normRelu(x1, mean1.ref, variance1.ref).reshape([rows, patches * channels]);
  const x2 = np.matmul(y1, weights.hidden);
  const [mean2, variance2] = [meanOf(x2.ref), varianceOf(x2.ref)];
  const y2 = normRelu(x2, mean2.ref, variance2.ref);
  return [np.matmul(y2, weights.out), { mean1, variance1, mean2, variance2 }];
}

/** The objective on embeddings [V·N, D]. It takes its arguments, as functions of jax-js do. */
function objective(embeddings: np.Array, slicing: np.Array): LejepaLoss<np.Array> {
  const z = embeddings.reshape([views, batchSize, dim]);
  const losses = adapter.scope(() => lejepaLoss(adapter, z, slicing, { lambda: 0.05 }));
  z.dispose();
  slicing.dispose();
  return losses;
}

/** Its loss alone, to be differentiated. */
export function lossOf(embeddings: np.Array, slicing: np.Array): np.Array {
  const { loss, prediction, sigreg } = objective(embeddings, slicing);
  prediction.dispose();
  sigreg.dispose();
  return loss;
}

/** One training step; takes the state and gives the next one. */
const train = jit(
  (
    state: State,
    images: np.Array,
    slicing: np.Array,
    rate: np.Array,
    decay: [np.Array, np.Array],
  ) => {
    const { weights, means, squares } = state;
    const [embeddings, pullback, moments] = vjp(forward, [tree.ref(state.weights), images], {
      hasAux: true,
    });
    const { loss, prediction, sigreg } = objective(embeddings.ref, slicing.ref);
    const [gradients, imageGradient] = pullback(grad(lossOf)(embeddings, slicing));
    imageGradient.dispose();
    pullback.dispose();
    // Adam (arXiv 1412.6980); `decay` is beta1 and beta2 to the power of the step.
    const nextMeans = tree.map(
      (m: np.Array, g: np.Array) => m.mul(0.9).add(g.mul(0.1)),
      means,
      tree.ref(gradients),
    );
    const nextSquares = tree.map(
      (v: np.Array, g: np.Array) => v.mul(0.999).add(np.square(g).mul(0.001)),
      squares,
      gradients,
    );
    const [share1, share2] = decay.map((power) => power.neg().add(1)) as [np.Array, np.Array];
    const nextWeights = tree.map(
      (w: np.Array, m: np.Array, v: np.Array) =>
        w.sub(
          m
            .div(share1.ref)
            .mul(rate.ref)
            .div(np.sqrt(v.div(share2.ref)).add(1e-8)),
        ),
      weights,
      tree.ref(nextMeans),
      tree.ref(nextSquares),
    );
    [share1, share2, rate].forEach((x) => x.dispose());
    // For embedding: moments of the last batches, older ones fading away.
    const nextMoments = tree.map(
      (old: np.Array, now: np.Array) => old.mul(0.9).add(now.mul(0.1)),
      state.moments,
      moments,
    );
    const next = {
      weights: nextWeights,
      means: nextMeans,
      squares: nextSquares,
      moments: nextMoments,
    };
    return [next, np.stack([loss, prediction, sigreg])] as [State, np.Array];
  },
);

/** Embeddings by the moments of past batches. */
const infer = jit((weights: Weights, moments: Moments, images: np.Array) => {
  const x1 = np.matmul(toPatches(images), weights.patch);
  const y1 = normRelu(x1, moments.mean1, moments.variance1).reshape([rows, patches * channels]);
  const y2 = normRelu(np.matmul(y1, weights.hidden), moments.mean2, moments.variance2);
  return np.matmul(y2, weights.out);
});

function initialState(seed: number): State {
  const sizes: [number, number][] = [
    [pixels, channels],
    [patches * channels, hidden],
    [hidden, dim],
  ];
  const [patch, hiddenLayer, out] = sizes.map(([inputs, outputs], layer) =>
    random.normal(random.key(3 * seed + layer), [inputs, outputs]).mul(Math.sqrt(2 / inputs)),
  );
  const weights = { patch: patch!, hidden: hiddenLayer!, out: out! };
  const zeros = () => tree.map((w: np.Array) => np.zerosLike(w), tree.ref(weights));
  const moments = {
    mean1: np.zeros([channels]),
    variance1: np.ones([channels]),
    mean2: np.zeros([hidden]),
    variance2: np.ones([hidden]),
  };
  return { weights, means: zeros(), squares: zeros(), moments };
}

export function createModel(seed: number): Promise<Model> {
  let state = initialState(seed);
  // Values are read at once: waiting for `data()` keeps no Node process alive.
  return Promise.resolve({
    step(images, step, learningRate) {
      const [next, losses] = train(
        state,
        np.array(images, { shape: [rows, 784] }),
        np.array(directions(dim, slices, seed, step), { shape: [dim, slices] }), // new ones at each step
        np.array(learningRate),
        [np.array(0.9 ** (step + 1)), np.array(0.999 ** (step + 1))],
      );
      state = next;
      const [loss, prediction, sigreg] = losses.js() as [number, number, number];
      return { loss, prediction, sigreg };
    },
    embed(images) {
      const { weights, moments } = state;
      const embeddings = infer(
        tree.ref(weights),
        tree.ref(moments),
        np.array(images, { shape: [rows, 784] }),
      );
      return embeddings.dataSync() as Float32Array;
    },
    dispose: () => tree.dispose(state),
  });
}
