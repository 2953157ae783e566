import { adamw as updateByAdamw } from "@lejepa/ops";
import type * as tf from "@tensorflow/tfjs-core";

/** AdamW, one tensor at a time.
 *    m <- b1 m + (1 - b1) g,   v <- b2 v + (1 - b2) g^2
 *    p <- (1 - lr wd) p - lr (m / c1) / (sqrt(v / c2) + eps),   c1 = 1 - b1^t,  c2 = 1 - b2^t
 *  t counts steps from 1. The decay acts on the parameter, not on the gradient ("decoupled").
 *  Source: Loshchilov and Hutter, arXiv 1711.05101, algorithm 2; the same arithmetic as torch.optim.AdamW. */
export interface AdamwOptions {
  /** Decay rate of the mean of the gradients, b1; 0.9 when left out. */
  readonly beta1?: number;
  /** Decay rate of the mean of their squares, b2; 0.999 when left out. */
  readonly beta2?: number;
  /** Added to the root of the second moment; 1e-8 when left out. */
  readonly epsilon?: number;
  /** wd, on the parameters that say `decay` only; 0.05 when left out. */
  readonly weightDecay?: number;
}

/** What changes from step to step, scalars: a compiled step takes them as inputs. */
export interface AdamwSchedule {
  /** lr */
  readonly learningRate: tf.Tensor;
  /** c1 */
  readonly correction1: tf.Tensor;
  /** c2 */
  readonly correction2: tf.Tensor;
}

/** A parameter and its two moments, all of one shape. */
export interface AdamwSlot {
  /** p */
  readonly parameter: tf.Tensor;
  /** m */
  readonly mean: tf.Tensor;
  /** v */
  readonly square: tf.Tensor;
}

/** A slot before its update. */
export interface AdamwUpdate extends AdamwSlot {
  /** g */
  readonly gradient: tf.Tensor;
  /** Whether `weightDecay` applies to this parameter. */
  readonly decay: "decay" | "no-decay";
}

/** The options with their defaults filled in. */
export function adamwDefaults({
  beta1 = 0.9,
  beta2 = 0.999,
  epsilon = 1e-8,
  weightDecay = 0.05,
}: AdamwOptions = {}): Required<AdamwOptions> {
  return { beta1, beta2, epsilon, weightDecay };
}

/** c1 and c2 of step `step`, counted from 0. */
export function adamwCorrections(
  { beta1, beta2 }: Required<AdamwOptions>,
  step: number,
): { correction1: number; correction2: number } {
  return { correction1: 1 - beta1 ** (step + 1), correction2: 1 - beta2 ** (step + 1) };
}

/** Updates every slot once; the slots come back in the order given. */
export function adamw(
  updates: readonly AdamwUpdate[],
  schedule: AdamwSchedule,
  { weightDecay, ...constants }: Required<AdamwOptions>,
): AdamwSlot[] {
  return updates.map(({ decay, ...slot }) =>
    updateByAdamw(
      { ...slot, ...schedule },
      { ...constants, weightDecay: decay === "decay" ? weightDecay : 0 },
    ),
  );
}
