/** Programs whose entries are sessions of a host: what the compiled engines have in common. */
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
import type { LoweringTarget } from "./lower.js";
import { median } from "./profile.js";
import { byName, compileWith, disposedError, shapesOf, type ResolvedEntry } from "./program.js";
import type { Feed, ModelPorts, SessionHost } from "./session-host.js";
import { checkState, readInputs } from "./step-values.js";

/** How an engine makes a model of a captured step. */
export interface ModelMaker extends LoweringTarget {
  /** The graph that runs. */
  readonly lower: (captured: Graph) => Graph;
  /** What the host opens. `state` and `inputs` name everything that was declared, in order. */
  readonly encode: (
    graph: Graph,
    ports: ModelPorts,
    state: readonly string[],
    inputs: readonly string[],
  ) => Uint8Array;
}

/** `compile` and `dispose` of an engine that runs sessions. The host is started with the first step, so that an engine
 *  that runs nothing costs no thread. */
export function sessionEngine(
  maker: ModelMaker,
  startHost: () => SessionHost,
): Pick<Engine, "compile" | "dispose"> {
  let host: SessionHost | undefined;
  const programs = new Set<SessionProgram<string>>();
  return {
    compile: compileWith(async (entries, state) => {
      host ??= startHost();
      const program = await compileProgram(host, maker, entries, state, () =>
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
  maker: ModelMaker,
  entries: readonly ResolvedEntry<Name>[],
  state: HostTensors,
  onDispose: () => void,
): Promise<SessionProgram<Name>> {
  const open: OpenEntry<Name>[] = [];
  try {
    for (const entry of entries) {
      const start = performance.now();
      const { graph, model, ports } = modelOf(maker, entry, open.length, state);
      const session = await host.open(model, ports);
      const compileMilliseconds = performance.now() - start;
      open.push({ ...entry, session, nodes: graph.nodes.length, compileMilliseconds });
    }
  } catch (error) {
    for (const { session } of open) await host.close(session);
    throw error;
  }
  const sessions = open.map(({ session }) => session);
  const resident = await host.createState(copyOf(state), sessions);
  return new SessionProgram(host, maker, open, shapesOf(state), resident, onDispose);
}

/** The model of one entry without the state that it leaves alone, so that such state is neither fed nor copied. */
function modelOf(
  maker: ModelMaker,
  { name, step, inputs }: ResolvedEntry,
  index: number,
  state: HostTensors,
): { graph: Graph; model: Uint8Array; ports: ModelPorts } {
  const whole = maker.lower(capture(step, state, inputs, maker));
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
  const graph = { ...whole, inputs: whole.inputs.filter((each) => fed.has(each.name)), outputs };
  const ports = {
    entry: `entry${index}`,
    reads,
    writes,
    outputs: outputs.flatMap((each) =>
      port.isOutput(each.name) ? [port.outputName(each.name)] : [],
    ),
  };
  const names = inputs.map((each) => each.name);
  return { graph, model: maker.encode(graph, ports, Object.keys(state), names), ports };
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

class SessionProgram<Name extends string> implements CompiledProgram<Name> {
  readonly entries: Readonly<Record<Name, CompiledEntry>>;
  #running: Promise<unknown> = Promise.resolve();
  #disposal: Promise<void> | undefined;

  constructor(
    private readonly host: SessionHost,
    private readonly maker: ModelMaker,
    private readonly open: readonly OpenEntry<Name>[],
    private readonly declared: HostTensors,
    private readonly state: number,
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
    const { graph, model } = modelOf(this.maker, entry, this.open.indexOf(entry), this.declared);
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
