import * as tf from "@tensorflow/tfjs-core";
import { floatImages, type Batch } from "@lejepa/data";
import type { Encoder, ParameterSpec, Projector } from "@lejepa/encoders";
import type { InputSpec, InputValue, Step } from "@lejepa/engine";
import {
  allReduceMean,
  amongProcesses,
  type BatchShare,
  characteristicMeans,
  type Expected,
  type HostTensor,
  type HostTensors,
  LejepaError,
  numberFrom,
  optional,
  requireArgument,
  requireOptions,
  someArray,
  someObject,
  type Tensors,
  wholeNumber,
} from "@lejepa/ops";
import { directions, lejepaLoss, type LejepaLossOptions } from "@lejepa/sigreg";
import { tfjsAdapter } from "@lejepa/tensor/tfjs";
import { adamw, adamwCorrections, adamwDefaults, type AdamwOptions } from "./adamw.js";
import { checkEncoder, checkProjector } from "./encoder-argument.js";

/** What {@link lejepaStep} builds a step from. */
export interface LejepaStepOptions {
  /** The encoder to train. */
  readonly encoder: Encoder;
  /** The head that the loss is taken on; thrown away after training. */
  readonly projector: Projector;
  /** What is trained on at every step. */
  readonly batch: StepBatch;
  /** This process's part of the N images, where several processes train together: they add up to N. Left out: all. */
  readonly share?: BatchShare | undefined;
  /** M, new unit directions at every step; 256 when left out. */
  readonly slices?: number;
  /** Trade-off, knots and form of the loss. With the target "global" and without `globalViews` the views of the first
   *  group are the global ones. */
  readonly loss?: LejepaLossOptions;
  /** AdamW's constants; the learning rate is an input of each step. */
  readonly optimizer?: AdamwOptions;
}

/** Views of N images, in groups of one size each. */
export interface StepBatch {
  /** N, at least 1. */
  readonly images: number;
  /** The first group are the global views, where the loss tells them apart. */
  readonly groups: readonly {
    /** Views of each image in this group, at least 1. */
    readonly views: number;
    /** Of its views, in pixels; the encoder's imageSize on both sides when left out. */
    readonly size?: readonly [height: number, width: number] | undefined;
  }[];
}

/** Images of each of K processes that share a batch of N: as equal as can be, the larger parts first. */
export function imagesOfEach(size: number, processes: number): readonly number[] {
  const least = Math.floor(size / processes);
  return Array.from({ length: processes }, (_, rank) => least + (rank < size % processes ? 1 : 0));
}

/** What one step is fed, besides its images. */
export interface StepMoment {
  /** Counted from 0: decides the directions (with the seed) and the bias corrections. */
  readonly step: number;
  /** Learning rate of this step. */
  readonly learningRate: number;
  /** Seed of the run. */
  readonly seed: number;
}

/** One training step, ready for an engine: `engine.compile(step, { state: initialState(seed), inputs })`. */
export interface LejepaStep {
  /** Forward, loss, backward and AdamW. Outputs `loss`, `prediction` and `sigreg`, scalars. */
  readonly step: Step;
  /** For group g `images/g` [V N, H, W, C] view by view (view v of image n at row v N + n; with a share N counts its own
   *  images), directions [D, M], and the scalars learningRate, correction1 and correction2 of AdamW. */
  readonly inputs: Readonly<Record<string, InputSpec>>;
  /** Numbers that are trained; buffers, such as running statistics, are none. */
  readonly parameterCounts: { readonly encoder: number; readonly projector: number };
  /** Parameters and buffers of encoder and projector as they initialise, moments of zero. */
  initialState(seed: number): HostTensors;
  /** The inputs of one step. Images that are floats are passed on, not copied; of bytes floats are made. */
  inputsAt(moment: StepMoment, batch: Pick<Batch, "groups">): Record<string, InputValue>;
  /** The encoder's part of a state, by timm name. */
  encoderParameters(state: HostTensors): HostTensors;
}

/** Name in the state of a parameter's mean of gradients. */
const meanName = (parameter: string): string => `exp_avg.${parameter}`;
/** Name in the state of a parameter's mean of squared gradients. */
const squareName = (parameter: string): string => `exp_avg_sq.${parameter}`;

/** The pure step that trains an encoder with LeJEPA:
 *    z = projector(encoder(images)) [V, N, D],   loss = lejepaLoss(z, directions),   AdamW on its gradient
 *  V counts the views of all groups. The encoder is applied to one group after the other, so that its batch normalisation
 *  sees the images of a group together, and its running statistics, which are part of the state, go on from the updates
 *  of a group to those of the next. The projector, and its batch normalisation, sees all V N embeddings together.
 *  With a share the loss, its gradient, the batch statistics and the next state are those of the whole batch, the same
 *  on every process: averages of means, statistics and gradients over the processes.
 *  State: every parameter and buffer by its name, and for each trained one `exp_avg.NAME` and `exp_avg_sq.NAME`.
 *  @throws LejepaError "invalid-option"; "bad-share" when the parts do not add up to the batch; "image-shape" for views
 *  of a size that the encoder does not take. What is wrong in `loss` is told by `lejepaLoss`, when the step is compiled. */
export function lejepaStep(options: LejepaStepOptions): LejepaStep {
  checkOptions(options);
  const { encoder, projector, batch, share, slices = 256 } = options;
  const { channels } = encoder;
  const images = ownImages(batch.images, share);
  const groups = sizedGroups(encoder, batch);
  const views = groups.reduce((sum, group) => sum + group.views, 0);
  const loss = withGlobalViews(options.loss, groups[0]!.views);
  const optimizer = adamwDefaults(options.optimizer);
  const specs = [...encoder.parameters, ...projector.parameters];
  const trained = specs.filter(({ buffer }) => !buffer);
  const buffers = specs.filter(({ buffer }) => buffer);
  const adapter = tfjsAdapter({
    characteristicMeans,
    ...(share && { processes: { count: share.samples.length, allReduceMean } }),
  });
  const among = <R>(body: () => R): R =>
    share === undefined ? body() : amongProcesses(share, body);

  const objective = (parameters: Tensors, inputs: Tensors): Objective => {
    let updates: Tensors = {};
    const embeddings = groups.map(({ input }) => {
      const given = inputs[input] as tf.Tensor4D;
      const encoded = encoder.apply({ ...parameters, ...updates }, given, { mode: "train" });
      updates = { ...updates, ...encoded.updates };
      return encoded.embedding;
    });
    const embedding = embeddings.length === 1 ? embeddings[0]! : tf.concat2d(embeddings, 0);
    const projected = projector.apply(parameters, embedding, { mode: "train" });
    const z = tf.reshape(projected.projection, [views, images, projector.outputDim]); // [V, N, D]
    return {
      ...lejepaLoss(adapter, z, inputs["directions"]!, loss),
      updates: { ...updates, ...projected.updates },
    };
  };

  const step: Step = (state, inputs) =>
    tf.tidy(() => {
      const names = trained.map(({ name }) => name);
      const { value, gradients: own } = among(() =>
        objectiveAndGradients(
          (tensors) => {
            const parameters = {
              ...state,
              ...Object.fromEntries(names.map((n, i) => [n, tensors[i]!])),
            };
            return objective(parameters, inputs);
          },
          names.map((name) => state[name]!),
        ),
      );
      const gradients = share === undefined ? own : own.map(allReduceMean);
      const slots = adamw(
        trained.map(({ name, decay }, i) => ({
          parameter: state[name]!,
          mean: state[meanName(name)]!,
          square: state[squareName(name)]!,
          gradient: gradients[i]!,
          decay: decay ? "decay" : "no-decay",
        })),
        {
          learningRate: inputs["learningRate"]!,
          correction1: inputs["correction1"]!,
          correction2: inputs["correction2"]!,
        },
        optimizer,
      );
      const next: Record<string, tf.Tensor> = {};
      slots.forEach(({ parameter, mean, square }, i) => {
        next[names[i]!] = parameter;
        next[meanName(names[i]!)] = mean;
        next[squareName(names[i]!)] = square;
      });
      for (const { name } of buffers) next[name] = value.updates[name] ?? state[name]!;
      const { loss, prediction, sigreg } = value;
      return { state: next, outputs: { loss, prediction, sigreg } };
    });

  return {
    step,
    inputs: {
      ...Object.fromEntries(
        groups.map(({ input, views, size }) => [
          input,
          { shape: [views * images, ...size, channels] },
        ]),
      ),
      directions: { shape: [projector.outputDim, slices] },
      learningRate: { shape: [] },
      correction1: { shape: [] },
      correction2: { shape: [] },
    },
    parameterCounts: {
      encoder: trainedNumbers(encoder.parameters),
      projector: trainedNumbers(projector.parameters),
    },
    initialState: (seed) => {
      const state: Record<string, HostTensor> = { ...encoder.init(seed), ...projector.init(seed) };
      for (const { name, shape } of trained) {
        const size = sizeOf(shape);
        state[meanName(name)] = { shape, data: new Float32Array(size) };
        state[squareName(name)] = { shape, data: new Float32Array(size) };
      }
      return state;
    },
    inputsAt: ({ step, learningRate, seed }, given) => ({
      ...Object.fromEntries(given.groups.map((group, g) => [inputName(g), floatImages(group)])),
      directions: directions(projector.outputDim, slices, seed, step),
      learningRate,
      ...adamwCorrections(optimizer, step),
    }),
    encoderParameters: (state) =>
      Object.fromEntries(encoder.parameters.map(({ name }) => [name, state[name]!])),
  };
}

const optionValues = {
  encoder: someObject,
  projector: someObject,
  batch: someObject,
  share: optional(someObject),
  slices: optional(wholeNumber(1)),
  loss: optional(someObject),
  optimizer: optional(someObject),
} satisfies Record<keyof LejepaStepOptions, Expected>;
const decayRate: Expected = {
  text: "a number of 0 or more, below 1",
  accepts: (value) => numberFrom(0).accepts(value) && (value as number) < 1,
};
const adamwValues = {
  beta1: optional(decayRate),
  beta2: optional(decayRate),
  epsilon: optional(numberFrom(0)),
  weightDecay: optional(numberFrom(0)),
} satisfies Record<keyof AdamwOptions, Expected>;

/** For callers whose compiler did not check. */
function checkOptions(options: LejepaStepOptions): void {
  requireOptions("lejepaStep", options, optionValues, "invalid-option");
  const { encoder, projector, batch, optimizer = {} } = options;
  checkEncoder(encoder, "lejepaStep: encoder");
  checkProjector(projector, "lejepaStep: projector");
  if (projector.inputDim !== encoder.dim) {
    throw new LejepaError(
      "invalid-option",
      `lejepaStep: projector.inputDim should be ${encoder.dim}, the width of the encoder's embedding, got ${projector.inputDim}.`,
    );
  }
  const parts = { images: wholeNumber(1), groups: someGroups };
  requireOptions("lejepaStep, batch", batch, parts, "invalid-option");
  batch.groups.forEach((group, g) => {
    requireOptions(`lejepaStep, batch.groups[${g}]`, group, groupParts, "invalid-option");
  });
  requireOptions("lejepaStep, optimizer", optimizer, adamwValues, "invalid-option");
}

const isLength = wholeNumber(1).accepts;

const someGroups: Expected = {
  text: "a list of groups { views, size }, at least one",
  accepts: (value) => Array.isArray(value) && value.length > 0,
};

const groupParts = {
  views: wholeNumber(1),
  size: optional({
    text: "height and width in pixels",
    accepts: (value) =>
      Array.isArray(value) && value.length === 2 && [...(value as unknown[])].every(isLength),
  }),
};

const sizeOf = (shape: readonly number[]): number =>
  shape.reduce((product, length) => product * length, 1);

const trainedNumbers = (parameters: readonly ParameterSpec[]): number =>
  parameters.reduce((sum, { shape, buffer }) => sum + (buffer ? 0 : sizeOf(shape)), 0);

const inputName = (group: number): string => `images/${group}`;

/** The groups with their sizes and the names of their inputs. Throws "image-shape" for views that the encoder does not
 *  take. */
function sizedGroups(encoder: Encoder, { groups }: StepBatch) {
  const { name, imageSize } = encoder;
  return groups.map(({ views, size = [imageSize, imageSize] }, g) => {
    if (encoder.accepts(...size)) return { views, size, input: inputName(g) };
    throw new LejepaError(
      "image-shape",
      `lejepaStep: the views of group ${g} are ${size[0]} x ${size[1]} and ${name} takes ${imageSize} x ${imageSize}; give views of a size that it takes, or another encoder.`,
    );
  });
}

const withGlobalViews = (loss: LejepaLossOptions = {}, first: number): LejepaLossOptions =>
  loss.target === "global" && loss.globalViews === undefined
    ? { ...loss, globalViews: first }
    : loss;

function ownImages(size: number, share: BatchShare | undefined): number {
  if (share === undefined) return size;
  const { rank, samples } = share;
  const need = (name: string, value: unknown, expected: Expected): void =>
    requireArgument("lejepaStep", name, value, expected, "bad-share");
  need("share.samples", samples, someArray);
  const parts = Array.from(samples);
  for (const part of parts) need("a part of share.samples", part, wholeNumber(1));
  need("share.rank", rank, {
    text: "the number of one of the parts, counted from 0",
    accepts: (value) => wholeNumber(0).accepts(value) && (value as number) < parts.length,
  });
  if (parts.reduce((a, b) => a + b, 0) !== size) {
    throw new LejepaError(
      "bad-share",
      `lejepaStep: the parts ${parts.join(" + ")} should add up to the batch of ${size} images.`,
    );
  }
  return parts[rank]!;
}

interface Objective {
  readonly loss: tf.Tensor;
  readonly prediction: tf.Tensor;
  readonly sigreg: tf.Tensor;
  readonly updates: Tensors;
}

/** The objective and the gradient of its loss with respect to `tensors`.
 *  tfjs frees whatever the differentiated function makes besides its result, so the other values are kept, handed
 *  on as copies that belong to the caller's scope (sharing their data), and let go. */
function objectiveAndGradients(
  objective: (tensors: readonly tf.Tensor[]) => Objective,
  tensors: readonly tf.Tensor[],
): { value: Objective; gradients: readonly tf.Tensor[] } {
  // A copy, because a value may be one of the tensors passed in, which is not ours to keep or to free.
  const carry = (tensor: tf.Tensor): tf.Tensor => tf.keep(tensor.clone());
  let carried: Omit<Objective, "loss"> | undefined;
  const differentiate = tf.valueAndGrads((...args: tf.Tensor[]) => {
    const { loss, ...others } = objective(args);
    carried = {
      prediction: carry(others.prediction),
      sigreg: carry(others.sigreg),
      updates: mapTensors(others.updates, carry),
    };
    return loss as tf.Scalar;
  });
  const { value: loss, grads: gradients } = differentiate([...tensors]);
  const { prediction, sigreg, updates } = carried!;
  const handOn = (kept: tf.Tensor): tf.Tensor => {
    const copy = kept.clone();
    kept.dispose();
    return copy;
  };
  return {
    value: {
      loss,
      prediction: handOn(prediction),
      sigreg: handOn(sigreg),
      updates: mapTensors(updates, handOn),
    },
    gradients,
  };
}

function mapTensors(tensors: Tensors, change: (tensor: tf.Tensor) => tf.Tensor): Tensors {
  return Object.fromEntries(Object.entries(tensors).map(([name, t]) => [name, change(t)]));
}
