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
import {
  anything,
  LejepaError,
  optional,
  requireArgument,
  requireOptions,
  someObject,
  someText,
  typedArray,
  wholeNumber,
  type HostTensors,
} from "@lejepa/ops";
import { checkConfig, trainViews, type TrainConfig } from "./config.js";
import type { EmbeddingPicture } from "./report.js";
import type { ProbeAccuracies } from "./result.js";

/** Embeds a dataset with a trained encoder as its training prepared images: same size and normalisation, nothing
 *  random. `run` is what `openRun` gives.
 *  @throws LejepaError "invalid-argument" for what is no run, "invalid-option" for other options than those of `embed`,
 *  "invalid-config"; and what `embed` of @lejepa/eval throws */
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
  const fix = "pass what openRun gives";
  requireArgument("embedRun", "run", run, someObject, "invalid-argument", fix);
  const config = checkConfig(run.config, "embedRun, run.config");
  // What they may be is the business of embed.
  const names: Record<keyof typeof options, typeof anything> = {
    batchSize: anything,
    workers: anything,
    onProgress: anything,
    signal: anything,
  };
  requireOptions("embedRun", options, names, "invalid-option");
  const views = plainView(trainViews(config)[0]);
  return embed(engine, run.encoder, run.parameters, dataset, { ...options, views });
}

/** Embeddings with their labels, for a probe.
 *  @throws LejepaError "no-labels" when the dataset has none; "invalid-argument" for what are no embeddings, or no dataset */
export function labelled(
  embeddings: Embeddings,
  dataset: { readonly name: string },
): LabelledFeatures {
  const need = (name: string, value: unknown, expected: typeof someObject): void =>
    requireArgument("labelled", name, value, expected, "invalid-argument");
  need("embeddings", embeddings, someObject);
  need("dataset", dataset, someObject);
  need("dataset.name", dataset.name, someText);
  const { features, dim, labels } = embeddings;
  need("embeddings.features", features, typedArray(Float32Array));
  need("embeddings.dim", dim, wholeNumber(1));
  need("embeddings.labels", labels, optional(typedArray(Int32Array)));
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
