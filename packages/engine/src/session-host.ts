/** Owner of onnxruntime sessions and of the state that they advance. What goes in and out is plain data and arrays, so
 *  that a host serves the thread that it lives in as well as another one. */
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { HostTensors } from "@lejepa/ops";
import type { InferenceSession, Tensor } from "onnxruntime-node";
import { port } from "./graph/port.js";
import { freeBuffer } from "./hosts/free-buffer.js";
import { median, readProfile, type Profile } from "./hosts/profile.js";
import type { HostUpdate } from "./updates/host-updates.js";
import { updateMemory, type UpdateMemory } from "./updates/update-memory.js";

/** What a host needs of onnxruntime-node. */
export type OnnxRuntime = Pick<typeof import("onnxruntime-node"), "InferenceSession" | "Tensor">;

/** How every session of a host is opened. */
export interface OnnxSettings {
  readonly engine: "onnx";
  readonly threads: number;
  readonly memoryArena: boolean;
}

/** What a model takes and makes besides its inputs. */
export interface ModelPorts {
  /** What the entry is called within its program. */
  readonly entry: string;
  /** Names of the state that it reads. */
  readonly reads: readonly string[];
  /** Names of the state that it replaces. */
  readonly writes: readonly string[];
  /** Names of its outputs, all float32. */
  readonly outputs: readonly string[];
  /** Ports that an earlier model of the same run kept on the state. */
  readonly takes: readonly string[];
  /** Ports that are kept for later models of the same run. */
  readonly keeps: readonly string[];
  /** Ports that no later model of the run takes. */
  readonly drops: readonly string[];
  /** What the host does to the state behind the run, from results of it. */
  readonly updates: readonly HostUpdate[];
}

/** One input of a run. */
export interface Feed {
  readonly name: string;
  readonly shape: readonly number[];
  readonly data: Float32Array | Int32Array;
}

export interface SessionHost {
  /** A session for the model; the same one for the same bytes for as long as anyone has it open. */
  open(model: Uint8Array, ports: ModelPorts): Promise<number>;
  /** Gives a session back. The last one to do so frees it. */
  close(session: number): Promise<void>;
  /** Keeps a state that the given sessions advance, and no others. The arrays become the host's own. */
  createState(tensors: HostTensors, sessions: readonly number[]): Promise<number>;
  /** Runs a session once on a state and advances it. The arrays returned become the caller's own. */
  run(session: number, state: number, feeds: readonly Feed[]): Promise<HostTensors>;
  /** Runs a session on a state that stays as it is: `runs` times, and as often again under the profiler. */
  profile(
    session: number,
    state: number,
    model: Uint8Array,
    feeds: readonly Feed[],
    runs: number,
  ): Promise<Measured>;
  /** A copy of the state. */
  readState(state: number): Promise<HostTensors>;
  /** Copies a state in. */
  writeState(state: number, tensors: HostTensors): Promise<void>;
  freeState(state: number): Promise<void>;
  /** Frees everything. */
  end(): Promise<void>;
}

/** What profiling gives. */
export interface Measured {
  /** Wall-clock milliseconds of each run without the profiler. */
  readonly milliseconds: readonly number[];
  readonly profile: Profile;
}

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
export class LocalSessionHost implements SessionHost {
  readonly #sessions = new Map<number, OpenSession>();
  readonly #states = new Map<number, State>();
  /** For each state what is kept between the models of one run. */
  readonly #kept = new Map<number, Map<string, Tensor>>();
  #lastId = 0;

  constructor(
    private readonly runtime: OnnxRuntime,
    private readonly settings: OnnxSettings,
  ) {}

  async open(model: Uint8Array, ports: ModelPorts): Promise<number> {
    // What comes behind the run is not to be seen in its bytes.
    const behind = JSON.stringify([ports.drops, ports.updates]);
    const key = createHash("sha256").update(behind).update(model).digest("base64");
    for (const [id, shared] of this.#sessions)
      if (shared.key === key) {
        shared.users++;
        await shared.session;
        return id;
      }
    const id = ++this.#lastId;
    const session = this.#createSession(model);
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
    more: InferenceSession.SessionOptions = {},
  ): Promise<InferenceSession> {
    return this.runtime.InferenceSession.create(model, {
      executionProviders: ["cpu"],
      graphOptimizationLevel: "all",
      // Measured on the ViT reference step: 105 ms, and 186 with the parallel executor.
      executionMode: "sequential",
      enableCpuMemArena: this.settings.memoryArena,
      enableMemPattern: this.settings.memoryArena,
      intraOpNumThreads: this.settings.threads,
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
      await this.writeState(stateId, before);
      // The first run only warms up.
      if (i === 0) continue;
      milliseconds.push(end - start);
      updating.push(end - middle);
    }
    const folder = mkdtempSync(join(tmpdir(), "lejepa-profile-"));
    try {
      const profiled = await this.#createSession(model, {
        enableProfiling: true,
        profileFilePrefix: join(folder, "profile"),
        // Its count of memory is what the profile tells.
        enableCpuMemArena: true,
      });
      try {
        for (let i = 0; i <= runs; i++) await this.#runOnce(profiled, ports, state, feeds);
        profiled.endProfiling();
      } finally {
        await profiled.release();
      }
      const [file] = readdirSync(folder);
      const profile = readProfile(readFileSync(join(folder, file!), "utf8"));
      if (ports.updates.length === 0) return { milliseconds, profile };
      const update = { name: "updates", op: "AdamW in place", milliseconds: median(updating) };
      return { milliseconds, profile: { ...profile, nodes: [...profile.nodes, update] } };
    } finally {
      rmSync(folder, { recursive: true });
    }
  }

  readState(id: number): Promise<HostTensors> {
    return Promise.resolve(
      Object.fromEntries(
        Array.from(this.#states.get(id)!.tensors, ([name, { dims, data }]) => [
          name,
          { shape: dims, data: (data as Float32Array).slice() },
        ]),
      ),
    );
  }

  writeState(id: number, tensors: HostTensors): Promise<void> {
    const { tensors: own } = this.#states.get(id)!;
    for (const [name, { data }] of Object.entries(tensors))
      (own.get(name)!.data as Float32Array).set(data);
    return Promise.resolve();
  }

  freeState(id: number): Promise<void> {
    this.#states.delete(id);
    this.#kept.delete(id);
    return Promise.resolve();
  }

  async end(): Promise<void> {
    this.#states.clear();
    this.#kept.clear();
    const sessions = [...this.#sessions.values()];
    this.#sessions.clear();
    for (const { session } of sessions) await (await session).release();
  }
}

/** Puts a tensor, or none, into the place of another one, whose memory is free again at once. */
function replace(tensors: Map<string, Tensor>, name: string, next: Tensor | undefined): void {
  const before = tensors.get(name);
  if (before) freeBuffer((before.data as Float32Array).buffer as ArrayBuffer);
  if (next) tensors.set(name, next);
  else tensors.delete(name);
}

/** onnxruntime-node reads arrays in place, but takes none over shared memory: those alone are copied. */
const unshared = <A extends Float32Array | Int32Array>(data: A): A =>
  data.buffer instanceof SharedArrayBuffer ? (data.slice() as A) : data;

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
