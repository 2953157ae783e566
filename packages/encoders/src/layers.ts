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
  patchEmbed,
  selfAttention,
  type Tensors,
} from "@lejepa/ops";
import type { Tensor, Tensor3D, Tensor4D } from "@tensorflow/tfjs-core";
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

/** One run of an encoder or projector: its parameters by name, and the running statistics gathered on the way. */
export class ForwardPass {
  /** New values of the buffers met so far; stays empty in "eval". */
  readonly updates: Record<string, Tensor> = {};
  readonly #owner: string;
  readonly #parameters: Tensors;
  readonly #mode: "train" | "eval";

  constructor(owner: string, parameters: Tensors, mode: "train" | "eval") {
    this.#owner = owner;
    this.#parameters = parameters;
    this.#mode = mode;
  }

  parameter(name: string): Tensor {
    const tensor = this.#parameters[name];
    if (tensor === undefined) {
      throw new LejepaError(
        "missing-parameter",
        `${this.#owner}: there is no parameter "${name}"; pass every tensor that init(seed) returns.`,
      );
    }
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
