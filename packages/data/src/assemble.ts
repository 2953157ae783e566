import type { BatchGroup, Normalisation } from "./batch-group.js";
import type { Sample } from "./dataset.js";
import { LejepaError } from "./error.js";
import { randomOf, type Random } from "./random.js";
import { perChannelList } from "./transforms/normalise.js";
import type { TransformSpec } from "./transforms/table.js";
import { createViewMaker } from "./view-maker.js";
import type { ViewGroup, ViewGroups } from "./view-spec.js";

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
  readonly groups: readonly [BatchGroup, ...BatchGroup[]];
  readonly labels: Int32Array | undefined;
}

/** Makes batches of samples, which are taken one after the other, each after the views of the one before are made. A
 *  view depends on (seed, epoch, index of the sample, number of the view) only: not on the batch, nor on the thread.
 *  Views are numbered through all groups. */
export function createAssembler(
  dataset: { readonly name: string },
  views: ViewGroups,
  seed: number,
): (plan: BatchPlan, samples: AsyncIterable<Sample>) => Promise<BatchContent> {
  const makers = views.map((group) => {
    const { transforms, normalise } = splitNormalise(group);
    return { group, normalise, maker: createViewMaker({ ...group, transforms }) };
  });
  const isResized = views.every(({ size }) => size !== undefined);
  return async ({ epoch, indices, reference }, samples) => {
    const size = indices.length;
    const filled = makers.map((of) => ({ ...of, content: emptyGroup(of, size, reference) }));
    const labels = reference.isLabelled ? new Int32Array(size) : undefined;
    let n = 0;
    for await (const sample of samples) {
      const index = indices[n]!;
      checkLike(dataset.name, sample, index, reference, isResized);
      let number = 0;
      for (const { maker, content } of filled) {
        maker.load(sample.image);
        for (let v = 0; v < content.views; v++, number++) {
          const ofView = number;
          const key = (): string => `${seed}/${epoch}/view/${index}/${ofView}`;
          const view = maker.make(lazily(key)).data;
          put(view, content.images, (v * size + n) * view.length);
        }
      }
      if (labels !== undefined) labels[n] = sample.label!;
      n++;
    }
    const groups = filled.map(({ content }) => content);
    return { groups: groups as [BatchGroup, ...BatchGroup[]], labels };
  };
}

/** What of a group is done to its views here, and what is left for whoever takes them as bytes. */
function splitNormalise({ transforms, values = "floats" }: ViewGroup): {
  transforms: readonly TransformSpec[];
  normalise: Normalisation | undefined;
} {
  const last = transforms.at(-1);
  if (values === "floats" || last?.name !== "normalise")
    return { transforms, normalise: undefined };
  const normalise = { mean: perChannelList(last.mean), std: perChannelList(last.std) };
  return { transforms: transforms.slice(0, -1), normalise };
}

/** A group of a batch whose views are still to be made. */
function emptyGroup(
  {
    group,
    normalise,
  }: { readonly group: ViewGroup; readonly normalise: Normalisation | undefined },
  size: number,
  reference: Reference,
): BatchGroup {
  const { count: views, values = "floats" } = group;
  const [height, width] = group.size ?? [reference.height, reference.width];
  const { channels } = reference;
  const length = views * size * height * width * channels;
  const images = roomFor(length, values);
  return { views, shape: [views * size, height, width, channels], images, normalise };
}

/** Memory for the images of a group. */
function roomFor(length: number, values: "floats" | "bytes"): Float32Array | Uint8Array {
  try {
    return values === "bytes" ? new Uint8Array(length) : new Float32Array(length);
  } catch (cause) {
    throw new LejepaError(
      "invalid-option",
      `loader: a batch of ${length} values does not fit into memory. Lower batchSize, or count or size of the views.`,
      { cause },
    );
  }
}

/** Puts a view, floats of which 0..1 are black and white, where it belongs; as bytes the nearest level. */
function put(view: Float32Array, images: Float32Array | Uint8Array, at: number): void {
  if (images instanceof Float32Array) return images.set(view, at);
  for (let i = 0; i < view.length; i++) {
    const level = Math.round(255 * view[i]!);
    images[at + i] = level < 0 ? 0 : level > 255 ? 255 : level;
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
