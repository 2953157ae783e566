/** What onnxruntime's profiler tells, which writes it to a file: in Node only. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { median } from "../median.js";
import type { Profile } from "../session-host.js";
import type { Profiler } from "./onnx-session-host.js";

/** Runs a session of its own under the profiler. */
export const onnxProfile: Profiler = async (open, run) => {
  const folder = mkdtempSync(join(tmpdir(), "lejepa-profile-"));
  try {
    const profiled = await open({
      enableProfiling: true,
      profileFilePrefix: join(folder, "profile"),
      // Its count of memory is what the profile tells.
      enableCpuMemArena: true,
    });
    try {
      await run(profiled);
      profiled.endProfiling();
    } finally {
      await profiled.release();
    }
    const [file] = readdirSync(folder);
    return readProfile(readFileSync(join(folder, file!), "utf8"));
  } finally {
    rmSync(folder, { recursive: true });
  }
};

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
