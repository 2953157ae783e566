import { availableParallelism } from "node:os";
import type { HostTensors } from "@lejepa/ops";
import { capture } from "./capture/capture.js";
import { port } from "./capture/port.js";
import { engineError } from "./engine-error.js";
import type {
  CompiledEntry,
  CompiledProgram,
  Engine,
  ExplainOptions,
  Explanation,
  InputValue,
} from "./engine.js";
import { explanation, placeholders, runsOf } from "./explain.js";
import { sizeOf, type Graph } from "./graph/graph.js";
import { loweringTable } from "./kernels/table.js";
import { blockSizeFor, type ConvolutionMethod } from "./onnx/block-size.js";
import { encode } from "./onnx/encode.js";
import { compileGraph } from "./passes/run-passes.js";
import { median } from "./profile.js";
import { byName, compileWith, disposedError, shapesOf, type ResolvedEntry } from "./program.js";
import { LocalSessionHost, type Feed, type ModelPorts, type SessionHost } from "./session-host.js";
import { startWorkerSessionHost } from "./worker-session-host.js";
import { checkState, readInputs } from "./step-values.js";

/** Options of the onnx engine. */
export interface OnnxOptions {
  /** Threads that one operation may use, a whole number of at least 1. Left out: every core of this process. */
  readonly threads?: number;
  /** How convolutions and pooling are computed: "blocked" in onnxruntime's own layout of channels in blocks, "gathered"
   *  by standard operators and products of matrices, or "auto" (default): blocked where this onnxruntime and processor
   *  have it. Convolutions of very few channels are gathered in any case. The results agree up to rounding. */
  readonly convolution?: ConvolutionMethod;
  /** Whether onnxruntime keeps the memory of intermediate values from run to run; true when left out. Without it every
   *  run asks the system for each of them. */
  readonly memoryArena?: boolean;
  /** Where onnxruntime computes; "worker" when left out.
   *  - "worker": in a thread of its own, so that the event loop goes on during a step: timers, signals, a server.
   *  - "main": in the thread that calls, which then does nothing else. */
  readonly thread?: "worker" | "main";
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

/** Compiles each step to one ONNX graph and runs it on onnxruntime's CPU provider. */
export async function createOnnxEngine({
  threads,
  convolution = "auto",
  memoryArena = true,
  thread = "worker",
}: OnnxOptions): Promise<Engine> {
  if (threads !== undefined && !(Number.isInteger(threads) && threads >= 1))
    throw engineError(
      "bad-option",
      `threads should be a whole number of at least 1, got ${threads}.`,
    );
  if (typeof memoryArena !== "boolean")
    throw engineError(
      "bad-option",
      `memoryArena should be true or false, got ${String(memoryArena)}.`,
    );
  if (thread !== "worker" && thread !== "main")
    throw engineError(
      "bad-option",
      `thread should be "worker" or "main", got "${String(thread)}".`,
    );
  const count = threads ?? availableParallelism();
  const runtime = await loadOnnxRuntime();
  const blockSize = await blockSizeFor(convolution, runtime);
  const settings = { threads: count, memoryArena };
  const startHost = (): SessionHost =>
    thread === "worker"
      ? startWorkerSessionHost(settings)
      : new LocalSessionHost(runtime, settings);
  // Started with the first step, so that an engine that runs nothing costs no thread.
  let host: SessionHost | undefined;
  const programs = new Set<OnnxProgram<string>>();
  return {
    name: "onnx",
    description: `onnxruntime-node ${runtime.version}, CPU, ${count} thread${count === 1 ? "" : "s"}`,
    compile: compileWith(async (entries, state) => {
      host ??= startHost();
      const program = await compileProgram(host, entries, state, blockSize, () =>
        programs.delete(program),
      );
      programs.add(program);
      return program;
    }),
    dispose: async () => {
      for (const program of programs) await program.dispose();
      const ending = host;
      host = undefined;
      await ending?.end();
    },
  };
}

/** An entry whose graph is open in the host. */
interface OpenEntry<Name extends string> extends ResolvedEntry<Name> {
  readonly session: number;
  readonly nodes: number;
  readonly compileMilliseconds: number;
}

async function compileProgram<Name extends string>(
  host: SessionHost,
  entries: readonly ResolvedEntry<Name>[],
  state: HostTensors,
  blockSize: number | undefined,
  onDispose: () => void,
): Promise<OnnxProgram<Name>> {
  const open: OpenEntry<Name>[] = [];
  try {
    for (const entry of entries) {
      const start = performance.now();
      const { graph, ports } = graphOf(entry, state, blockSize);
      const session = await host.open(encode(graph), ports);
      const compileMilliseconds = performance.now() - start;
      open.push({ ...entry, session, nodes: graph.nodes.length, compileMilliseconds });
    }
  } catch (error) {
    for (const { session } of open) await host.close(session);
    throw error;
  }
  const resident = await host.createState(copyOf(state));
  return new OnnxProgram(host, open, shapesOf(state), resident, blockSize, onDispose);
}

/** The graph of one entry without the state that it leaves alone, so that such state is neither fed nor copied. */
function graphOf(
  { name, step, inputs }: ResolvedEntry,
  state: HostTensors,
  blockSize: number | undefined,
): { graph: Graph; ports: ModelPorts } {
  const whole = compileGraph(capture(step, state, inputs, loweringTable), loweringTable, blockSize);
  const valueOf = (ports: Graph["inputs"], wanted: string) =>
    ports.find((candidate) => candidate.name === wanted)!.value;
  const writes = Object.keys(state).filter(
    (key) => valueOf(whole.inputs, port.state(key)) !== valueOf(whole.outputs, port.nextState(key)),
  );
  const made = new Set(writes.map(port.nextState));
  const outputs = whole.outputs.filter((each) => made.has(each.name) || port.isOutput(each.name));
  if (outputs.length === 0)
    throw engineError(
      "bad-step",
      `The ${name === "step" ? "step" : `step "${name}"`} computes nothing: it returns its state unchanged and no outputs.`,
    );
  const used = new Set([
    ...whole.nodes.flatMap((node) => node.inputs),
    ...outputs.map(({ value }) => value),
  ]);
  const reads = Object.keys(state).filter((key) =>
    used.has(valueOf(whole.inputs, port.state(key))),
  );
  const fed = new Set([...reads.map(port.state), ...inputs.map((each) => port.input(each.name))]);
  return {
    graph: { ...whole, inputs: whole.inputs.filter((each) => fed.has(each.name)), outputs },
    ports: {
      reads,
      writes,
      outputs: outputs.flatMap((each) =>
        port.isOutput(each.name) ? [port.outputName(each.name)] : [],
      ),
    },
  };
}

/** The host takes the arrays over that it is given. */
const copyOf = (state: HostTensors): HostTensors =>
  Object.fromEntries(
    Object.entries(state).map(([name, { shape, data }]) => [name, { shape, data: data.slice() }]),
  );

function feedsOf({ inputs }: ResolvedEntry, given: Readonly<Record<string, InputValue>>): Feed[] {
  const values = readInputs(inputs, given);
  return inputs.map(({ name, shape }, i) => ({ name, shape, data: values[i]! }));
}

class OnnxProgram<Name extends string> implements CompiledProgram<Name> {
  readonly entries: Readonly<Record<Name, CompiledEntry>>;
  #running: Promise<unknown> = Promise.resolve();
  #disposal: Promise<void> | undefined;

  constructor(
    private readonly host: SessionHost,
    private readonly open: readonly OpenEntry<Name>[],
    private readonly declared: HostTensors,
    private readonly state: number,
    private readonly blockSize: number | undefined,
    private readonly onDispose: () => void,
  ) {
    this.entries = byName(open.map((entry) => [entry.name, this.#entry(entry)] as const));
  }

  #entry(entry: OpenEntry<Name>): CompiledEntry {
    const { nodes, compileMilliseconds, session } = entry;
    return {
      nodes,
      compileMilliseconds,
      run: (given) => this.#inTurn(() => this.host.run(session, this.state, feedsOf(entry, given))),
      explain: (options = {}) => this.#inTurn(() => this.#explain(entry, options)),
    };
  }

  /** The step is captured again: its graph is not kept while nobody asks for it. */
  async #explain(entry: OpenEntry<Name>, options: ExplainOptions): Promise<Explanation> {
    const runs = runsOf(options);
    const feeds = feedsOf(entry, options.inputs ?? placeholders(entry.inputs));
    const { graph } = graphOf(entry, this.declared, this.blockSize);
    const model = encode(graph);
    const { session, compileMilliseconds } = entry;
    const measured = await this.host.profile(session, this.state, model, feeds, runs);
    const stateBytes = Object.values(this.declared).reduce(
      (sum, { shape }) => sum + sizeOf(shape) * Float32Array.BYTES_PER_ELEMENT,
      0,
    );
    const milliseconds = median(measured.milliseconds);
    return explanation(graph, model, measured.profile, {
      milliseconds,
      compileMilliseconds,
      runs,
      stateBytes,
      feeds,
    });
  }

  readState(): Promise<HostTensors> {
    return this.#inTurn(() => this.host.readState(this.state));
  }

  writeState(state: HostTensors): Promise<void> {
    return this.#inTurn(() => {
      checkState(state, this.declared);
      return this.host.writeState(this.state, state);
    });
  }

  dispose(): Promise<void> {
    this.#disposal ??= this.#free();
    return this.#disposal;
  }

  async #free(): Promise<void> {
    await this.#running.catch(() => {});
    await this.host.freeState(this.state);
    for (const { session } of this.open) await this.host.close(session);
    this.onDispose();
  }

  /** One thing at a time, in the order asked for. */
  #inTurn<R>(body: () => Promise<R>): Promise<R> {
    const turn = this.#running
      .catch(() => {})
      .then(() => {
        if (this.#disposal !== undefined) throw disposedError();
        return body();
      });
    this.#running = turn;
    return turn;
  }
}
