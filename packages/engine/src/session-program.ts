/** Programs whose entries are sessions of a host: what the compiled engines have in common. */
import type { HostTensors } from "@lejepa/ops";
import { capture, retrace, type Trace } from "./capture/capture.js";
import { engineError } from "./engine-error.js";
import type {
  CompiledEntry,
  CompiledProgram,
  Engine,
  ExplainOptions,
  Explanation,
  InputValue,
} from "./engine.js";
import { loweredParts, modelOf, type ModelMaker, type Part } from "./entry-parts.js";
import { explanation, placeholders, runsOf } from "./explain.js";
import { freeBuffer } from "./hosts/free-buffer.js";
import { sizeOf } from "./graph/graph.js";
import { packed, planPacks, unpacked, type Pack } from "./packed-state.js";
import { isCheckName } from "./passes/index-checks.js";
import { averageTogether } from "./processes/process-group.js";
import { median } from "./median.js";
import { byName, engineOver, disposedError, shapesOf, type ResolvedEntry } from "./program.js";
import { runtimeFailure, type Suspect } from "./runtime-failure.js";
import type { Feed, SessionHost } from "./session-host.js";
import { checkState, readInputs } from "./step-values.js";

/** `compile` and `dispose` of an engine that runs sessions. The host is started with the first step, so that an engine
 *  that runs nothing costs no thread. */
export function sessionEngine(
  maker: ModelMaker,
  startHost: () => SessionHost,
): Pick<Engine, "compile" | "dispose"> {
  let host: SessionHost | undefined;
  return engineOver(
    (entries, state, onDispose) =>
      compileProgram((host ??= startHost()), maker, entries, state, onDispose),
    async () => host?.end(),
  );
}

/** An entry whose models are open in the host. */
interface OpenEntry<Name extends string> extends ResolvedEntry<Name> {
  readonly parts: readonly (Pick<Part, "inputs" | "averages"> & { readonly session: number })[];
  readonly trace: Trace;
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
  const lowered = entries.map((entry, i) => {
    const start = performance.now();
    const { graph, trace } = capture(entry.step, state, entry.inputs, maker);
    const own = loweredParts(maker, entry, nameOf(i), state, graph);
    return { entry, own, captured: graph, trace, milliseconds: performance.now() - start };
  });
  const graphs = lowered.flatMap(({ own }) => own.map(({ graph }) => graph));
  const packs = maker.smallState === "packed" ? planPacks(graphs, Object.keys(state)) : [];
  const open: OpenEntry<Name>[] = [];
  const sessions: number[] = [];
  const made: Suspect[] = [];
  const { engine } = maker;
  try {
    for (const { entry, own, captured, trace, milliseconds } of lowered) {
      const start = performance.now();
      const parts: OpenEntry<Name>["parts"][number][] = [];
      let nodes = 0;
      for (const part of own) {
        const { graph, model, ports, inputs, averages } = modelOf(maker, part, state, packs);
        made.push({ name: part.name, step: entry.name, graph, captured });
        const session = await host.open(model, ports).catch((error: unknown) => {
          throw runtimeFailure(error, { engine, call: "compile", suspects: made.slice(-1) });
        });
        sessions.push(session);
        parts.push({ session, inputs, averages });
        nodes += graph.nodes.length;
      }
      const compileMilliseconds = milliseconds + performance.now() - start;
      open.push({ ...entry, parts, trace, nodes, compileMilliseconds });
    }
    const resident = await host
      .createState(packed(copyOf(state), packs), sessions)
      .catch((error: unknown) => {
        throw runtimeFailure(error, { engine, call: "compile", suspects: made });
      });
    return new SessionProgram(host, maker, open, shapesOf(state), packs, resident, onDispose);
  } catch (error) {
    for (const session of sessions) await host.close(session);
    throw error;
  }
}

/** What an entry is called within its program. */
const nameOf = (index: number): string => `entry${index}`;

/** The host takes the arrays over that it is given. */
const copyOf = (state: HostTensors): HostTensors =>
  Object.fromEntries(
    Object.entries(state).map(([name, { shape, data }]) => [name, { shape, data: data.slice() }]),
  );

function feedsOf({ inputs }: ResolvedEntry, given: Readonly<Record<string, InputValue>>): Feed[] {
  const values = readInputs(inputs, given);
  return inputs.map(({ name, shape }, i) => ({ name, shape, data: values[i]! }));
}

/** The outputs without those that {@link indexChecks} added. */
function withoutChecks(results: HostTensors): HostTensors {
  const names = Object.keys(results);
  if (!names.some(isCheckName)) return results;
  return Object.fromEntries(
    names.filter((name) => !isCheckName(name)).map((name) => [name, results[name]!]),
  );
}

class SessionProgram<Name extends string> implements CompiledProgram<Name> {
  readonly entries: Readonly<Record<Name, CompiledEntry>>;
  readonly #bundles = new Map<number, Float32Array>();
  #running: Promise<unknown> = Promise.resolve();
  #disposal: Promise<void> | undefined;

  constructor(
    private readonly host: SessionHost,
    private readonly maker: ModelMaker,
    private readonly open: readonly OpenEntry<Name>[],
    private readonly declared: HostTensors,
    private readonly packs: readonly Pack[],
    private readonly state: number,
    private readonly onDispose: () => void,
  ) {
    this.entries = byName(open.map((entry) => [entry.name, this.#entry(entry)] as const));
  }

  #entry(entry: OpenEntry<Name>): CompiledEntry {
    const { nodes, compileMilliseconds } = entry;
    return {
      nodes,
      compileMilliseconds,
      run: (given) => this.#inTurn(() => this.#run(entry, feedsOf(entry, given))),
      explain: (options = {}) => this.#inTurn(() => this.#explain(entry, options)),
      retrace: () => this.#inTurn(() => this.#retrace(entry)),
    };
  }

  /** The parts one after the other, with an exchange behind each but the last, which alone advances the state. */
  async #run(entry: OpenEntry<Name>, given: readonly Feed[]): Promise<HostTensors> {
    const feeds = new Map(given.map((feed) => [feed.name, feed]));
    let results: HostTensors = {};
    for (const { session, inputs, averages } of entry.parts) {
      const fed = inputs.map((name) => feeds.get(name)!);
      try {
        results = await this.host.run(session, this.state, fed);
      } catch (error) {
        throw this.#failure(error, entry, given);
      }
      if (averages.length === 0) continue;
      const own = averages.map((name) => results[name]!);
      const tensors = own.map(({ data }) => data);
      const means = await averageTogether(
        this.maker.processes!,
        tensors,
        this.#bundle(session, tensors),
      );
      if (this.maker.handingOn === "copies")
        for (const { buffer } of tensors) freeBuffer(buffer as ArrayBuffer);
      averages.forEach((name, i) =>
        feeds.set(name, { name, shape: own[i]!.shape, data: means[i]! }),
      );
    }
    return withoutChecks(results);
  }

  /** What the caller hears of a run that failed. The step is captured again to tell where: its graph is not kept. */
  #failure(error: unknown, entry: OpenEntry<Name>, feeds: readonly Feed[]): unknown {
    const { engine } = this.maker;
    const name = nameOf(this.open.indexOf(entry));
    const failing = { engine, call: "run", feeds } as const;
    try {
      const { graph: captured } = capture(entry.step, this.declared, entry.inputs, this.maker);
      const suspects = loweredParts(this.maker, entry, name, this.declared, captured).map(
        (part) => ({
          name: part.name,
          step: entry.name,
          graph: modelOf(this.maker, part, this.declared, this.packs).graph,
          captured,
        }),
      );
      return runtimeFailure(error, { ...failing, suspects });
    } catch {
      // The step is no longer what it was: the runtime's own words have to do.
      return runtimeFailure(error, { ...failing, suspects: [] });
    }
  }

  /** Where the means behind a session lie, the same array at every step: they are millions of numbers for a gradient. */
  #bundle(session: number, tensors: readonly Float32Array[]): Float32Array {
    const bundle =
      this.#bundles.get(session) ??
      new Float32Array(tensors.reduce((size, { length }) => size + length, 0));
    this.#bundles.set(session, bundle);
    return bundle;
  }

  #retrace({ trace, step, inputs }: OpenEntry<Name>): Promise<void> {
    retrace(trace, step, this.declared, inputs, this.maker);
    return Promise.resolve();
  }

  /** The step is captured again: its graph is not kept while nobody asks for it. */
  async #explain(entry: OpenEntry<Name>, options: ExplainOptions): Promise<Explanation> {
    const runs = runsOf(options);
    const feeds = feedsOf(entry, options.inputs ?? placeholders(entry.inputs));
    const name = nameOf(this.open.indexOf(entry));
    const { graph: captured } = capture(entry.step, this.declared, entry.inputs, this.maker);
    const lowered = loweredParts(this.maker, entry, name, this.declared, captured);
    const [part, ...others] = lowered.map((each) =>
      modelOf(this.maker, each, this.declared, this.packs),
    ) as [Part, ...Part[]];
    if (others.length > 0)
      throw engineError(
        "no-graph",
        `explain: this step exchanges values with other processes and so is ${others.length + 1} graphs; explain the step of one process.`,
      );
    const { graph, model } = part;
    const { parts, compileMilliseconds } = entry;
    const { session } = parts[0]!;
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
    return this.#inTurn(async () =>
      unpacked(await this.host.readState(this.state), this.packs, this.declared),
    );
  }

  writeState(state: HostTensors): Promise<void> {
    return this.#inTurn(() => {
      checkState(state, this.declared);
      return this.host.writeState(this.state, packed(state, this.packs));
    });
  }

  dispose(): Promise<void> {
    this.#disposal ??= this.#free();
    return this.#disposal;
  }

  async #free(): Promise<void> {
    await this.#running.catch(() => {});
    await this.host.freeState(this.state);
    for (const { parts } of this.open)
      for (const { session } of parts) await this.host.close(session);
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
