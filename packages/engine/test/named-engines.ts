/** The engines that this machine is asked to test, eager on tfjs's cpu backend. */
import "@tensorflow/tfjs-backend-cpu";
import { createEngine, engineNames, type Engine, type EngineName } from "@lejepa/engine";
import * as tf from "@tensorflow/tfjs-core";
import { afterAll, beforeAll } from "vitest";
import { namedBackends } from "../../../tools/backend-names.mjs";

/** Starts them for the tests of a file, and ends them; the record is filled when the first test runs. */
export function namedEngines(): Partial<Record<EngineName, Engine>> {
  const engines: Partial<Record<EngineName, Engine>> = {};
  beforeAll(async () => {
    await tf.setBackend("cpu");
    for (const name of engineNames)
      if (namedBackends.includes(name))
        engines[name] = await createEngine(name, name === "eager" ? { backend: "cpu" } : {});
  });
  afterAll(async () => {
    for (const engine of Object.values(engines)) await engine.dispose();
  });
  return engines;
}
