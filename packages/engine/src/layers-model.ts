/** A `tf.LayersModel` as a pure function of its weights.
 *
 *  Its layers keep weights in variables, which a step has no business reading or writing. They do so through `read` and
 *  `write` of each weight, and while the function runs those lead to the state that it is given, and collect what
 *  training mode changes (moving averages of batch norm). */
import type { HostTensors, Tensors } from "@lejepa/ops";
import * as tf from "@tensorflow/tfjs-core";
import { withoutDraws } from "./capture/random-draws.js";
import { engineError } from "./engine-error.js";

/** One weight of a layer: what is used of tfjs-layers' `LayerVariable`. */
export interface LayersWeight {
  /** Unique among all models of the process. */
  readonly name: string;
  /** Its value. */
  read(): tf.Tensor;
  /** Sets its value. */
  write(value: tf.Tensor): unknown;
}

/** What is used of a layer: of tfjs-layers' `Layer`, and of `LayersModel` where it is a layer of another. */
export interface LayerLike {
  /** Unique within a model. */
  readonly name: string;
  /** The name of its class. */
  getClassName(): string;
  /** Runs it. */
  call(inputs: tf.Tensor | tf.Tensor[], options: object): tf.Tensor | tf.Tensor[];
}

/** What is used of a `tf.LayersModel`. */
export interface LayersModelLike {
  /** Those that it is made of, in order. */
  readonly layers: readonly LayerLike[];
  /** The weights of every layer. */
  readonly weights: readonly LayersWeight[];
  /** Those that tfjs-layers' `fit` trains: of no layer, and no model within, whose `trainable` is false. */
  readonly trainableWeights: readonly LayersWeight[];
  /** Runs the layers. */
  apply(inputs: tf.Tensor | tf.Tensor[], options: { training: boolean }): unknown;
}

/** Layers behave in two ways: "train" takes batch statistics, in frozen layers too, and refuses dropout and noise; "eval"
 *  does neither. */
export type LayersMode = "train" | "eval";

/** A model that takes its weights as an argument. */
export interface PureModel {
  /** The values that the weights have now, by name: state for `compile`. */
  readonly weights: HostTensors;
  /** The names of the weights that are trained, in the order of the model's `trainableWeights` as they are now: layers
   *  are frozen before. */
  readonly trainable: readonly string[];
  /** Runs the model on `state[name]` in place of each weight. `updates` are the weights that the layers themselves
   *  change, in mode "train": they belong into the next state. As in tfjs-layers, and unlike in later versions of Keras,
   *  a frozen batch norm still takes the statistics of the batch and moves its averages.
   *  @throws LejepaError "random-draw" where a layer draws random numbers, in mode "train" */
  apply(
    state: Tensors,
    inputs: tf.Tensor | tf.Tensor[],
    mode: LayersMode,
  ): { readonly outputs: readonly tf.Tensor[]; readonly updates: Tensors };
  /** `loss` of the model's outputs, a scalar, in mode "train", with its gradient for each trained weight. Regularizers of
   *  layers are not added to it.
   *  @throws LejepaError "random-draw" as `apply` */
  lossAndGradients(
    state: Tensors,
    inputs: tf.Tensor | tf.Tensor[],
    loss: (...outputs: tf.Tensor[]) => tf.Tensor,
  ): { readonly loss: tf.Tensor; readonly gradients: Tensors; readonly updates: Tensors };
}

/** The pure function that a `tf.LayersModel` computes, for use inside of a step. The model itself stays as it is; to
 *  give it trained values back, call its `setWeights` with those of `readState`. */
export function pureModel(model: LayersModelLike): PureModel {
  // A layer that a model shares with a model within it is listed twice.
  const trainable = [...new Set(model.trainableWeights.map(({ name }) => name))];
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
      () =>
        mode === "train"
          ? withoutRandomLayers(model.layers, () => model.apply(inputs, { training: true }))
          : model.apply(inputs, { training: false }),
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
      if (trainable.length === 0) {
        const { outputs, updates } = apply(state, inputs, "train");
        return { loss: loss(...outputs), gradients: {}, updates };
      }
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

/** Layers of a model, and of the models within it. */
const allLayers = (layers: readonly LayerLike[]): LayerLike[] =>
  layers.flatMap((layer) => {
    const within = (layer as Partial<Pick<LayersModelLike, "layers">>).layers;
    return within === undefined ? [layer] : allLayers(within);
  });

/** Refuses a layer of the model that draws random numbers while `body` runs. With a seed it draws the same ones each
 *  time, on whatever backend. */
function withoutRandomLayers<R>(layers: readonly LayerLike[], body: () => R): R {
  const running: LayerLike[] = [];
  const redirected = new Set(allLayers(layers));
  try {
    for (const layer of redirected) {
      const call = layer.call.bind(layer);
      layer.call = (inputs, options) => {
        running.push(layer);
        try {
          return call(inputs, options);
        } finally {
          running.pop();
        }
      };
    }
    return withoutDraws((draw) => {
      const layer = running.at(-1);
      const which =
        layer === undefined ? "The model" : `The layer "${layer.name}" (${layer.getClassName()})`;
      throw engineError(
        "random-draw",
        `${which} draws random numbers by ${draw} in mode "train", which a compiled step would freeze, with a seed or without; build the model without it, or with a rate of 0, and multiply by a mask that is an input of the model (tf.layers.multiply) and drawn for each step.`,
      );
    }, body);
  } finally {
    // The methods of their classes show again.
    for (const layer of redirected) Reflect.deleteProperty(layer, "call");
  }
}

const mapTensors = (tensors: Tensors, change: (tensor: tf.Tensor) => tf.Tensor): Tensors =>
  Object.fromEntries(Object.entries(tensors).map(([name, tensor]) => [name, change(tensor)]));
