/** A `tf.LayersModel` as a pure function of its weights.
 *
 *  Its layers keep weights in variables, which a step has no business reading or writing. They do so through `read` and
 *  `write` of each weight, and while the function runs those lead to the state that it is given, and collect what
 *  training mode changes (moving averages of batch norm). */
import type { HostTensors, Tensors } from "@lejepa/ops";
import * as tf from "@tensorflow/tfjs-core";

/** One weight of a layer: what is used of tfjs-layers' `LayerVariable`. */
export interface LayersWeight {
  /** Unique among all models of the process. */
  readonly name: string;
  /** Whether the optimiser changes it. */
  readonly trainable: boolean;
  /** Its value. */
  read(): tf.Tensor;
  /** Sets its value. */
  write(value: tf.Tensor): unknown;
}

/** What is used of a `tf.LayersModel`. */
export interface LayersModelLike {
  /** The weights of every layer. */
  readonly weights: readonly LayersWeight[];
  /** Runs the layers. */
  apply(inputs: tf.Tensor | tf.Tensor[], options: { training: boolean }): unknown;
}

/** Layers behave in two ways: "train" takes batch statistics and draws dropout, which a step refuses; "eval" does
 *  neither. */
export type LayersMode = "train" | "eval";

/** A model that takes its weights as an argument. */
export interface PureModel {
  /** The values that the weights have now, by name: state for `compile`. */
  readonly weights: HostTensors;
  /** The names of the weights that are trained. */
  readonly trainable: readonly string[];
  /** Runs the model on `state[name]` in place of each weight. `updates` are the weights that the layers themselves
   *  change, in mode "train": they belong into the next state. */
  apply(
    state: Tensors,
    inputs: tf.Tensor | tf.Tensor[],
    mode: LayersMode,
  ): { readonly outputs: readonly tf.Tensor[]; readonly updates: Tensors };
  /** `loss` of the model's outputs, a scalar, in mode "train", with its gradient for each trained weight. */
  lossAndGradients(
    state: Tensors,
    inputs: tf.Tensor | tf.Tensor[],
    loss: (...outputs: tf.Tensor[]) => tf.Tensor,
  ): { readonly loss: tf.Tensor; readonly gradients: Tensors; readonly updates: Tensors };
}

/** The pure function that a `tf.LayersModel` computes, for use inside of a step. The model itself stays as it is; to
 *  give it trained values back, call its `setWeights` with those of `readState`. */
export function pureModel(model: LayersModelLike): PureModel {
  const trainable = model.weights.filter((weight) => weight.trainable).map(({ name }) => name);
  const apply = (
    state: Tensors,
    inputs: tf.Tensor | tf.Tensor[],
    mode: LayersMode,
  ): { outputs: tf.Tensor[]; updates: Tensors } => {
    // Layers tidy up after themselves, so what they write is kept, handed on as a copy, and let go.
    const kept = new Map<string, tf.Tensor>();
    const values = (name: string): tf.Tensor => kept.get(name) ?? state[name]!;
    const result = withWeights(
      model.weights,
      values,
      (name, value) => {
        kept.get(name)?.dispose();
        kept.set(name, tf.keep(value.clone()));
      },
      () => model.apply(inputs, { training: mode === "train" }),
    );
    const updates = Object.fromEntries(
      Array.from(kept, ([name, value]) => {
        const copy = value.clone();
        value.dispose();
        return [name, copy];
      }),
    );
    return { outputs: [result as tf.Tensor | tf.Tensor[]].flat(), updates };
  };
  return {
    weights: Object.fromEntries(
      model.weights.map((weight) => {
        const value = weight.read();
        return [
          weight.name,
          { shape: value.shape, data: Float32Array.from(value.dataSync<"float32">()) },
        ];
      }),
    ),
    trainable,
    apply,
    lossAndGradients(state, inputs, loss) {
      let carried: Tensors = {};
      const { value, grads } = tf.valueAndGrads((...weights: tf.Tensor[]) => {
        const given = Object.fromEntries(trainable.map((name, i) => [name, weights[i]!]));
        const { outputs, updates } = apply({ ...state, ...given }, inputs, "train");
        // tfjs frees what the differentiated function makes besides its result.
        carried = mapTensors(updates, (update) => tf.keep(update));
        return loss(...outputs) as tf.Scalar;
      })(trainable.map((name) => state[name]!));
      const updates = mapTensors(carried, (update) => {
        const copy = update.clone();
        update.dispose();
        return copy;
      });
      const gradients = Object.fromEntries(trainable.map((name, i) => [name, grads[i]!]));
      return { loss: value, gradients, updates };
    },
  };
}

function withWeights<R>(
  weights: readonly LayersWeight[],
  read: (name: string) => tf.Tensor,
  write: (name: string, value: tf.Tensor) => void,
  body: () => R,
): R {
  const redirected: LayersWeight[] = [];
  try {
    for (const weight of weights) {
      redirected.push(weight);
      Object.defineProperties(weight, {
        read: { configurable: true, value: () => read(weight.name) },
        write: {
          configurable: true,
          value: (value: tf.Tensor) => {
            write(weight.name, value);
            return weight;
          },
        },
      });
    }
    return body();
  } finally {
    // The methods of its class show again.
    for (const weight of redirected) {
      Reflect.deleteProperty(weight, "read");
      Reflect.deleteProperty(weight, "write");
    }
  }
}

const mapTensors = (tensors: Tensors, change: (tensor: tf.Tensor) => tf.Tensor): Tensors =>
  Object.fromEntries(Object.entries(tensors).map(([name, tensor]) => [name, change(tensor)]));
