import {
  type HostTensors,
  optional,
  requireOptions,
  requireShape,
  requireTensors,
  type Tensors,
  wholeNumber,
} from "@lejepa/ops";
import * as tf from "@tensorflow/tfjs-core";
import { defineModel } from "./define-model.js";
import type { ApplyOptions, ParameterSpec } from "./encoder.js";
import { requireSizes, sizeList } from "./image-options.js";
import { torchDefault } from "./initial-value.js";
import { batchNorm } from "./layers/batch-norm.js";
import { type Child, named, operation } from "./layers/layer.js";
import { linear } from "./layers/linear.js";
import { sequence } from "./layers/sequence.js";

/** The head between embedding and loss, dropped after training: pure functions of its parameters. */
export interface Projector {
  /** Width of the embeddings it takes. */
  readonly inputDim: number;
  /** Width of the projections it makes. */
  readonly outputDim: number;
  /** Every parameter and buffer; their names start with "projector.". */
  readonly parameters: readonly ParameterSpec[];
  /** Initial values of all of them, a function of the seed and each name alone. */
  init(seed: number): HostTensors;
  /** Projects embeddings [N, inputDim]. Differentiable in every parameter that is no buffer.
   *  Throws LejepaError "missing-parameter" and "bad-shape". */
  apply(parameters: Tensors, embeddings: tf.Tensor2D, options: ApplyOptions): Projected;
}

/** What a projector makes of embeddings. */
export interface Projected {
  /** [N, outputDim] */
  readonly projection: tf.Tensor2D;
  /** New values of the buffers, by name; empty in "eval". */
  readonly updates: Tensors;
}

/** Widths of a projector. */
export interface ProjectorOptions {
  /** Width of the embeddings. */
  readonly inputDim: number;
  /** Widths of the hidden layers. Default [256]. */
  readonly hidden?: readonly number[];
  /** Width of the projections. Default 16. */
  readonly outputDim?: number;
}

/** Multilayer perceptron: linear, batch norm, ReLU for each hidden width, then linear; no biases.
 *  Parameters are numbered as in a torch.nn.Sequential: with one hidden layer projector.0 (linear), projector.1
 *  (batch norm), projector.3 (linear). Initial values: PyTorch's defaults, uniform within 1 / sqrt(fan in).
 *  Throws LejepaError "bad-encoder-option". */
export function projector(options: ProjectorOptions): Projector {
  const expected = {
    inputDim: wholeNumber(1),
    hidden: optional(sizeList(0)),
    outputDim: optional(wholeNumber(1)),
  };
  requireOptions("projector", options, expected, "bad-encoder-option");
  const { inputDim, hidden = [256], outputDim = 16 } = options;
  requireSizes("projector", "hidden", hidden);
  const widths = [inputDim, ...hidden, outputDim];
  const product = (i: number): Child => {
    const [inputs, outputs] = [widths[i] as number, widths[i + 1] as number];
    return [`${3 * i}`, linear(inputs, outputs, { weight: torchDefault(inputs) })];
  };
  const network = sequence(
    ...hidden.flatMap((width, i): Child[] => [
      product(i),
      [`${3 * i + 1}`, batchNorm(width)],
      operation(tf.relu),
    ]),
    product(hidden.length),
  );
  const { parameters, init, run } = defineModel("projector", named("projector", network));
  return {
    inputDim,
    outputDim,
    parameters,
    init,
    apply: (parameters, embeddings, options) => {
      requireTensors("projector", { embeddings });
      requireShape("projector", "embeddings", embeddings.shape, [-1, inputDim]);
      const { result, updates } = run(parameters, embeddings, options);
      return { projection: result as tf.Tensor2D, updates };
    },
  };
}
