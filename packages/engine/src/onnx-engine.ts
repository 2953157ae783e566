import { availableParallelism } from "node:os";
import type { HostTensors } from "@lejepa/ops";
import type { InferenceSession, Tensor } from "onnxruntime-node";
import { capture, port } from "./capture/capture.js";
import { engineError } from "./engine-error.js";
import type { CompiledStep, Engine, InputValue, Step, StepSpec } from "./engine.js";
import type { Graph } from "./graph/graph.js";
import { loweringTable } from "./kernels/table.js";
import { encode } from "./onnx/encode.js";
import { compileGraph } from "./passes/run-passes.js";
import {
  checkState,
  readInputs,
  resolveInputs,
  sizeOf,
  type ResolvedInput,
} from "./step-values.js";

/** Options of the onnx engine. */
export interface OnnxOptions {
  /** Threads that one operation may use, a whole number of at least 1. Left out: every core of this process. */
  readonly threads?: number;
}

/** onnxruntime-node and its version. */
export async function loadOnnxRuntime() {
  try {
    const { InferenceSession, Tensor, env } = await import("onnxruntime-node");
    return { InferenceSession, Tensor, version: env.versions.node ?? "of unknown version" };
  } catch (cause) {
    throw engineError(
      "engine-unavailable",
      `onnxruntime-node does not load here (${(cause as Error).message.split("\n")[0]}); run "ONNXRUNTIME_NODE_INSTALL=skip npm install onnxruntime-node".`,
      { cause },
    );
  }
}

type Runtime = Awaited<ReturnType<typeof loadOnnxRuntime>>;

/** Compiles each step to one ONNX graph and runs it on onnxruntime's CPU provider. */
export async function createOnnxEngine({ threads }: OnnxOptions): Promise<Engine> {
  if (threads !== undefined && !(Number.isInteger(threads) && threads >= 1))
    throw engineError(
      "bad-option",
      `threads should be a whole number of at least 1, got ${threads}.`,
    );
  const count = threads ?? availableParallelism();
  const runtime = await loadOnnxRuntime();
  const steps = new Set<OnnxStep>();
  return {
    name: "onnx",
    description: `onnxruntime-node ${runtime.version}, CPU, ${count} thread${count === 1 ? "" : "s"}`,
    compile: async (step, spec) => {
      const compiled = await compileStep(runtime, count, step, spec, () => steps.delete(compiled));
      steps.add(compiled);
      return compiled;
    },
    dispose: async () => {
      for (const step of steps) await step.dispose();
    },
  };
}

async function compileStep(
  runtime: Runtime,
  threads: number,
  step: Step,
  spec: StepSpec,
  onDispose: () => void,
): Promise<OnnxStep> {
  const start = performance.now();
  const inputs = resolveInputs(spec.inputs);
  checkState(spec.state, spec.state);
  const graph = compileGraph(capture(step, spec.state, inputs, loweringTable), loweringTable);
  const changing = withoutUnchanged(graph);
  if (changing.outputs.length === 0)
    throw engineError(
      "bad-step",
      "The step computes nothing: it returns its state unchanged and no outputs.",
    );
  const session = await openSession(runtime, changing, threads);
  const nodes = graph.nodes.length;
  const compileMilliseconds = (): number => performance.now() - start;
  return new OnnxStep(
    runtime,
    session,
    graph,
    inputs,
    spec.state,
    onDispose,
    nodes,
    compileMilliseconds(),
  );
}

/** State that the step returns as it came in is never copied: both buffer sets share it. */
const withoutUnchanged = (graph: Graph): Graph => {
  const unchanged = new Set(unchangedState(graph).map(port.nextState));
  return { ...graph, outputs: graph.outputs.filter(({ name }) => !unchanged.has(name)) };
};

const stateNames = ({ inputs }: Graph): string[] =>
  inputs.flatMap(({ name }) => (name.startsWith("state/") ? [name.slice("state/".length)] : []));

function unchangedState(graph: Graph): string[] {
  const find = (ports: Graph["inputs"], name: string) =>
    ports.find((candidate) => candidate.name === name)?.value;
  return stateNames(graph).filter(
    (name) => find(graph.inputs, port.state(name)) === find(graph.outputs, port.nextState(name)),
  );
}

/** Measured on the ViT reference step: without the memory arena 148 ms instead of 105, one thread 173, the parallel
 *  executor 186. */
function openSession(
  { InferenceSession }: Runtime,
  graph: Graph,
  threads: number,
): Promise<InferenceSession> {
  return InferenceSession.create(encode(graph), {
    executionProviders: ["cpu"],
    graphOptimizationLevel: "all",
    executionMode: "sequential",
    enableCpuMemArena: true,
    enableMemPattern: true,
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    // Errors only: the warnings are about shapes of optimised-away nodes.
    logSeverityLevel: 3,
  });
}

/** onnxruntime-node reads arrays in place, but takes none over shared memory: those alone are copied. */
const unshared = <A extends Float32Array | Int32Array>(data: A): A =>
  data.buffer instanceof SharedArrayBuffer ? (data.slice() as A) : data;

type Buffers = Readonly<Record<string, Tensor>>;

class OnnxStep implements CompiledStep {
  readonly #unchanged: ReadonlySet<string>;
  readonly #outputs: Graph["outputs"];
  /** The set that holds the state, and the one that the next run writes. */
  #current: Buffers;
  #spare: Buffers;
  #running: Promise<unknown> = Promise.resolve();
  #disposed = false;

  constructor(
    private readonly runtime: Runtime,
    private readonly session: InferenceSession,
    graph: Graph,
    private readonly inputs: readonly ResolvedInput[],
    private readonly declared: HostTensors,
    private readonly onDispose: () => void,
    readonly nodes: number,
    readonly compileMilliseconds: number,
  ) {
    this.#unchanged = new Set(unchangedState(graph));
    this.#outputs = graph.outputs.filter(({ name }) => name.startsWith("output/"));
    this.#current = this.#buffers(({ data }) => data.slice());
    this.#spare = this.#buffers(({ data }, name) =>
      this.#unchanged.has(name)
        ? (this.#current[name]!.data as Float32Array)
        : new Float32Array(data.length),
    );
  }

  #buffers(fill: (tensor: HostTensors[string], name: string) => Float32Array): Buffers {
    return Object.fromEntries(
      Object.entries(this.declared).map(([name, tensor]) => [
        name,
        new this.runtime.Tensor("float32", fill(tensor, name), tensor.shape),
      ]),
    );
  }

  run(given: Readonly<Record<string, InputValue>>): Promise<HostTensors> {
    return this.#inTurn(async () => {
      const feeds: Record<string, Tensor> = {};
      for (const [name, tensor] of Object.entries(this.#current)) feeds[port.state(name)] = tensor;
      const values = readInputs(this.inputs, given);
      this.inputs.forEach(({ name, shape, dtype }, i) => {
        const data = unshared(values[i]!);
        const tensor =
          dtype === "int32"
            ? new this.runtime.Tensor("int32", data as Int32Array, shape)
            : new this.runtime.Tensor("float32", data as Float32Array, shape);
        feeds[port.input(name)] = tensor;
      });
      // The next state goes into the spare set; outputs go into arrays that become the caller's.
      const fetches: Record<string, Tensor> = {};
      for (const [name, tensor] of Object.entries(this.#spare))
        if (!this.#unchanged.has(name)) fetches[port.nextState(name)] = tensor;
      const outputs = this.#outputs.map(({ name, value: { shape } }) => {
        const data = new Float32Array(sizeOf(shape));
        fetches[name] = new this.runtime.Tensor("float32", data, shape);
        return [name.slice("output/".length), { shape, data }] as const;
      });
      await this.session.run(feeds, fetches);
      [this.#current, this.#spare] = [this.#spare, this.#current];
      return Object.fromEntries(outputs);
    });
  }

  readState(): Promise<HostTensors> {
    return this.#inTurn(() =>
      Object.fromEntries(
        Object.entries(this.declared).map(([name, { shape }]) => [
          name,
          { shape, data: (this.#current[name]!.data as Float32Array).slice() },
        ]),
      ),
    );
  }

  writeState(state: HostTensors): Promise<void> {
    return this.#inTurn(() => {
      checkState(state, this.declared);
      for (const [name, { data }] of Object.entries(state))
        (this.#current[name]!.data as Float32Array).set(data);
    });
  }

  async dispose(): Promise<void> {
    if (this.#disposed) return;
    this.#disposed = true;
    await this.#running.catch(() => {});
    this.#current = this.#spare = {};
    await this.session.release();
    this.onDispose();
  }

  /** One thing at a time, in the order asked for. */
  #inTurn<R>(body: () => R | Promise<R>): Promise<R> {
    const turn = this.#running
      .catch(() => {})
      .then(() => {
        if (this.#disposed)
          throw engineError("disposed", "This compiled step was disposed; compile it again.");
        return body();
      });
    this.#running = turn;
    return turn;
  }
}
