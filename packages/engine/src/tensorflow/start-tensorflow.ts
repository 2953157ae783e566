import { availableParallelism } from "node:os";
import { engineError } from "../engine-error.js";
import type { TensorFlowAddon } from "./addon.js";
import { findTensorFlow, type TensorFlowInstallation } from "./find-tensorflow.js";
import { threadCount } from "../thread-count.js";
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
 *  the pool of threads whose size is decided now.
 *  @throws LejepaError "engine-unavailable" where there is none or it does not load; "bad-option" when it runs with
 *  another number of threads already */
export async function startTensorFlow(threads?: number): Promise<StartedTensorFlow> {
  if (started === undefined) {
    const installation = await findTensorFlow();
    if (installation === undefined)
      throw engineError(
        "engine-unavailable",
        'There is no TensorFlow here; run "npm install --ignore-scripts @tensorflow/tfjs-node@4" and "npx lejepa setup tensorflow".',
      );
    const count = threads ?? availableParallelism();
    process.env.TF_NUM_INTRAOP_THREADS = String(count);
    // Operations one after the other, each on all threads: side by side they took 57.0 ms for the ViT's step on two
    // cores where this takes 48.3.
    process.env.TF_NUM_INTEROP_THREADS ??= "1";
    started = { installation, addon: loadAddon(installation), threads: count };
  }
  if (threads !== undefined && threads !== started.threads)
    throw engineError(
      "bad-option",
      `TensorFlow runs with ${threadCount(started.threads)} in this process already and cannot change to ${threads}; ask for the number before anything else starts it.`,
    );
  return started;
}
