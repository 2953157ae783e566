import * as tf from "@tensorflow/tfjs-core";

/** A value and the rule that turns the gradient with respect to it into those with respect to the inputs. */
interface ValueAndRule {
  readonly value: tf.Tensor;
  /** One gradient for each input, in order and of its shape. `saved` are the tensors that were handed to `save`. */
  readonly gradient: (dy: tf.Tensor, saved: readonly tf.Tensor[]) => tf.Tensor[];
}

/** Runs `rule` as one differentiable operation over `inputs`: tf.customGrad with the inputs closed over and the
 *  backward pass tidied. Whatever the gradient reads must go through `save`: other tensors of the forward pass are
 *  disposed before it runs. A gradient that passes dy on returns a clone, as tfjs may dispose what it accumulates. */
export function withGradient(
  inputs: tf.Tensor[],
  rule: (save: (tensors: tf.Tensor[]) => void) => ValueAndRule,
): tf.Tensor {
  return tf.customGrad((...parts) => {
    const save = parts[parts.length - 1] as (tensors: tf.Tensor[]) => void;
    const { value, gradient } = rule(save);
    return {
      value,
      gradFunc: (dy: tf.Tensor, saved: tf.Tensor[]) => tf.tidy(() => gradient(dy, saved)),
    };
  })(...inputs);
}
