import type { Tensor4D } from "@tensorflow/tfjs-core";
import {
  checkDataset,
  checkViewSpec,
  createLoader,
  floatImages,
  type Dataset,
  type ViewSpec,
} from "@lejepa/data";
import type { Encoder } from "@lejepa/encoders";
import type { Engine } from "@lejepa/engine";
import {
  abortSignal,
  LejepaError,
  optional,
  requireArgument,
  requireOptions,
  someFunction,
  someObject,
  wholeNumber,
  type HostTensors,
} from "@lejepa/ops";
import { checkCompiled, checkEngine } from "./labelled-features.js";

/** Options of {@link embed}. */
export interface EmbedOptions {
  /** Images that go through the encoder at once; 256 when left out. */
  readonly batchSize?: number;
  /** How an image is prepared, one view of it: `plainView(...)` of the views that the encoder was trained on. There is no
   *  default, as the size and normalisation of another training would be wrong without a word. */
  readonly views: ViewSpec;
  /** Threads that prepare images beside the main one; none when left out. */
  readonly workers?: number;
  /** Called after each batch with the images done and the images in all. */
  readonly onProgress?: (done: number, total: number) => void;
  /** Ends early: the promise then rejects with the signal's reason. */
  readonly signal?: AbortSignal;
}

/** Features of a whole dataset, in its order. */
export interface Embeddings {
  /** Row-major [N, D]: row n is the embedding of item n. */
  readonly features: Float32Array;
  /** D. */
  readonly dim: number;
  /** The labels of the items; undefined when the dataset has none. */
  readonly labels: Int32Array | undefined;
}

/** Embeds every image of a dataset with a frozen encoder in evaluation mode (batch norm uses its running statistics,
 *  so an image's features do not depend on its batch).
 *  @throws LejepaError "invalid-option" when `views` is left out or asks for more than one view of an image, "invalid-argument" for what
 *  is no engine, encoder or parameters, and what the loader and the engine throw */
export async function embed(
  engine: Engine,
  encoder: Encoder,
  parameters: HostTensors,
  dataset: Dataset,
  options: EmbedOptions,
): Promise<Embeddings> {
  requireOptions(
    "embed",
    options,
    {
      batchSize: optional(wholeNumber(1)),
      views: optional(someObject),
      workers: optional(wholeNumber(0)),
      onProgress: optional(someFunction),
      signal: optional(abortSignal),
    },
    "invalid-option",
  );
  requireArgument(
    "embed",
    "views",
    options.views,
    someObject,
    "invalid-option",
    "pass plainView(...) of the views that the encoder was trained on",
  );
  checkEngine("embed", engine);
  checkEncoder(encoder);
  requireArgument("embed", "parameters", parameters, someObject, "invalid-argument");
  checkDataset(dataset);
  const { batchSize = 256, workers = 0, onProgress, signal } = options;
  const { imageSize, channels, dim } = encoder;
  const views = checkViewSpec(options.views);
  if (views.count !== 1) {
    throw new LejepaError(
      "invalid-option",
      `embed: views.count should be 1, got ${views.count}; an embedding is of one view.`,
    );
  }
  const compiled = await engine.compile(
    (state, { images }) => ({
      state,
      outputs: { embedding: encoder.apply(state, images as Tensor4D, { mode: "eval" }).embedding },
    }),
    {
      state: parameters,
      inputs: { images: { shape: [batchSize, imageSize, imageSize, channels] } },
    },
  );
  checkCompiled("embed", compiled, ["run", "dispose"]);
  const features = new Float32Array(dataset.length * dim);
  const labels = new Int32Array(dataset.length);
  let labelled = true;
  const loader = createLoader(dataset, {
    batchSize,
    views,
    workers,
    order: "sequential",
    dropLast: false,
    ...(signal && { signal }),
  });
  // One batch is computed while the next one is prepared.
  let computing: Promise<void> | undefined;
  try {
    let loaded = 0;
    for await (const batch of loader) {
      const [group] = batch.groups;
      checkImages(encoder, dataset, group.shape);
      const at = loaded;
      loaded += batch.size;
      if (batch.labels === undefined) labelled = false;
      else labels.set(batch.labels, at);
      let images = floatImages(group);
      if (batch.size < batchSize) {
        // The graph has one batch size: the rows of what fills it up are dropped.
        const given = images;
        images = new Float32Array(batchSize * imageSize * imageSize * channels);
        images.set(given);
      }
      await computing;
      computing = compiled.run({ images }).then(({ embedding }) => {
        features.set(embedding!.data.subarray(0, batch.size * dim), at * dim);
        onProgress?.(at + batch.size, dataset.length);
      });
      // Whoever awaits it sees the error; until then it must not count as unhandled.
      computing.catch(() => undefined);
    }
    await computing;
  } finally {
    await loader.close();
    await compiled.dispose();
  }
  return { features, dim, labels: labelled ? labels : undefined };
}

function checkEncoder(encoder: Encoder): void {
  const need = (name: string, value: unknown, expected: typeof someFunction): void =>
    requireArgument(
      "embed",
      name,
      value,
      expected,
      "invalid-argument",
      "pass what createEncoder of @lejepa/encoders gives",
    );
  need("encoder", encoder, someObject);
  need("encoder.apply", (encoder as { readonly apply: unknown }).apply, someFunction);
  for (const size of ["imageSize", "channels", "dim"] as const) {
    need(`encoder.${size}`, encoder[size], wholeNumber(1));
  }
}

function checkImages(encoder: Encoder, dataset: Dataset, shape: readonly number[]): void {
  const { name, imageSize, channels } = encoder;
  const [, height, width, found] = shape;
  if (height === imageSize && width === imageSize && found === channels) return;
  throw new LejepaError(
    "image-shape",
    `embed: images of ${dataset.name} come as ${height} x ${width} x ${found} and ${name} takes ${imageSize} x ${imageSize} x ${channels}; set views.size, or make the encoder for these channels.`,
  );
}
