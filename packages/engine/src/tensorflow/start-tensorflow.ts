import { availableParallelism } from "node:os";
import { engineError } from "../engine-error.js";
import { threadCount } from "../thread-count.js";
import type { TensorFlowAddon } from "./addon.js";
import { findTensorFlow, type TensorFlowInstallation } from "./find-tensorflow.js";
import type { Device } from "./kernels.js";
import { loadAddon } from "./load-addon.js";

/** TensorFlow as it runs in this process. */
export interface StartedTensorFlow {
  readonly installation: TensorFlowInstallation;
  readonly addon: TensorFlowAddon;
  /** Threads that one operation may use: the same for every engine of the process. */
  readonly threads: number;
}

let started: StartedTensorFlow | undefined;

/** Loads TensorFlow into this process, once. Worker threads that load its addon later share the library, and with it
 *  the pools of threads whose sizes are decided now.
 *  @param threads Threads that one operation may use; left out: every core's share of so many engines.
 *  @param engines How many engines compute at the same time, each in a thread of its own.
 *  @throws LejepaError "engine-unavailable" where there is none or it does not load; "bad-option" when it runs with
 *  another number of threads already */
export async function startTensorFlow(threads?: number, engines = 1): Promise<StartedTensorFlow> {
  if (started === undefined) {
    const installation = await findTensorFlow();
    if (installation === undefined)
      throw engineError(
        "engine-unavailable",
        'There is no TensorFlow here; run "npm install --ignore-scripts @tensorflow/tfjs-node@4" and "npx lejepa setup tensorflow".',
      );
    const count = threads ?? Math.max(1, Math.floor(availableParallelism() / engines));
    process.env.TF_NUM_INTRAOP_THREADS = String(count);
    // Operations of one engine one after the other, each on all threads: side by side they took 57.0 ms for the ViT's
    // step on two cores where this takes 48.3. Several engines would wait for one another then: the same step shared
    // out among two took 69, and 43 with a thread for each.
    process.env.TF_NUM_INTEROP_THREADS ??= String(engines);
    // Left to itself, TensorFlow builds the gradient of each filter anew for each step, 0.2 ms every time, lest what it
    // keeps takes memory: 6 MB for the convolutional step of the benchmarks, next to nothing for ResNet-18's.
    process.env.TF_MKL_OPTIMIZE_PRIMITIVE_MEMUSE ??= "false";
    started = { installation, addon: loadAddon(installation), threads: count };
  }
  if (threads !== undefined && threads !== started.threads)
    throw engineError(
      "bad-option",
      `TensorFlow runs with ${threadCount(started.threads)} in this process already and cannot change to ${threads}; ask for the number before anything else starts it.`,
    );
  return started;
}

/** Where it computes. */
export const deviceOf = ({ addon }: StartedTensorFlow): Device =>
  addon.isUsingGpuDevice() ? "gpu" : "cpu";

/** What it runs on, for a person. */
export function describe(started: StartedTensorFlow): string {
  const { installation, threads } = started;
  const device = deviceOf(started).toUpperCase();
  return `TensorFlow ${installation.version}, ${device}, ${threadCount(threads)}`;
}
