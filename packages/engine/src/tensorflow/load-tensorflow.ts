import { createRequire } from "node:module";
import { join } from "node:path";
import * as tf from "@tensorflow/tfjs-core";
import { engineError } from "../engine-error.js";
import type { TensorFlowAddon } from "./addon.js";
import type { TensorFlowInstallation } from "./find-tensorflow.js";
import { loadAddon } from "./load-addon.js";
import { tfjsNodePackage } from "./tfjs-node-package.js";

/** Starts tfjs-node's backend, which runs operation by operation, on an installation of TensorFlow, and registers it and
 *  its kernels as "tensorflow". Does not make it the current backend. Where "tensorflow" is registered already, by an earlier call or by an import of
 *  @tensorflow/tfjs-node itself, that one is returned.
 *
 *  The package's own entry point looks for an addon in its own folder and throws without one, so its modules are loaded
 *  one by one.
 *  @throws LejepaError "engine-unavailable" when tfjs-node is not installed or TensorFlow does not load */
export function loadTensorFlow(installation: TensorFlowInstallation): tf.KernelBackend {
  const registered = tf.findBackend(backendName);
  if (registered !== null) return registered;
  const names = ["@tensorflow/tfjs-node", "@tensorflow/tfjs-node-gpu"] as const;
  const preferred = installation.kind === "gpu" ? names.toReversed() : names;
  const installed = preferred.map(tfjsNodePackage).find((found) => found !== undefined);
  if (installed === undefined)
    throw engineError(
      "engine-unavailable",
      'TensorFlow is here, but not the JavaScript that calls it; run "npm install --ignore-scripts @tensorflow/tfjs-node@4".',
    );
  const addon = loadAddon(installation);
  const require = createRequire(import.meta.url);
  const { NodeJSKernelBackend } = require(
    join(installed.directory, "dist/nodejs_kernel_backend.js"),
  ) as { NodeJSKernelBackend: new (addon: TensorFlowAddon, name: string) => tf.KernelBackend };
  require(join(installed.directory, "dist/register_all_kernels.js"));
  const backend = new NodeJSKernelBackend(addon, installed.name);
  // The lowest priority: tfjs takes it only when it is asked for by name.
  tf.registerBackend(backendName, () => backend, 0);
  return backend;
}

const backendName = "tensorflow";
