/** Owner of onnxruntime sessions, of onnxruntime-node or of onnxruntime-web: nothing of Node is imported here. */
import type { HostTensors } from "@lejepa/ops";
import type { InferenceSession, Tensor } from "onnxruntime-node";
import { engineError } from "../engine-error.js";
import { GraphBuilder } from "../graph/builder.js";
import { newValue } from "../graph/graph.js";
import { port } from "../graph/port.js";
import { median } from "../median.js";
import { encode } from "../onnx/encode.js";
import type { Feed, Measured, ModelPorts, Profile, SessionHost } from "../session-host.js";
import { updateMemory, type UpdateMemory } from "../updates/update-memory.js";
import { freeBuffer } from "./free-buffer.js";

/** What a host needs of onnxruntime. */
export type OnnxRuntime = Pick<typeof import("onnxruntime-node"), "InferenceSession" | "Tensor">;

/** How every session of a host is opened, and where the state lies. */
export interface OnnxSettings {
  readonly engine: "onnx";
  /** That one operation may use; "all" leaves it to the runtime. */
  readonly threads: number | "all";
  readonly memoryArena: boolean;
  /** What computes. */
  readonly provider: "cpu" | "webgpu";
  /** Where the state, and what one model of a run keeps for another, lies from run to run.
   *  - "cpu": in arrays, which updates change in place.
   *  - "gpu-buffer": in buffers of the provider "webgpu", which leave it only to be read. Its models have their updates
   *    in the graph. */
  readonly state: "cpu" | "gpu-buffer";
}

/** Opens a session under the profiler of onnxruntime, has it run, and tells what it cost. */
export type Profiler = (
  open: (options: InferenceSession.SessionOptions) => Promise<InferenceSession>,
  run: (session: InferenceSession) => Promise<void>,
) => Promise<Profile>;

interface OpenSession {
  readonly key: string;
  readonly session: Promise<InferenceSession>;
  readonly ports: ModelPorts;
  users: number;
}

interface State {
  readonly tensors: Map<string, Tensor>;
  /** Those of the tensors that updates change in place. */
  readonly memory: UpdateMemory;
}

/** Sessions and states in this thread. */
export class OnnxSessionHost implements SessionHost {
  readonly #sessions = new Map<number, OpenSession>();
  readonly #states = new Map<number, State>();
  /** For each state what is kept between the models of one run. */
  readonly #kept = new Map<number, Map<string, Tensor>>();
  #lastId = 0;

  constructor(
    private readonly runtime: OnnxRuntime,
    private readonly settings: OnnxSettings,
    private readonly profiler?: Profiler,
  ) {}

  async open(model: Uint8Array, ports: ModelPorts): Promise<number> {
    // What comes behind the run is not to be seen in its bytes.
    const key = `${await digest(model)} ${JSON.stringify([ports.drops, ports.updates])}`;
    for (const [id, shared] of this.#sessions)
      if (shared.key === key) {
        shared.users++;
        await shared.session;
        return id;
      }
    const id = ++this.#lastId;
    const session = this.#createSession(model, ports);
    this.#sessions.set(id, { key, session, ports, users: 1 });
    try {
      await session;
    } catch (error) {
      this.#sessions.delete(id);
      throw error;
    }
    return id;
  }

  #createSession(
    model: Uint8Array,
    { writes, keeps }: Pick<ModelPorts, "writes" | "keeps">,
    more: InferenceSession.SessionOptions = {},
  ): Promise<InferenceSession> {
    const { provider, state, threads } = this.settings;
    const stays = [...writes.map(port.nextState), ...keeps];
    return this.runtime.InferenceSession.create(model, {
      executionProviders: [provider],
      ...(state !== "cpu" && {
        preferredOutputLocation: Object.fromEntries(stays.map((name) => [name, state])),
      }),
      graphOptimizationLevel: "all",
      // Measured on the ViT reference step: 105 ms, and 186 with the parallel executor.
      executionMode: "sequential",
      enableCpuMemArena: this.settings.memoryArena,
      enableMemPattern: this.settings.memoryArena,
      ...(threads !== "all" && { intraOpNumThreads: threads }),
      interOpNumThreads: 1,
      // Neither warnings, about shapes of optimised-away nodes, nor errors, which are thrown besides.
      logSeverityLevel: 4,
      ...more,
    });
  }

  async close(id: number): Promise<void> {
    const shared = this.#sessions.get(id)!;
    if (--shared.users > 0) return;
    this.#sessions.delete(id);
    await (await shared.session).release();
  }

  createState(tensors: HostTensors, sessions: readonly number[]): Promise<number> {
    const { Tensor } = this.runtime;
    const id = ++this.#lastId;
    const inPlace = new Set(
      sessions.flatMap((session) =>
        this.#sessions
          .get(session)!
          .ports.updates.flatMap(({ parameter, mean, square }) => [parameter, mean, square]),
      ),
    );
    const memory = updateMemory(
      new Map(Array.from(inPlace, (name) => [name, tensors[name]!.data])),
    );
    this.#states.set(id, {
      memory,
      tensors: new Map(
        Object.entries(tensors).map(([name, { shape, data }]) => [
          name,
          new Tensor("float32", memory.tensors.get(name) ?? data, shape),
        ]),
      ),
    });
    return Promise.resolve(id);
  }

  async run(id: number, stateId: number, feeds: readonly Feed[]): Promise<HostTensors> {
    const { session, ports } = this.#sessions.get(id)!;
    const state = this.#states.get(stateId)!;
    const kept = this.#kept.get(stateId) ?? new Map<string, Tensor>();
    const results = await this.#runOnce(await session, ports, state, feeds, kept);
    for (const name of ports.keeps) replace(kept, name, results[name]);
    for (const name of ports.drops) replace(kept, name, undefined);
    if (kept.size > 0) this.#kept.set(stateId, kept);
    else this.#kept.delete(stateId);
    for (const name of ports.writes) {
      const next = results[port.nextState(name)] as Tensor;
      const own = state.memory.tensors.get(name);
      if (own) own.set(next.data as Float32Array);
      else replace(state.tensors, name, next);
    }
    applyUpdates(ports, state, results);
    for (const name of new Set(ports.updates.map(({ gradient }) => gradient)))
      freeBuffer((results[name]!.data as Float32Array).buffer as ArrayBuffer);
    return Object.fromEntries(
      ports.outputs.map((name) => {
        const { dims, data } = results[port.output(name)]!;
        return [name, { shape: dims, data: data as Float32Array }];
      }),
    );
  }

  /** onnxruntime-node copies every result into a new array, also where one is given for it to fill: so none is given,
   *  and the new arrays are the next state and the caller's outputs. */
  #runOnce(
    session: InferenceSession,
    { reads, takes }: ModelPorts,
    state: State,
    feeds: readonly Feed[],
    kept: ReadonlyMap<string, Tensor> = new Map(),
  ): Promise<InferenceSession.ReturnType> {
    const { Tensor } = this.runtime;
    const given: Record<string, Tensor> = {};
    for (const name of reads) given[port.state(name)] = state.tensors.get(name)!;
    for (const name of takes) given[name] = kept.get(name)!;
    for (const { name, shape, data } of feeds)
      given[port.input(name)] =
        data instanceof Int32Array
          ? new Tensor("int32", unshared(data), shape)
          : new Tensor("float32", unshared(data), shape);
    return session.run(given);
  }

  async profile(
    id: number,
    stateId: number,
    model: Uint8Array,
    feeds: readonly Feed[],
    runs: number,
  ): Promise<Measured> {
    if (this.profiler === undefined)
      throw engineError(
        "no-profile",
        "explain: onnxruntime's profiler writes files and so is within reach in Node only; compile the step there to see what its operations cost.",
      );
    const { session, ports } = this.#sessions.get(id)!;
    const state = this.#states.get(stateId)!;
    const milliseconds: number[] = [];
    const updating: number[] = [];
    const before = await this.readState(stateId);
    for (let i = 0; i <= runs; i++) {
      const start = performance.now();
      const results = await this.#runOnce(await session, ports, state, feeds);
      const middle = performance.now();
      applyUpdates(ports, state, results);
      const end = performance.now();
      free(results);
      await this.writeState(stateId, before);
      // The first run only warms up.
      if (i === 0) continue;
      milliseconds.push(end - start);
      updating.push(end - middle);
    }
    const profile = await this.profiler(
      (options) => this.#createSession(model, ports, options),
      async (profiled) => {
        for (let i = 0; i <= runs; i++) free(await this.#runOnce(profiled, ports, state, feeds));
      },
    );
    if (ports.updates.length === 0) return { milliseconds, profile };
    const update = { name: "updates", op: "AdamW in place", milliseconds: median(updating) };
    return { milliseconds, profile: { ...profile, nodes: [...profile.nodes, update] } };
  }

  async readState(id: number): Promise<HostTensors> {
    const { tensors } = this.#states.get(id)!;
    const read = this.settings.state === "cpu" ? tensors : await this.#download(tensors);
    return Object.fromEntries(
      Array.from(read, ([name, { dims: shape, data }]) => [
        name,
        { shape, data: (data as Float32Array).slice() },
      ]),
    );
  }

  /** What is in buffers, by a model that gives it back as it is: onnxruntime-node 1.30 ends the process where the data of
   *  a tensor is asked for. */
  async #download(tensors: ReadonlyMap<string, Tensor>): Promise<Map<string, Tensor>> {
    if (tensors.size === 0) return new Map();
    const g = new GraphBuilder();
    const inputs = Array.from(tensors, ([name, { dims }]) => ({
      name,
      value: newValue(dims, "float32"),
    }));
    const outputs = inputs.map(({ name, value }) => ({
      name: port.output(name),
      value: g.unary("Identity", value),
    }));
    const nothing = { writes: [], keeps: [] };
    const session = await this.#createSession(encode(g.finish(inputs, outputs)), nothing);
    try {
      const results = await session.run(Object.fromEntries(tensors));
      return new Map(
        Array.from(tensors.keys(), (name) => [name, results[port.output(name)] as Tensor]),
      );
    } finally {
      await session.release();
    }
  }

  writeState(id: number, tensors: HostTensors): Promise<void> {
    const { tensors: own } = this.#states.get(id)!;
    const { Tensor } = this.runtime;
    for (const [name, { data }] of Object.entries(tensors)) {
      const tensor = own.get(name)!;
      if (tensor.location === "cpu") (tensor.data as Float32Array).set(data);
      else replace(own, name, new Tensor("float32", data.slice(), tensor.dims));
    }
    return Promise.resolve();
  }

  freeState(id: number): Promise<void> {
    free(Object.fromEntries(this.#states.get(id)?.tensors ?? []));
    free(Object.fromEntries(this.#kept.get(id) ?? []));
    this.#states.delete(id);
    this.#kept.delete(id);
    return Promise.resolve();
  }

  async end(): Promise<void> {
    for (const id of [...this.#states.keys()]) await this.freeState(id);
    const sessions = [...this.#sessions.values()];
    this.#sessions.clear();
    for (const { session } of sessions) await (await session).release();
  }
}

/** Puts a tensor, or none, into the place of another one, whose memory is free again at once. */
function replace(tensors: Map<string, Tensor>, name: string, next: Tensor | undefined): void {
  const before = tensors.get(name);
  if (before?.location === "cpu") freeBuffer((before.data as Float32Array).buffer as ArrayBuffer);
  else before?.dispose();
  if (next) tensors.set(name, next);
  else tensors.delete(name);
}

/** Frees buffers of a provider; arrays are the collector's. */
function free(tensors: Readonly<Record<string, Tensor>>): void {
  for (const tensor of Object.values(tensors)) if (tensor.location !== "cpu") tensor.dispose();
}

/** Of a model, to tell it from another one. */
async function digest(model: Uint8Array): Promise<string> {
  const hash = await crypto.subtle.digest("SHA-256", model);
  return new Uint8Array(hash).join();
}

/** onnxruntime-node reads arrays in place, but takes none over shared memory: those alone are copied. */
const unshared = <A extends Float32Array | Int32Array>(data: A): A =>
  data.buffer instanceof ArrayBuffer ? data : (data.slice() as A);

/** The updates behind a run, which has succeeded: a run that fails leaves the state as it was. */
function applyUpdates(
  { updates }: ModelPorts,
  { memory }: State,
  results: InferenceSession.ReturnType,
): void {
  const array = (name: string): Float32Array => results[name]!.data as Float32Array;
  for (const { gradient, stepSize, epsilon, decay, ...update } of updates)
    memory.apply({
      ...update,
      gradient: array(gradient),
      stepSize: array(stepSize)[0]!,
      epsilon: array(epsilon)[0]!,
      decay: array(decay)[0]!,
    });
}
