import type { Tensor } from "@tensorflow/tfjs-core";

/** A float32 array in host memory with its shape, row-major: what parameters, checkpoints and engines exchange.
 *  `data.length` is the product of `shape` (1 for the scalar shape `[]`). */
export interface HostTensor {
  /** Length of each axis, outermost first. */
  readonly shape: readonly number[];
  /** The elements, last axis fastest. */
  readonly data: Float32Array;
}

/** Host tensors by name, for example the parameters of an encoder by timm's dotted names. */
export type HostTensors = Readonly<Record<string, HostTensor>>;

/** tfjs tensors by name: parameters, optimiser state or inputs inside a step. */
export type Tensors = Readonly<Record<string, Tensor>>;
