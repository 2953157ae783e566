import type { HostTensors, Tensors } from "@lejepa/ops";
import type { Tensor2D, Tensor3D, Tensor4D } from "@tensorflow/tfjs-core";

/** How the axes of a parameter lie, in memory and in PyTorch's files; `toTorch` and `fromTorch` turn one into the other.
 *  - "linear": weight of a linear layer, [in, out] and torch [out, in];
 *  - "conv": kernel of a convolution, [height, width, in / groups, out] and torch [out, in / groups, height, width];
 *  - "as-is": the same in both, whatever it is. */
export type ParameterLayout = "linear" | "conv" | "as-is";

/** One named tensor of an encoder or projector. */
export interface ParameterSpec {
  /** timm's `state_dict` name, for example "blocks.0.attn.qkv.weight". */
  readonly name: string;
  /** Shape in memory: see `layout`. */
  readonly shape: readonly number[];
  /** How its axes lie. */
  readonly layout: ParameterLayout;
  /** Whether weight decay applies: to the weights of products, not to biases, norms and tables of positions. */
  readonly decay: boolean;
  /** Whether it is a buffer, such as running statistics: it receives no gradient and no decay, but updates. */
  readonly buffer: boolean;
}

/** How a model is run: "train" normalises by the batch and returns updated running statistics; "eval" uses the running
 *  ones. */
export interface ApplyOptions {
  /** Which statistics batch normalisation uses. */
  readonly mode: "train" | "eval";
  /** Random numbers by name, uniform in [0, 1), of the shapes that the encoder's `draws` says; others are not read, and in
   *  "eval" none is. They come from outside, so that a captured step stays a pure function of its inputs. */
  readonly draws?: Tensors;
  /** Names of intermediate results to hand out as well, of those that the encoder lists. Default: none. */
  readonly features?: readonly string[];
}

/** What an encoder makes of images. */
export interface Encoded {
  /** One vector for each image: [N, D]. */
  readonly embedding: Tensor2D;
  /** All tokens after the last norm, class token first where there is one: [N, L, D]. Transformers only. */
  readonly tokens?: Tensor3D;
  /** The intermediate results that were asked for, by name: maps [N, H', W', C'], or tokens [N, L, D] with the class token
   *  first. */
  readonly features?: Tensors;
  /** New values of the buffers, by name; empty in "eval". No gradient flows through them. */
  readonly updates: Tensors;
}

/** A backbone as pure functions of its parameters: it holds no state and mutates nothing. */
export interface Encoder {
  /** The name it was created by. */
  readonly name: string;
  /** Height and width of the images that it is made for, in pixels. */
  readonly imageSize: number;
  /** Channels of the images it takes. */
  readonly channels: number;
  /** D, the width of the embedding. */
  readonly dim: number;
  /** Whether it takes images of this height and width: those of `imageSize`, and others where its layers can. */
  accepts(height: number, width: number): boolean;
  /** Every parameter and buffer, in the order of timm's `state_dict`. */
  readonly parameters: readonly ParameterSpec[];
  /** The intermediate results that `apply` can hand out, first to last: "layer1", "blocks.0". */
  readonly features: readonly string[];
  /** The random numbers that `apply` takes for N images in "train", as inputs of a step: uniform in [0, 1), new ones at
   *  each step. None where nothing is drawn. */
  draws(images: number): Readonly<Record<string, { readonly shape: readonly number[] }>>;
  /** Initial values of all of them, a function of the seed and each name alone. */
  init(seed: number): HostTensors;
  /** Embeds images [N, H, W, C] of a size that it accepts. Differentiable in every parameter that is no buffer; runs on
   *  any tfjs backend and inside a captured step.
   *
   *  In "train" batch normalisation takes the statistics of the images of this call. A batch of groups of views, which
   *  may differ in size, is one call for each group, and the updates of group g feed group g + 1: pass
   *  `{ ...parameters, ...updates }` on, so that running statistics are updated once a group, in order.
   *  @throws LejepaError "missing-parameter", "missing-draws", "bad-shape" and "unknown-feature" */
  apply(parameters: Tensors, images: Tensor4D, options: ApplyOptions): Encoded;
}
