/** Owner of sessions and of the state that they advance, as an engine sees it. What goes in and out is plain data and
 *  arrays, so that a host serves the thread that it lives in as well as another one. */
import type { HostTensors } from "@lejepa/ops";
import type { HostUpdate } from "./updates/host-updates.js";

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
  /** What the host does to the state behind the run, from results of it; nothing where the models of a program have
   *  their updates in the graph. */
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
  /** Runs a session on a state that stays as it is: `runs` times, and as often again under the profiler.
   *  @throws LejepaError "no-profile" where there is no profiler */
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

/** What the profiler of a runtime tells of a session. */
export interface Profile {
  /** In the order in which they run. */
  readonly nodes: readonly ProfiledNode[];
  /** Most bytes in use at once in the runtime's allocator, which holds constants, intermediate values and results. */
  readonly peakBytes: number;
  /** Bytes that the allocator has taken from the system. */
  readonly heldBytes: number;
}

/** One node of the graph as the runtime runs it, after its own fusions. */
interface ProfiledNode {
  /** Unique in the graph; "OP/INDEX" where the node was in the graph that it was given. */
  readonly name: string;
  readonly op: string;
  /** Median over the runs. */
  readonly milliseconds: number;
}
