/** What the examples have in common: views of MNIST, the schedule, the kNN probe before and after. */
import {
  createLoader,
  floatImages,
  mnist,
  mnistViews,
  plainView,
  type Dataset,
} from "@lejepa/data";
import { createEngine, type Engine } from "@lejepa/engine";
import { knnProbe, type LabelledFeatures } from "@lejepa/eval";
import { warmupCosine } from "@lejepa/trainer";

/** Sizes of a batch and of the embeddings, the same in every example. */
export const recipe = {
  /** V, views of each image. */
  views: 4,
  /** N, images of a batch. */
  batchSize: 64,
  /** Pixels of an image, 28 x 28, and of each of its sides. */
  pixels: 784,
  side: 28,
  /** D, numbers of an embedding. */
  dim: 32,
  /** M, new directions at each step. */
  slices: 256,
  /** V·N, images that go through an encoder at once. */
  rows: 256,
  /** Steps of a full run. */
  steps: 600,
} as const;

/** The loss of one step and its terms, before the update. */
export interface Losses {
  readonly loss: number;
  readonly prediction: number;
  readonly sigreg: number;
}

/** What an example brings: an encoder in its framework, and how it learns. */
export interface Model {
  /** One update.
   *  @param images [V·N, 784], view v of image n in row v·N + n
   *  @param step counted from 0
   *  @param learningRate that of this step */
  step(images: Float32Array, step: number, learningRate: number): Promise<Losses> | Losses;
  /** Embeddings [V·N, D] of images [V·N, 784] for use, not for training: each is of its image alone. */
  embed(images: Float32Array): Promise<Float32Array> | Float32Array;
  /** Frees what the model holds. */
  dispose(): Promise<void> | void;
}

/** Makes a model whose first weights are decided by the seed. */
export type CreateModel = (seed: number) => Promise<Model>;

/** How long and on what to train. */
export interface RunOptions {
  readonly seed: number;
  readonly steps: number;
  /** How many of the 60,000 and 10,000 images are used; all when left out. */
  readonly trainImages?: number;
  readonly testImages?: number;
  /** Called after every step. */
  readonly onStep?: (step: number, losses: Losses) => void;
}

/** What a run found: errors of kNN on the test images, in percent, and what training took. */
export interface RunResult {
  readonly untrained: number;
  readonly trained: number;
  /** Share of the untrained error that is gone, 0 to 1. */
  readonly removed: number;
  /** Seconds in all steps, views included. */
  readonly seconds: number;
}

/** Trains a model on views of MNIST, without labels, and measures the kNN error of its embeddings before and after. */
export async function runOnMnist(create: CreateModel, options: RunOptions): Promise<RunResult> {
  const { seed, steps, trainImages = 60_000, testImages = 10_000, onStep } = options;
  const train = firstOf(await mnist({ split: "train" }), trainImages);
  const test = firstOf(await mnist({ split: "test" }), testImages);
  const engine = await createEngine();
  const model = await create(seed);
  try {
    const untrained = await knnError(engine, model, train, test);
    const start = performance.now();
    const schedule = { peak: 1e-2, warmupSteps: 30, steps, finalFraction: 1e-3 };
    const { batchSize } = recipe;
    const views = mnistViews(recipe.views);
    for await (const batch of createLoader(train, { batchSize, views, seed, batches: steps })) {
      const rate = warmupCosine(schedule, batch.index);
      const losses = await model.step(floatImages(batch.groups[0]), batch.index, rate);
      onStep?.(batch.index, losses);
    }
    const seconds = (performance.now() - start) / 1000;
    const trained = await knnError(engine, model, train, test);
    return { untrained, trained, removed: 1 - trained / untrained, seconds };
  } finally {
    await model.dispose();
    await engine.dispose();
  }
}

/** Percent of the test images whose 20 nearest train images vote for a wrong digit. */
async function knnError(
  engine: Engine,
  model: Model,
  train: Dataset,
  test: Dataset,
): Promise<number> {
  const data = { train: await embedded(model, train), test: await embedded(model, test) };
  return 100 * (1 - (await knnProbe(engine, data)).accuracy);
}

async function embedded(model: Model, dataset: Dataset): Promise<LabelledFeatures> {
  const { dim, rows, pixels } = recipe;
  const features = new Float32Array(dataset.length * dim);
  const labels = new Int32Array(dataset.length);
  const loader = createLoader(dataset, {
    batchSize: rows,
    views: plainView(mnistViews()),
    order: "sequential",
    workers: 0,
  });
  for await (const batch of loader) {
    const at = batch.index * rows;
    const images = new Float32Array(rows * pixels); // the last batch is filled up with zeros
    images.set(floatImages(batch.groups[0]));
    const embeddings = await model.embed(images);
    features.set(embeddings.subarray(0, batch.size * dim), at * dim);
    labels.set(batch.labels!, at);
  }
  return { features, labels, dim };
}

/** The first images of a dataset. */
function firstOf(dataset: Dataset, length: number): Dataset {
  if (length === dataset.length) return dataset;
  return { name: dataset.name, length, item: (index) => dataset.item(index) };
}
