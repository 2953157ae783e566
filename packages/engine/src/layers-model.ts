/** A `tf.LayersModel` as a pure function of its weights.
 *
 *  Its layers keep weights in variables, which a step has no business reading or writing. They do so through `read` and
 *  `write` of each weight, and while the function runs those lead to the state that it is given, and collect what
 *  training mode changes (moving averages of batch norm). */
import {
  type Expected,
  type HostTensors,
  LejepaError,
  oneOf,
  requireArgument,
  requireShape,
  requireTensors,
  someArray,
  someFunction,
  someObject,
  type Tensors,
} from "@lejepa/ops";
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
  /** Its inputs, where it tells how many it takes. */
  readonly inputs?: readonly unknown[];
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
   *  @throws LejepaError "random-draw" where a layer draws random numbers, in mode "train"; "missing-parameter" for a
   *  weight that the state lacks; "bad-shape" for one of another shape; "bad-argument" for what is no state, no tensor or
   *  no mode; "model-failed" where the layers do not take these inputs, with their own error as the `cause` */
  apply(
    state: Tensors,
    inputs: tf.Tensor | tf.Tensor[],
    mode: LayersMode,
  ): { readonly outputs: readonly tf.Tensor[]; readonly updates: Tensors };
  /** `loss` of the model's outputs, a scalar, in mode "train", with its gradient for each trained weight. Regularizers of
   *  layers are not added to it.
   *  @throws LejepaError as `apply`, and "bad-argument" for a loss that is no function or returns no scalar */
  lossAndGradients(
    state: Tensors,
    inputs: tf.Tensor | tf.Tensor[],
    loss: (...outputs: tf.Tensor[]) => tf.Tensor,
  ): { readonly loss: tf.Tensor; readonly gradients: Tensors; readonly updates: Tensors };
}

/** The pure function that a `tf.LayersModel` computes, for use inside of a step. The model itself stays as it is; to
 *  give it trained values back, call its `setWeights` with those of `readState`.
 *  @throws LejepaError "bad-argument" for what is no such model */
export function pureModel(model: LayersModelLike): PureModel {
  requireModel(model);
  const weights: HostTensors = Object.fromEntries(
    model.weights.map((weight) => {
      const value = weight.read();
      return [
        weight.name,
        { shape: value.shape, data: Float32Array.from(value.dataSync<"float32">()) },
      ];
    }),
  );
  // A layer that a model shares with a model within it is listed twice.
  const trainable = [...new Set(model.trainableWeights.map(({ name }) => name))];
  const apply = (
    state: Tensors,
    inputs: tf.Tensor | tf.Tensor[],
    mode: LayersMode,
  ): { outputs: tf.Tensor[]; updates: Tensors } => {
    requireState(state, weights);
    const given: unknown[] = [inputs].flat();
    requireTensors(
      "pureModel",
      Object.fromEntries(
        given.map((input, i) => [given.length > 1 ? `inputs[${i}]` : "inputs", input]),
      ),
    );
    requireCount(given.length, model.inputs?.length);
    requireArgument("pureModel", "mode", mode, oneOf(["train", "eval"]));
    // Layers tidy up after themselves, so what they write is kept, handed on as a copy, and let go.
    const kept = new Map<string, tf.Tensor>();
    const values = (name: string): tf.Tensor => kept.get(name) ?? state[name]!;
    try {
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
        Array.from(kept, ([name, value]) => [name, value.clone()]),
      );
      return { outputs: [result as tf.Tensor | tf.Tensor[]].flat(), updates };
    } catch (error) {
      throw modelFailure(error, given as tf.Tensor[]);
    } finally {
      tf.dispose([...kept.values()]);
    }
  };
  return {
    weights,
    trainable,
    apply,
    lossAndGradients(state, inputs, loss) {
      requireArgument("pureModel", "loss", loss, someFunction);
      const scalarLoss = (outputs: readonly tf.Tensor[]): tf.Scalar => {
        const value = loss(...outputs);
        requireTensors("pureModel", { "what the loss returns": value });
        requireShape("pureModel", "what the loss returns", value.shape, []);
        return value as tf.Scalar;
      };
      if (trainable.length === 0) {
        const { outputs, updates } = apply(state, inputs, "train");
        return { loss: scalarLoss(outputs), gradients: {}, updates };
      }
      requireState(state, weights);
      let carried: Tensors = {};
      try {
        const { value, grads } = tf.valueAndGrads((...trained: tf.Tensor[]) => {
          const given = Object.fromEntries(trainable.map((name, i) => [name, trained[i]!]));
          const { outputs, updates } = apply({ ...state, ...given }, inputs, "train");
          // tfjs frees what the differentiated function makes besides its result.
          carried = mapTensors(updates, (update) => tf.keep(update));
          return scalarLoss(outputs);
        })(trainable.map((name) => state[name]!));
        const updates = mapTensors(carried, (update) => update.clone());
        const gradients = Object.fromEntries(trainable.map((name, i) => [name, grads[i]!]));
        return { loss: value, gradients, updates };
      } finally {
        tf.dispose(carried);
      }
    },
  };
}

function requireModel(model: LayersModelLike): void {
  const fix = "pass a tf.LayersModel, such as tf.model or tf.sequential makes";
  const need = (name: string, value: unknown, expected: Expected): void =>
    requireArgument("pureModel", name, value, expected, "bad-argument", fix);
  need("model", model, someObject);
  need("model.apply", (model as { readonly apply: unknown }).apply, someFunction);
  need("model.layers", model.layers, someArray);
  for (const name of ["weights", "trainableWeights"] as const) {
    need(`model.${name}`, model[name], someArray);
    model[name].forEach((weight, i) => {
      need(`model.${name}[${i}]`, weight, readable);
    });
  }
}

const readable: Expected = {
  text: "a variable of tfjs-layers",
  accepts: (value) =>
    typeof (value as Partial<Record<keyof LayersWeight, unknown>> | null | undefined)?.read ===
    "function",
};

/** tfjs-layers ignores an input too many. */
function requireCount(given: number, taken: number | undefined): void {
  if (taken === undefined || given === taken) return;
  throw new LejepaError(
    "bad-argument",
    `pureModel: the model takes ${taken} ${taken === 1 ? "input" : "inputs"}, got ${given}; pass one tensor for each, in a list if there are several.`,
  );
}

/** Throws unless a state has a tensor for every weight, each of its shape. */
function requireState(state: Tensors, weights: HostTensors): void {
  requireArgument("pureModel", "state", state, someObject, "bad-argument", "pass that of the step");
  const names = Object.keys(weights);
  const missing = names.filter((name) => (state as Partial<Tensors>)[name] === undefined);
  if (missing.length > 0)
    throw new LejepaError(
      "missing-parameter",
      `pureModel: the state lacks "${missing[0]}" and so ${missing.length} of the model's ${names.length} weights; compile the step for the \`weights\` of this model.`,
    );
  for (const name of names) {
    const what = `the weight "${name}" in the state`;
    requireTensors("pureModel", { [what]: state[name] });
    requireShape("pureModel", what, state[name]!.shape, weights[name]!.shape);
  }
}

/** What tfjs-layers throws where it is given other inputs than its layers take; errors with a code as they are. */
function modelFailure(cause: unknown, inputs: readonly tf.Tensor[]): unknown {
  if ((cause as Error | null | undefined)?.name === "LejepaError") return cause;
  const shapes = inputs.map(({ shape }) => `[${shape.join(", ")}]`).join(" and ") || "none";
  return new LejepaError(
    "model-failed",
    `pureModel: the model fails on inputs of shape ${shapes} with "${oneLine(cause)}"; pass it what its input layers take.`,
    { cause },
  );
}

const oneLine = (cause: unknown): string =>
  (cause instanceof Error ? cause.message : String(cause))
    .replace(/\s+/g, " ")
    .slice(0, 300)
    .replace(/[.!]$/, "");

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
