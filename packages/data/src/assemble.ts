import type { Sample } from "./dataset.js";
import { LejepaError } from "./error.js";
import { randomOf, type Random } from "./random.js";
import { createViewMaker } from "./view-maker.js";
import type { ViewSpec } from "./view-spec.js";

/** The first sample that a loader read: the others must be like it. */
export interface Reference {
  readonly index: number;
  readonly height: number;
  readonly width: number;
  readonly channels: number;
  readonly isLabelled: boolean;
}

/** What one batch is to be made of. */
export interface BatchPlan {
  readonly epoch: number;
  readonly indices: Int32Array;
  readonly reference: Reference;
}

/** What one batch holds. */
export interface BatchContent {
  /** View-major: view v of sample n is image v*N + n. */
  readonly images: Float32Array;
  /** [V*N, H, W, C]. */
  readonly shape: readonly [number, number, number, number];
  readonly labels: Int32Array | undefined;
}

/** Makes batches of samples, which are taken one after the other, each after the views of the one before are made. A
 *  view depends on (seed, epoch, index of the sample, number of the view) only: not on the batch, nor on the thread. */
export function createAssembler(
  dataset: { readonly name: string },
  views: ViewSpec,
  seed: number,
): (plan: BatchPlan, samples: AsyncIterable<Sample>) => Promise<BatchContent> {
  const maker = createViewMaker(views);
  return async ({ epoch, indices, reference }, samples) => {
    const size = indices.length;
    const [height, width] = views.size ?? [reference.height, reference.width];
    const length = height * width * reference.channels;
    const images = roomFor(views.count * size * length);
    const labels = reference.isLabelled ? new Int32Array(size) : undefined;
    let n = 0;
    for await (const sample of samples) {
      const index = indices[n]!;
      checkLike(dataset.name, sample, index, reference, views.size !== undefined);
      maker.load(sample.image);
      for (let v = 0; v < views.count; v++) {
        const key = (): string => `${seed}/${epoch}/view/${index}/${v}`;
        images.set(maker.make(lazily(key)).data, (v * size + n) * length);
      }
      if (labels !== undefined) labels[n] = sample.label!;
      n++;
    }
    return {
      images,
      shape: [views.count * size, height, width, reference.channels],
      labels,
    };
  };
}

/** Memory for the images of a batch. */
function roomFor(values: number): Float32Array {
  try {
    return new Float32Array(values);
  } catch (cause) {
    throw new LejepaError(
      "invalid-option",
      `loader: a batch of ${values} values does not fit into memory. Lower batchSize, or count or size of the views.`,
      { cause },
    );
  }
}

/** The generator of a key, made when it first draws: a view without anything random needs none. */
function lazily(key: () => string): Random {
  let random: Random | undefined;
  return () => (random ??= randomOf(key()))();
}

function checkLike(
  name: string,
  { image, label }: Sample,
  index: number,
  reference: Reference,
  isResized: boolean,
): void {
  const fail = (what: string, advice: string): never => {
    throw new LejepaError("invalid-sample", `dataset "${name}": ${what}. ${advice}`, { index });
  };
  if (image.channels !== reference.channels)
    fail(
      `item ${index} has ${image.channels} channels but item ${reference.index} has ${reference.channels}`,
      "Give all images the same number of channels.",
    );
  if (!isResized && (image.height !== reference.height || image.width !== reference.width))
    fail(
      `item ${index} is ${image.height} x ${image.width} but item ${reference.index} is ${reference.height} x ${reference.width}`,
      "Set `size` in the views to bring all images to one size.",
    );
  if ((label !== undefined) !== reference.isLabelled)
    fail(
      `item ${reference.isLabelled ? index : reference.index} has no label but item ${reference.isLabelled ? reference.index : index} has one`,
      "Label all items or none.",
    );
}
