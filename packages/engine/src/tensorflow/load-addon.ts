import { createRequire } from "node:module";
import util from "node:util";
import { engineError } from "../engine-error.js";
import type { TensorFlowAddon } from "./addon.js";
import type { TensorFlowInstallation } from "./find-tensorflow.js";

/** Loads tfjs-node's addon, and with it TensorFlow, into this process.
 *
 *  TensorFlow reads its environment variables now (`TF_NUM_INTRAOP_THREADS`, `TF_NUM_INTEROP_THREADS`); a worker thread
 *  that has an environment of its own sets none of them. What TensorFlow says at level INFO is left out unless
 *  `TF_CPP_MIN_LOG_LEVEL` is set, but for a line about oneDNN that comes before it reads that. The addon's properties
 *  are not enumerable.
 *  @throws LejepaError "engine-unavailable" when the system's loader refuses it */
export function loadAddon({ addon, version, source }: TensorFlowInstallation): TensorFlowAddon {
  keepDroppedFunctions();
  process.env.TF_CPP_MIN_LOG_LEVEL ??= "1";
  try {
    return createRequire(import.meta.url)(addon) as TensorFlowAddon;
  } catch (cause) {
    throw engineError(
      "engine-unavailable",
      `TensorFlow ${version} at ${addon} does not load here (${(cause as Error).message.split("\n")[0]}); ${remedies[source]}.`,
      { cause },
    );
  }
}

const remedies = {
  setup: 'make it anew with "lejepa setup tensorflow --force"',
  stock: 'set another one up with "lejepa setup tensorflow", which goes first',
};

/** tfjs-node calls two functions of `node:util` that Node 22 warns of and Node 23 dropped. These do what they did. */
function keepDroppedFunctions(): void {
  Object.assign(util, {
    isArray: (value: unknown) => Array.isArray(value),
    isNullOrUndefined: (value: unknown) => value === null || value === undefined,
  });
}
