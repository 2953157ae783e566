import type { TensorAdapter } from "@lejepa/tensor";
import { lejepaLoss, sigreg, type LejepaLossOptions, type SigregOptions } from "@lejepa/sigreg";

/** What a process is to compute: either objective with its options. */
export type Objective =
  | { readonly of: "loss"; readonly options: LejepaLossOptions }
  | { readonly of: "sigreg"; readonly options: SigregOptions };

/** A tensor as threads hand it on. */
export interface Plain {
  readonly shape: readonly number[];
  readonly data: ArrayLike<number>;
}

/** Input images x [V, N, P], weights w [P, D] of the model z = x · w, directions [D, M]. */
export interface Batch {
  readonly images: Plain;
  readonly weights: Plain;
  readonly directions: Plain;
}

/** Value of an objective, and its gradients with respect to the weights and to the images. */
export interface Computed {
  readonly value: number;
  readonly ofWeights: ArrayLike<number>;
  readonly ofImages: ArrayLike<number>;
}

/** Value and gradients of an objective of the model on a batch. */
export function compute<T>(k: TensorAdapter<T>, batch: Batch, objective: Objective): Computed {
  const [images, weights, directions] = [batch.images, batch.weights, batch.directions].map((x) =>
    k.fromArray(x.data, x.shape),
  ) as [T, T, T];
  const { value, grads } = k.valueAndGrad(
    (x, w) => {
      const z = k.matMul(x, w);
      return objective.of === "loss"
        ? lejepaLoss(k, z, directions, objective.options).loss
        : sigreg(k, z, directions, objective.options);
    },
    [images, weights],
  );
  const [ofImages, ofWeights] = grads.map((grad) => k.readSync(grad));
  return { value: k.readSync(value)[0]!, ofImages: ofImages!, ofWeights: ofWeights! };
}
