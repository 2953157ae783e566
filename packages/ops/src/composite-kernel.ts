/** Composite kernels: an operation of several tfjs-core operations that an engine sees as one kernel.
 *
 *  A kernel is defined once, with a name, a forward pass composed of tfjs-core operations and a closed-form gradient.
 *  Calling it runs `tf.engine().runKernel(name, ..)`. A backend that registers a kernel of that name for itself runs
 *  its own; for every other backend the composition is registered at the first call. tfjs keeps what runs inside a
 *  kernel off the tape, so the registered gradient counts either way. */
import * as tf from "@tensorflow/tfjs-core";

/** One composite kernel: `Inputs` its operands by name (optional ones may be left out), `Outputs` the names of its
 *  results, `Attributes` the numbers and words it takes besides. */
interface CompositeKernel<Inputs, Outputs extends string, Attributes> {
  /** The name under which backends register it; starts with "Lejepa", so that tfjs-core never takes it. */
  readonly kernelName: string;
  /** What it computes, in the order in which a backend returns it. */
  readonly outputs: readonly Outputs[];
  /** How many of the outputs the caller receives; the ones behind exist for the gradient only. Default 1. */
  readonly results?: number;
  /** The composition. Intermediate tensors are tidied away. */
  readonly forward: (
    inputs: Inputs,
    attributes: Attributes,
  ) => Readonly<Record<NoInfer<Outputs>, tf.Tensor>>;
  /** Left out for kernels that are not differentiated, such as gradients of others. */
  readonly gradient?: {
    /** Inputs and outputs that the rule reads; an optional input cannot be among them. */
    readonly saves: readonly (NameOf<Inputs> | NoInfer<Outputs>)[];
    /** Gradients of the inputs as thunks, of which tfjs runs those that it needs, each tidied. What the rule computes
     *  outside of them is shared, and lives until the backward pass ends. A thunk that passes a tensor on returns a
     *  clone, as tfjs may dispose what it accumulates. dy of an output that the loss does not need is all zeros. */
    readonly rule: (
      dy: Readonly<Record<Outputs, tf.Tensor>>,
      saved: Readonly<Record<NameOf<Inputs> | Outputs, tf.Tensor>>,
      attributes: Attributes,
    ) => Readonly<Record<NameOf<Inputs>, () => tf.Tensor>>;
  };
}

/** The composite kernels that are running, outermost first: their compositions and their gradients. */
const running: string[] = [];

/** The outermost composite kernel whose composition or gradient calls at this moment; undefined outside of all. It tells
 *  an engine that captures a step what a tfjs-core operation is a part of. */
export const runningComposite = (): string | undefined => running[0];

function within<R>(kernelName: string, body: () => R): R {
  running.push(kernelName);
  try {
    return body();
  } finally {
    running.pop();
  }
}

type NameOf<Inputs> = keyof Inputs & string;

/** Registers the gradient of a composite kernel and returns the function that runs it. That function hands out the
 *  first `results` outputs; the others are disposed at once, and only the tape keeps what the gradient reads. */
export function compositeKernel<
  Inputs extends { readonly [Name in keyof Inputs]?: tf.Tensor | undefined },
  Outputs extends string,
  Attributes extends object,
>(
  definition: CompositeKernel<Inputs, Outputs, Attributes>,
): (inputs: Inputs, attributes: Attributes) => tf.Tensor[] {
  const { kernelName, outputs, results = 1, gradient } = definition;
  if (gradient !== undefined) {
    registerGradient(definition, gradient);
  }
  return (inputs, attributes) => {
    composeForActiveBackend(definition);
    // tfjs takes no undefined operands.
    const operands = Object.fromEntries(
      Object.entries(inputs).filter(([, tensor]) => tensor !== undefined),
    ) as tf.NamedTensorMap;
    const values = tf
      .engine()
      .runKernel<tf.Tensor | tf.Tensor[]>(kernelName, operands, attributes as tf.NamedAttrMap);
    const all = outputs.length === 1 ? [values as tf.Tensor] : (values as tf.Tensor[]);
    tf.dispose(all.slice(results));
    return all.slice(0, results);
  };
}

/** Whether the active backend runs the kernel as one operation of its own, not as its composition. */
export const isNative = (kernelName: string): boolean => {
  const backendName = tf.getBackend();
  return (
    tf.getKernel(kernelName, backendName) != null && !composed.has(`${backendName}/${kernelName}`)
  );
};

/** Compositions registered so far. */
const composed = new Set<string>();

/** Registers the composition for the active backend, unless that has a kernel of the name. */
function composeForActiveBackend<Inputs, Outputs extends string, Attributes>({
  kernelName,
  outputs,
  forward,
}: CompositeKernel<Inputs, Outputs, Attributes>): void {
  const backendName = tf.getBackend();
  if (tf.getKernel(kernelName, backendName) != null) {
    return;
  }
  composed.add(`${backendName}/${kernelName}`);
  tf.registerKernel({
    kernelName,
    backendName,
    kernelFunc: ({ inputs, attrs }) => {
      const values = within(kernelName, () =>
        tf.tidy(() => {
          const named = forward(inputs as Inputs, attrs as Attributes);
          return outputs.map((name) => named[name]);
        }),
      );
      return outputs.length === 1 ? (values[0] as tf.Tensor) : values;
    },
  });
}

function registerGradient<Inputs, Outputs extends string, Attributes>(
  { kernelName, outputs }: CompositeKernel<Inputs, Outputs, Attributes>,
  { saves, rule }: NonNullable<CompositeKernel<Inputs, Outputs, Attributes>["gradient"]>,
): void {
  const isOutput = (name: string): name is Outputs => (outputs as readonly string[]).includes(name);
  const savedInputs = saves.filter((name) => !isOutput(name));
  const savedOutputs = outputs.filter((name) => (saves as readonly string[]).includes(name));
  tf.registerGradient({
    kernelName,
    inputsToSave: savedInputs,
    outputsToSave: outputs.map((name) => savedOutputs.includes(name)),
    gradFunc: (dy, saved, attributes) => {
      // tfjs passes the saved inputs first, then the saved outputs, and a list for dy where there are several outputs.
      const names = [...savedInputs, ...savedOutputs];
      const dys = Array.isArray(dy) ? dy : [dy];
      const thunks = within(kernelName, () =>
        rule(byName(outputs, dys), byName(names, saved), attributes as Attributes),
      );
      return Object.fromEntries(
        Object.entries<() => tf.Tensor>(thunks).map(([name, thunk]) => [
          name,
          () => within(kernelName, thunk),
        ]),
      );
    },
  });
}

const byName = <Name extends string>(names: readonly Name[], tensors: readonly tf.Tensor[]) =>
  Object.fromEntries(names.map((name, i) => [name, tensors[i]])) as Record<Name, tf.Tensor>;
