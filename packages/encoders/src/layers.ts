/** The layers that the encoders share, each in two halves under one name: its parameters as a plan, and its
 *  application inside a forward pass. */
import {
  type Activation,
  batchNorm,
  type BatchNormParameters,
  type BatchStatistics,
  convBlock,
  type ConvBlockOptions,
  LejepaError,
  linear,
  mlp,
  oneOf,
  patchEmbed,
  requireArgument,
  requireOptions,
  requireShape,
  requireTensors,
  selfAttention,
  someObject,
  type Tensors,
} from "@lejepa/ops";
import type { Tensor, Tensor3D, Tensor4D } from "@tensorflow/tfjs-core";
import type { ApplyOptions } from "./encoder.js";
import { constant, type InitialValue, type ParameterPlan } from "./initial-value.js";

/** Kernel of a convolution without bias. */
export function convolutionPlan(
  name: string,
  shape: readonly [number, number, number, number],
  initial: InitialValue,
): ParameterPlan[] {
  return [{ name: `${name}.weight`, shape, role: "matrix", initial }];
}

/** Weight [in, out] of a linear layer, and its bias where its initial value is given. */
export function linearPlan(
  name: string,
  inputs: number,
  outputs: number,
  initial: { weight: InitialValue; bias?: InitialValue },
): ParameterPlan[] {
  const weight: ParameterPlan = {
    name: `${name}.weight`,
    shape: [inputs, outputs],
    role: "matrix",
    initial: initial.weight,
  };
  return initial.bias === undefined
    ? [weight]
    : [weight, { name: `${name}.bias`, shape: [outputs], role: "bias", initial: initial.bias }];
}

/** Scale 1 and shift 0 of a layer norm. */
export function layerNormPlan(name: string, dim: number): ParameterPlan[] {
  return [
    { name: `${name}.weight`, shape: [dim], role: "norm", initial: constant(1) },
    { name: `${name}.bias`, shape: [dim], role: "norm", initial: constant(0) },
  ];
}

/** Scale (1, unless a residual branch is to start at zero), shift 0, running mean 0 and variance 1. */
export function batchNormPlan(name: string, channels: number, scale = 1): ParameterPlan[] {
  const shape = [channels];
  return [
    { name: `${name}.weight`, shape, role: "norm", initial: constant(scale) },
    { name: `${name}.bias`, shape, role: "norm", initial: constant(0) },
    { name: `${name}.running_mean`, shape, role: "buffer", initial: constant(0) },
    { name: `${name}.running_var`, shape, role: "buffer", initial: constant(1) },
  ];
}

/** The shape of every parameter by its name. */
export const shapesOf = (plans: readonly ParameterPlan[]): ReadonlyMap<string, readonly number[]> =>
  new Map(plans.map(({ name, shape }) => [name, shape]));

/** One run of an encoder or projector: its parameters by name, and the running statistics gathered on the way. */
export class ForwardPass {
  /** New values of the buffers met so far; stays empty in "eval". */
  readonly updates: Record<string, Tensor> = {};
  readonly #owner: string;
  readonly #shapes: ReadonlyMap<string, readonly number[]>;
  readonly #parameters: Tensors;
  readonly #mode: "train" | "eval";

  /** @param shapes Of every parameter: see `shapesOf`. */
  constructor(
    owner: string,
    shapes: ReadonlyMap<string, readonly number[]>,
    parameters: Tensors,
    options: ApplyOptions,
  ) {
    requireArgument(owner, "parameters", parameters, someObject);
    requireOptions(owner, options, { mode: oneOf(["train", "eval"]) });
    this.#owner = owner;
    this.#shapes = shapes;
    this.#parameters = parameters;
    this.#mode = options.mode;
  }

  parameter(name: string): Tensor {
    const tensor = this.#parameters[name];
    if (tensor === undefined) {
      throw new LejepaError(
        "missing-parameter",
        `${this.#owner}: there is no parameter "${name}"; pass every tensor that init(seed) returns.`,
      );
    }
    requireTensors(this.#owner, { [name]: tensor });
    // Asked here, since one of another shape may have as many elements, or broadcast.
    requireShape(this.#owner, name, tensor.shape, this.#shapes.get(name)!);
    return tensor;
  }

  linear(name: string, x: Tensor, bias: "bias" | "no-bias"): Tensor {
    return linear(
      x,
      this.parameter(`${name}.weight`),
      bias === "bias" ? this.parameter(`${name}.bias`) : undefined,
    );
  }

  /** Patches of images as tokens, [L, N, D]. */
  patchEmbed(name: string, images: Tensor4D): Tensor3D {
    const { weight, bias } = this.#affine(name);
    return patchEmbed(images, weight, bias, "LND");
  }

  /** Norm `norm` and multi-head self-attention `name` of tokens [L, N, D]. */
  selfAttention(name: string, norm: string, x: Tensor, heads: number, epsilon: number): Tensor {
    return selfAttention(x, this.#affine(`${name}.qkv`), heads, {
      norm: { ...this.#affine(norm), epsilon },
      output: this.#affine(`${name}.proj`),
      layout: "LND",
    });
  }

  /** Norm `norm` and perceptron `name` of tokens. */
  mlp(name: string, norm: string, x: Tensor, activation: Activation, epsilon: number): Tensor {
    const parameters = {
      norm: { ...this.#affine(norm), epsilon },
      fc1: this.#affine(`${name}.fc1`),
      fc2: this.#affine(`${name}.fc2`),
    };
    return mlp(x, parameters, activation);
  }

  #affine(name: string): { readonly weight: Tensor; readonly bias: Tensor } {
    return { weight: this.parameter(`${name}.weight`), bias: this.parameter(`${name}.bias`) };
  }

  batchNorm<T extends Tensor>(name: string, x: T): T {
    const { weight, bias, running } = this.#normParameters(name);
    const { y, updates } = batchNorm(x, weight, bias, running, { mode: this.#mode });
    this.#keep(name, updates);
    return y as T;
  }

  /** Convolution `name` and batch norm `norm`, and what comes behind them. */
  convBlock(
    name: string,
    norm: string,
    x: Tensor4D,
    options: Omit<ConvBlockOptions, "mode">,
  ): Tensor4D {
    const kernel = this.parameter(`${name}.weight`) as Tensor4D;
    const mode = this.#mode;
    const { y, updates } = convBlock(x, kernel, this.#normParameters(norm), { ...options, mode });
    this.#keep(norm, updates);
    return y;
  }

  #normParameters(name: string): BatchNormParameters {
    return {
      ...this.#affine(name),
      running: {
        mean: this.parameter(`${name}.running_mean`),
        variance: this.parameter(`${name}.running_var`),
      },
    };
  }

  #keep(name: string, { mean, variance }: BatchStatistics): void {
    if (this.#mode === "train") {
      this.updates[`${name}.running_mean`] = mean;
      this.updates[`${name}.running_var`] = variance;
    }
  }
}
