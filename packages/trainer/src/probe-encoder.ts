import { plainView, type Dataset } from "@lejepa/data";
import type { Encoder } from "@lejepa/encoders";
import type { Engine } from "@lejepa/engine";
import {
  embed,
  knnProbe,
  linearProbe,
  pca2d,
  type EmbedOptions,
  type Embeddings,
  type LabelledFeatures,
} from "@lejepa/eval";
import { LejepaError, type HostTensors } from "@lejepa/ops";
import { trainViews, type TrainConfig } from "./config.js";
import type { EmbeddingPicture } from "./report.js";
import type { ProbeAccuracies } from "./result.js";

/** Embeds a dataset with a trained encoder as its training prepared images: same size and normalisation, nothing
 *  random. `run` is what `openRun` gives.
 *  @throws what `embed` of @lejepa/eval throws */
export async function embedRun(
  engine: Engine,
  run: {
    readonly config: TrainConfig;
    readonly encoder: Encoder;
    readonly parameters: HostTensors;
  },
  dataset: Dataset,
  options: Omit<EmbedOptions, "views"> = {},
): Promise<Embeddings> {
  const views = plainView(trainViews(run.config)[0]);
  return embed(engine, run.encoder, run.parameters, dataset, { ...options, views });
}

/** Embeddings with their labels, for a probe. Throws "no-labels" when the dataset has none. */
export function labelled(
  { features, dim, labels }: Embeddings,
  dataset: { readonly name: string },
): LabelledFeatures {
  if (labels !== undefined) return { features, dim, labels };
  throw new LejepaError(
    "no-labels",
    `${dataset.name} has no labels, which a probe needs; probe with a labelled dataset.`,
  );
}

/** What the probes of one encoder gave. */
interface Probed {
  readonly accuracies: ProbeAccuracies;
  readonly scatter: EmbeddingPicture["trained"];
}

/** Linear probe, kNN and the two principal components of the test set.
 *  An aborted signal ends this function by the signal's reason. */
export async function probeEncoder(
  engine: Engine,
  run: Parameters<typeof embedRun>[1],
  { train, test }: { readonly train: Dataset; readonly test: Dataset },
  options: { readonly onProgress: (images: number) => void; readonly signal?: AbortSignal },
): Promise<Probed> {
  const embedPart = async (dataset: Dataset, before: number): Promise<LabelledFeatures> => {
    const onProgress = (done: number): void => options.onProgress(before + done);
    return labelled(await embedRun(engine, run, dataset, { ...options, onProgress }), dataset);
  };
  const trainSet = await embedPart(train, 0);
  const testSet = await embedPart(test, train.length);
  const data = { train: trainSet, test: testSet };
  const stop = options.signal && { signal: options.signal };
  const linear = await linearProbe(engine, data, stop);
  const knn = await knnProbe(engine, data, stop);
  const { points, explained } = pca2d(testSet.features, testSet.dim);
  return {
    accuracies: { linear: linear.accuracy, knn: knn.accuracy },
    scatter: { points, explained, labels: testSet.labels },
  };
}
