/** Owner of TensorFlow sessions. A program is one session: its entries share the variables that hold the state, which
 *  never leaves it while steps run. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { HostTensors } from "@lejepa/ops";
import { engineError } from "../engine-error.js";
import type { Feed, Measured, ModelPorts, SessionHost } from "../session-host.js";
import type { TensorFlowAddon, TensorHandle } from "../tensorflow/addon.js";
import type { TensorFlowInstallation } from "../tensorflow/find-tensorflow.js";
import { nodeName } from "../tensorflow/graph-fragment.js";
import { loadAddon } from "../tensorflow/load-addon.js";
import { savedModel, stateNode, tag } from "../tensorflow/saved-model.js";
import { dataType } from "../tensorflow/saved-model-messages.js";

/** What a host needs to know. */
export interface TensorFlowSettings {
  readonly engine: "tensorflow";
  readonly installation: TensorFlowInstallation;
}

/** One entry, before and while programs run it. */
interface OpenEntry {
  readonly fragment: Uint8Array;
  readonly ports: ModelPorts;
}

interface Program {
  readonly session: number;
  readonly names: readonly string[];
  readonly shapes: readonly (readonly number[])[];
  /** Tensors that are kept between the models of one run, by port. */
  readonly kept: Map<string, number>;
}

/** Sessions in this thread. */
export class TensorFlowSessionHost implements SessionHost {
  readonly #addon: TensorFlowAddon;
  readonly #entries = new Map<number, OpenEntry>();
  readonly #programs = new Map<number, Program>();
  #lastId = 0;

  constructor({ installation }: TensorFlowSettings) {
    this.#addon = loadAddon(installation);
  }

  /** Nothing is loaded before the state is there: the entries of a program go into one session. */
  open(fragment: Uint8Array, ports: ModelPorts): Promise<number> {
    const id = ++this.#lastId;
    this.#entries.set(id, { fragment, ports });
    return Promise.resolve(id);
  }

  close(id: number): Promise<void> {
    this.#entries.delete(id);
    return Promise.resolve();
  }

  createState(tensors: HostTensors, sessions: readonly number[]): Promise<number> {
    const names = Object.keys(tensors);
    const shapes = names.map((name) => tensors[name]!.shape);
    const fragments = sessions.map((id) => this.#entries.get(id)!.fragment);
    const folder = mkdtempSync(join(tmpdir(), "lejepa-tensorflow-"));
    let session: number;
    try {
      writeFileSync(join(folder, "saved_model.pb"), savedModel(shapes, fragments));
      session = this.#addon.loadSavedModel(folder, tag);
    } finally {
      rmSync(folder, { recursive: true });
    }
    const id = ++this.#lastId;
    this.#programs.set(id, { session, names, shapes, kept: new Map() });
    return this.writeState(id, tensors).then(() => id);
  }

  run(entryId: number, stateId: number, feeds: readonly Feed[]): Promise<HostTensors> {
    const { entry, outputs, takes, keeps, drops } = this.#entries.get(entryId)!.ports;
    const { session, kept } = this.#programs.get(stateId)!;
    const fetched = [...outputs, ...keeps];
    const fetches =
      fetched.length === 0
        ? [nodeName.done(entry)]
        : fetched.map((_, i) => nodeName.output(entry, i));
    const inputs = [...feeds, ...takes].map((_, i) => nodeName.input(entry, i));
    const results = this.#run(session, inputs, feeds, fetches, {
      given: takes.map((name) => kept.get(name)!),
      keep: (handles) => {
        for (const [i, name] of keeps.entries()) {
          this.#drop(kept, name);
          kept.set(name, handles[outputs.length + i]!.id);
        }
        return outputs.length;
      },
    });
    for (const name of drops) this.#drop(kept, name);
    return Promise.resolve(
      Object.fromEntries(outputs.map((name, i) => [name, results[i]!] as const)),
    );
  }

  #drop(kept: Map<string, number>, name: string): void {
    const id = kept.get(name);
    if (id !== undefined) this.#addon.deleteTensor(id);
    kept.delete(name);
  }

  /** Feeds arrays, fetches results as arrays, and leaves no tensor behind but those that `keep` takes: it says how many
   *  of the first results are read. `given` are tensors from before, fed behind the arrays.
   *
   *  The addon keeps what was fed to a run that fails, 4 MB of every 4 MB, and offers no way to free it. Shapes and types
   *  are checked before, so that little can fail here: an index out of range, memory that is not there. */
  #run(
    session: number,
    inputs: readonly string[],
    feeds: readonly Omit<Feed, "name">[],
    fetches: readonly string[],
    {
      given = [],
      keep = (handles) => handles.length,
    }: {
      readonly given?: readonly number[];
      readonly keep?: (handles: readonly TensorHandle[]) => number;
    } = {},
  ): { shape: number[]; data: Float32Array }[] {
    const addon = this.#addon;
    const fed: number[] = [];
    let results: TensorHandle[] = [];
    try {
      for (const { shape, data } of feeds)
        fed.push(
          addon.createTensor(
            shape,
            data instanceof Int32Array ? dataType.int32 : dataType.float32,
            data,
          ),
        );
      results = addon.runSavedModel(
        session,
        [...fed, ...given],
        inputs.map(port).join(),
        fetches.map(port).join(),
      );
      results = results.slice(0, keep(results));
      return results.map(({ id, shape }) => ({
        shape,
        data: addon.tensorDataSync(id) as Float32Array,
      }));
    } finally {
      for (const id of fed) addon.deleteTensor(id);
      for (const { id } of results) addon.deleteTensor(id);
    }
  }

  profile(): Promise<Measured> {
    return Promise.reject(
      engineError(
        "no-profile",
        'explain: TensorFlow\'s profiler is not within reach of tfjs-node; compile the step on the "onnx" engine to see what its operations cost.',
      ),
    );
  }

  readState(id: number): Promise<HostTensors> {
    const { session, names } = this.#programs.get(id)!;
    if (names.length === 0) return Promise.resolve({});
    const values = this.#run(
      session,
      [],
      [],
      names.map((_, i) => stateNode.read(i)),
    );
    return Promise.resolve(Object.fromEntries(names.map((name, i) => [name, values[i]!] as const)));
  }

  writeState(id: number, tensors: HostTensors): Promise<void> {
    const { session, names } = this.#programs.get(id)!;
    const inputs = names.map((_, i) => stateNode.value(i));
    const feeds = names.map((name) => tensors[name]!);
    this.#run(session, inputs, feeds, [stateNode.set]);
    return Promise.resolve();
  }

  freeState(id: number): Promise<void> {
    const program = this.#programs.get(id);
    if (program) {
      for (const name of [...program.kept.keys()]) this.#drop(program.kept, name);
      this.#addon.deleteSavedModel(program.session);
    }
    this.#programs.delete(id);
    return Promise.resolve();
  }

  async end(): Promise<void> {
    for (const id of [...this.#programs.keys()]) await this.freeState(id);
    this.#entries.clear();
  }
}

/** The first result of a node, as the addon takes it. */
const port = (name: string): string => `${name}:0`;
