/** Reads what onnxruntime's profiler wrote. */

/** One node of the graph as onnxruntime runs it, after its own fusions. */
interface ProfiledNode {
  /** Unique in the graph; "OP/INDEX" where the node was in the graph that it was given. */
  readonly name: string;
  readonly op: string;
  /** Median over the runs. */
  readonly milliseconds: number;
}

export interface Profile {
  /** In the order in which they run. */
  readonly nodes: readonly ProfiledNode[];
  /** Most bytes in use at once in onnxruntime's allocator, which holds constants, intermediate values and results. */
  readonly peakBytes: number;
  /** Bytes that the allocator has taken from the system. */
  readonly heldBytes: number;
}

interface NodeEvent {
  readonly cat: string;
  readonly name: string;
  /** Microseconds. */
  readonly dur: number;
  readonly args: {
    readonly op_name?: string;
    readonly mem_in_use_peak?: string;
    readonly mem_arena_held?: string;
  };
}

const suffix = "_kernel_time";

/** The contents of a profile file, the first run of each node left out: it warms caches and allocators up. */
export function readProfile(text: string): Profile {
  const durations = new Map<string, { op: string; microseconds: number[] }>();
  let [peakBytes, heldBytes] = [0, 0];
  for (const { cat, name, dur, args } of JSON.parse(text) as NodeEvent[]) {
    if (cat !== "Node" || !name.endsWith(suffix)) continue;
    const key = name.slice(0, -suffix.length);
    const node = durations.get(key) ?? { op: args.op_name ?? "", microseconds: [] };
    durations.set(key, node);
    node.microseconds.push(dur);
    peakBytes = Math.max(peakBytes, Number(args.mem_in_use_peak ?? 0));
    heldBytes = Math.max(heldBytes, Number(args.mem_arena_held ?? 0));
  }
  const nodes = Array.from(durations, ([name, { op, microseconds }]) => ({
    name,
    op,
    milliseconds: median(microseconds.length > 1 ? microseconds.slice(1) : microseconds) / 1000,
  }));
  return { nodes, peakBytes, heldBytes };
}

/** The middle one, or the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const half = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[half]! : (sorted[half - 1]! + sorted[half]!) / 2;
}
