import { checkValue } from "./check-fields.js";
import { composed, setToGrid, type CoordinateMap, type Points } from "./coordinate-map.js";
import { LejepaError } from "./error.js";
import { callable } from "./fields.js";
import {
  floatImage,
  imageFault,
  padImage,
  toFloats,
  type FloatImage,
  type Image,
  type Size,
} from "./image.js";
import { sampleFiltered } from "./filtered-sampling.js";
import type { Random } from "./random.js";
import { resample } from "./resample.js";
import { cropMap } from "./transforms/random-resized-crop.js";
import { transformOf, type TransformSpec } from "./transforms/table.js";
import type {
  GeometricTransform,
  PhotometricTransform,
  Sampling,
  SamplingTransform,
} from "./transforms/transform.js";
import { checkOneView, type ViewSpec } from "./view-spec.js";
import { cutOut } from "./window.js";

/** Makes views one after another in memory that it keeps. */
export interface ViewMaker {
  /** Sets the image that the next views are made of. */
  load(image: Image): void;
  /** One view of the image. It stays valid until the next call. */
  make(random: Random): FloatImage;
}

type Stage =
  | { readonly kind: "photometric"; readonly apply: Apply }
  | { readonly kind: "geometric"; readonly steps: readonly Step[] }
  | {
      readonly kind: "sampling";
      readonly draw: ReturnType<SamplingTransform<TransformSpec>["prepare"]>;
      readonly sample: Sampler;
    };
type Apply = ReturnType<PhotometricTransform<TransformSpec>["prepare"]>;
interface Step {
  readonly resizes: "none" | "to-output-size";
  readonly draw: ReturnType<GeometricTransform<TransformSpec>["prepare"]>;
}

/** Takes a sampling of an image. What it gives stays valid until the next call. */
type Sampler = (image: Image, sampling: Sampling) => Image;

/** A sampler with memory of its own, so that the result of one can be sampled by the next. */
function createSampler(): Sampler {
  const bytes = [0, 1].map(() => grownArray((length) => new Uint8Array(length)));
  const floats = [0, 1].map(() => grownArray((length) => new Float32Array(length)));
  const room = (
    which: 0 | 1,
    length: number,
    kind: "bytes" | "floats",
  ): Uint8Array | Float32Array => (kind === "bytes" ? bytes : floats)[which]!(length);
  return (image, { window, size, filter }) =>
    filter === "none"
      ? cutOut(image, window, room)
      : sampleFiltered(image, window, window, size, filter, room);
}

/** Neighbouring geometric transforms form one stage. */
function stagesOf(specs: readonly TransformSpec[]): Stage[] {
  const stages: Stage[] = [];
  let steps: Step[] = [];
  for (const spec of specs) {
    const transform = transformOf(spec);
    if (transform.kind === "geometric") {
      if (steps.length === 0) stages.push({ kind: "geometric", steps });
      steps.push({ resizes: transform.resizes, draw: transform.prepare(spec) });
      continue;
    }
    if (transform.kind === "photometric")
      stages.push({ kind: "photometric", apply: transform.prepare(spec) });
    else
      stages.push({
        kind: "sampling",
        draw: transform.prepare(spec),
        sample: createSampler(),
      });
    steps = [];
  }
  return stages;
}

/** Stretches the whole image over the output; draws nothing. */
const stretch: Step = {
  resizes: "to-output-size",
  draw: (_random, input, output) =>
    isSameSize(input, output) ? undefined : cropMap({ top: 0, left: 0, ...input }, output),
};

const isSameSize = (a: Size, b: Size): boolean => a.height === b.height && a.width === b.width;

/** Memory of one use, made anew only when another length is asked for. */
function keptArray<A>(make: (length: number) => A): (length: number) => A {
  let length = -1;
  let kept: A;
  return (wanted) => {
    if (wanted !== length) kept = make((length = wanted));
    return kept;
  };
}

/** The same where lengths vary from use to use: made anew only when a longer one is asked for. */
function grownArray<A extends Uint8Array | Float32Array>(
  make: (length: number) => A,
): (length: number) => A {
  let kept = make(0);
  return (wanted) => {
    if (wanted > kept.length) kept = make(wanted);
    return kept.subarray(0, wanted) as A;
  };
}

/** A maker of views as the specification says; it must have been checked. Work per view is a few
 *  passes over typed arrays, without allocation for pixels. */
export function createViewMaker(spec: Pick<ViewSpec, "size" | "transforms">): ViewMaker {
  const stages = stagesOf(spec.transforms);
  const crops = stages.some(
    (stage) =>
      stage.kind === "sampling" ||
      (stage.kind === "geometric" && stage.steps.some(({ resizes }) => resizes !== "none")),
  );
  if (spec.size !== undefined && !crops) {
    const [first] = stages;
    if (first?.kind === "geometric")
      stages[0] = { kind: "geometric", steps: [stretch, ...first.steps] };
    else stages.unshift({ kind: "geometric", steps: [stretch] });
  }

  // An image with its zero border; a border written once stays zero while the size is the same.
  const keptPadded = (): ((image: Image) => Float32Array) => {
    let shape = "";
    let padded = new Float32Array(0);
    return (image) => {
      const { height, width, channels } = image;
      const wanted = `${height}/${width}/${channels}`;
      if (wanted !== shape) padded = new Float32Array((height + 2) * (width + 2) * channels);
      shape = wanted;
      padImage(image, padded);
      return padded;
    };
  };
  const padSource = keptPadded();
  const padIntermediate = keptPadded();
  const keptPoints = keptArray<Points>((length) => ({
    x: new Float64Array(length),
    y: new Float64Array(length),
    grid: undefined,
  }));
  const keptOutput = keptArray((length) => new Float32Array(length));
  const keptScratch = keptArray((length) => new Float32Array(length));

  let source: Image | undefined;
  let sourcePadded: Float32Array | undefined;
  let sourceFloats: FloatImage | undefined;

  /** What a transform to the size of the view gives. */
  const outputSize = (): Size =>
    spec.size
      ? { height: spec.size[0], width: spec.size[1] }
      : { height: source!.height, width: source!.width };

  const runGeometric = (steps: readonly Step[], image: Image, random: Random): Image => {
    let size: Size = image;
    const maps: CoordinateMap[] = [];
    for (const { resizes, draw } of steps) {
      const output: Size = resizes === "to-output-size" ? outputSize() : size;
      const map = draw(random, size, output);
      if (map !== undefined) maps.push(map);
      size = output;
    }
    if (maps.length === 0) return image;
    const { height, width } = size;
    const { channels } = image;
    const points = keptPoints(height * width);
    setToGrid(points, size);
    points.grid = { height, width };
    composed(maps)(points);
    const padded = image === source ? (sourcePadded ??= padSource(image)) : padIntermediate(image);
    const data = keptOutput(height * width * channels);
    resample(padded, image, channels, points, data);
    return { height, width, channels, data };
  };

  return {
    load(image) {
      source = image;
      sourcePadded = undefined;
      sourceFloats = undefined;
    },
    make(random) {
      if (source === undefined) throw new Error("make() needs an image: call load() first");
      let image: Image = source;
      const writable = (): FloatImage => {
        const { height, width, channels } = image;
        if (image !== source && image.data instanceof Float32Array) return image as FloatImage;
        const data = keptOutput(height * width * channels);
        if (image === source) data.set((sourceFloats ??= floatImage(image)).data);
        else toFloats(image.data as Uint8Array, data);
        return { height, width, channels, data };
      };
      for (const stage of stages)
        if (stage.kind === "geometric") image = runGeometric(stage.steps, image, random);
        else if (stage.kind === "sampling")
          image = stage.sample(image, stage.draw(random, image, outputSize()));
        else {
          const floats = writable();
          stage.apply(random, floats, keptScratch(floats.data.length));
          image = floats;
        }
      return writable();
    },
  };
}

/** One view of an image: the transforms in order, with numbers from the generator. The same image,
 *  transforms and numbers give the same view, bit for bit; the image is left as it is.
 *  Throws `invalid-views` and `unknown-transform` for a wrong specification, or one that does not suit the image,
 *  `invalid-sample` for what is no image, and `invalid-option` for what is no generator. */
export function makeView(
  image: Image,
  spec: Pick<ViewSpec, "size" | "transforms">,
  random: Random,
): FloatImage {
  const fault = imageFault(image);
  if (fault !== undefined)
    throw new LejepaError(
      "invalid-sample",
      `makeView: the image ${fault}. Pass { height, width, channels, data }.`,
    );
  checkOneView(spec);
  checkValue(random, callable("required"), "makeView: random", "invalid-option");
  const maker = createViewMaker(spec);
  maker.load(image);
  return maker.make(random);
}
