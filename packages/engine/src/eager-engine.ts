import * as tf from "@tensorflow/tfjs-core";
import {
  exchangingBy,
  type Exchange,
  type HostTensor,
  type HostTensors,
  type Tensors,
} from "@lejepa/ops";
import { initialiseBackend, withBackend } from "./active-backend.js";
import { withCheckedCalls } from "./checked-calls.js";
import { registerRightKernels } from "./eager-kernels/right-kernels.js";
import { engineError } from "./engine-error.js";
import type { CompiledEntry, CompiledProgram, Engine, InputValue } from "./engine.js";
import { exchangeAtOnce, type ProcessGroup } from "./processes/process-group.js";
import { byName, engineOver, disposedError, shapesOf, type ResolvedEntry } from "./program.js";
import { callStep, stepFailure } from "./step-call.js";
import { checkState, readInputs } from "./step-values.js";

/** Runs each step operation by operation on a tfjs backend: the reference that the compiled engine is held to. */
export async function createEagerEngine(
  backend: string | undefined,
  processes?: ProcessGroup,
): Promise<Engine> {
  const name = await startBackend(backend);
  const exchange = processes && exchangeAtOnce(processes);
  return {
    name: "eager",
    description: `tfjs-core ${tf.version_core}, backend ${name}, operation by operation`,
    ...engineOver(
      (entries, state, onDispose) =>
        settle(() => new EagerProgram(name, exchange, entries, state, onDispose)),
      () => Promise.resolve(),
    ),
  };
}

/** Which of the two backends that this package can load by itself is installed; undefined if neither is. */
export async function installedBackend(): Promise<"wasm" | "cpu" | undefined> {
  for (const name of ["wasm", "cpu"] as const) if (await importBackend(name)) return name;
  return undefined;
}

async function importBackend(name: string): Promise<boolean> {
  try {
    if (name === "wasm") await import("@tensorflow/tfjs-backend-wasm");
    else if (name === "cpu") await import("@tensorflow/tfjs-backend-cpu");
  } catch {
    return false;
  }
  return tf.engine().registryFactory[name] !== undefined;
}

async function startBackend(asked: string | undefined): Promise<string> {
  const name = asked ?? (await installedBackend());
  if (name === undefined)
    throw engineError(
      "engine-unavailable",
      'The eager engine needs a tfjs backend; run "npm install @tensorflow/tfjs-backend-wasm".',
    );
  if (!(await importBackend(name)))
    throw engineError(
      "engine-unavailable",
      `The tfjs backend "${name}" is not registered; import its package before createEngine, or install @tensorflow/tfjs-backend-wasm.`,
    );
  if (!(await withoutCrashHandlers(() => initialiseBackend(name))))
    throw engineError("engine-unavailable", `The tfjs backend "${name}" could not be started.`);
  await registerRightKernels(name);
  return name;
}

/** tfjs's wasm module installs process-wide handlers that rethrow whatever is uncaught, and so print the module's
 *  source; they are taken off again, since a library has no say in that. */
async function withoutCrashHandlers<R>(start: () => Promise<R>): Promise<R> {
  if (typeof process === "undefined") return start();
  const events = ["uncaughtException", "unhandledRejection"] as const;
  const before = events.map((event) => process.listeners(event as "uncaughtException"));
  try {
    return await start();
  } finally {
    events.forEach((event, i) => {
      for (const listener of process.listeners(event as "uncaughtException"))
        if (!before[i]!.includes(listener)) process.removeListener(event, listener);
    });
  }
}

class EagerProgram<Name extends string> implements CompiledProgram<Name> {
  readonly entries: Readonly<Record<Name, CompiledEntry>>;
  readonly #declared: HostTensors;
  #state: Tensors | undefined;

  constructor(
    private readonly backend: string,
    private readonly exchange: Exchange | undefined,
    entries: readonly ResolvedEntry<Name>[],
    state: HostTensors,
    private readonly onDispose: () => void,
  ) {
    const start = performance.now();
    this.#state = withBackend(backend, () => makeState(state));
    this.#declared = shapesOf(state);
    const compileMilliseconds = performance.now() - start;
    this.entries = byName(
      entries.map((entry) => [
        entry.name,
        {
          nodes: 0,
          compileMilliseconds,
          run: (given) => settle(() => this.#run(entry, given)),
          explain: () => settle(refuseToExplain),
          retrace: () => settle(() => void this.#alive()),
        },
      ]),
    );
  }

  #run(entry: ResolvedEntry, given: Readonly<Record<string, InputValue>>): HostTensors {
    const state = this.#alive();
    const values = readInputs(entry.inputs, given);
    const advance = () => withCheckedCalls(() => this.#advance(entry, state, values));
    const { exchange } = this;
    try {
      return withBackend(this.backend, () =>
        exchange === undefined ? advance() : exchangingBy(exchange, advance),
      );
    } catch (error) {
      // Outside of the step itself: a backend may be late with what it refuses, until its results are read.
      throw stepFailure(error, "eager");
    }
  }

  #advance(
    { step, inputs }: ResolvedEntry,
    state: Tensors,
    values: readonly (Float32Array | Int32Array)[],
  ): HostTensors {
    // Not returned through tidy, which would look for tensors in every element of the arrays.
    let outputs: HostTensors = {};
    tf.tidy(() => {
      const tensors = Object.fromEntries(
        inputs.map(({ name, shape, dtype }, i) => [name, tf.tensor(values[i]!, [...shape], dtype)]),
      );
      // Copies share the data; what the step disposes of is its own, and the state outlives a step that fails.
      const given = Object.fromEntries(
        Object.entries(state).map(([name, tensor]) => [name, tensor.clone()]),
      );
      const result = callStep(step, { state: given, inputs: tensors }, this.#declared, "eager");
      outputs = Object.fromEntries(
        Object.entries(result.outputs).map(([name, tensor]) => [name, toHost(tensor)]),
      );
      // A clone shares the data, so one tensor may be returned under two names or passed straight through.
      const next = Object.fromEntries(
        Object.keys(this.#declared).map((name) => [name, tf.keep(result.state[name]!.clone())]),
      );
      tf.dispose(state);
      this.#state = next;
    });
    return outputs;
  }

  readState(): Promise<HostTensors> {
    return settle(() => {
      const state = this.#alive();
      return withBackend(this.backend, () =>
        Object.fromEntries(Object.entries(state).map(([name, tensor]) => [name, toHost(tensor)])),
      );
    });
  }

  writeState(state: HostTensors): Promise<void> {
    return settle(() => {
      const before = this.#alive();
      checkState(state, this.#declared);
      withBackend(this.backend, () => {
        tf.dispose(before);
        this.#state = makeState(state);
      });
    });
  }

  dispose(): Promise<void> {
    if (this.#state !== undefined) tf.dispose(this.#state);
    this.#state = undefined;
    this.onDispose();
    return Promise.resolve();
  }

  #alive(): Tensors {
    if (this.#state === undefined) throw disposedError();
    return this.#state;
  }
}

function refuseToExplain(): never {
  throw engineError(
    "no-graph",
    'explain: the eager engine compiles no graph; compile the step on the "onnx" engine.',
  );
}

/** The body's result as a promise, its exception as a rejection: the body itself runs at once and undisturbed,
 *  because the active backend is borrowed while it runs. */
const settle = <R>(body: () => R): Promise<R> => new Promise((resolve) => resolve(body()));

/** Copies: a tfjs backend may keep the very array it was given. */
const makeState = (state: HostTensors): Tensors =>
  Object.fromEntries(
    Object.entries(state).map(([name, { shape, data }]) => [
      name,
      tf.keep(tf.tensor(data.slice(), [...shape], "float32")),
    ]),
  );

const toHost = (tensor: tf.Tensor): HostTensor => ({
  shape: tensor.shape,
  data: new Float32Array(tensor.dataSync()),
});
