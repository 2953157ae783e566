/** Every lowered kernel on int32 and on bool: what tfjs's cpu backend computes, or a refusal that names the kernel, the
 *  line and the way out. */
import "@tensorflow/tfjs-backend-cpu";
import { createEngine, type Engine, type EngineName, type Step } from "@lejepa/engine";
import * as tf from "@tensorflow/tfjs-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { namedBackends } from "../../../tools/backend-names.mjs";
import { needs } from "../../../tools/backends.js";
import type { Sample } from "./kernels/sample.js";
import { samples } from "./kernels/samples.js";

const names = ["onnx", "tensorflow"] as const;
const engines: Partial<Record<EngineName, Engine>> = {};
beforeAll(async () => {
  engines.eager = await createEngine("eager", { backend: "cpu" });
  for (const name of names)
    if (namedBackends.includes(name)) engines[name] = await createEngine(name, { thread: "main" });
});
afterAll(async () => {
  for (const engine of Object.values(engines)) await engine.dispose();
});

/** Whole numbers around 0, and the same as truth values. */
const numbersOf = ({ inputs }: Sample, dtype: "int32" | "bool") =>
  Object.fromEntries(
    inputs.map(({ shape, dtype: own, values }, key) => {
      const size = shape.reduce((product, length) => product * length, 1);
      const whole = (i: number): number => ((i + 1) * (3 * key + 5)) % 7;
      const number = (i: number): number => (dtype === "bool" ? whole(i) % 2 : whole(i) - 3);
      // Indices, counts and the like stay what they are.
      const kept = own === "int32" ? values : undefined;
      return [`x${key}`, Int32Array.from({ length: size }, (_, i) => kept?.[i] ?? number(i))];
    }),
  );

const stepOf =
  (sample: Sample, dtype: "int32" | "bool"): Step =>
  (state, given) => {
    const operands = sample.inputs.map((input, key) =>
      input.dtype === "int32" ? given[`x${key}`]! : tf.cast(given[`x${key}`]!, dtype),
    );
    const results = [sample.run(...operands)].flat();
    return { state, outputs: Object.fromEntries(results.map((y, i) => [`y${i}`, y])) };
  };

async function outcome(engine: Engine, sample: Sample, dtype: "int32" | "bool") {
  try {
    const compiled = await engine.compile(stepOf(sample, dtype), {
      state: {},
      inputs: Object.fromEntries(
        sample.inputs.map(({ shape }, key) => [`x${key}`, { shape, dtype: "int32" as const }]),
      ),
    });
    const outputs = await compiled.run(numbersOf(sample, dtype));
    await compiled.dispose();
    return { outputs };
  } catch (error) {
    return { error: error as Error & { code?: string } };
  }
}

describe.each(names)("on %s", (name) => {
  describe.each(["int32", "bool"] as const)("of %s", (dtype) => {
    test.for(Object.entries(samples))("%s", async ([kernel, all], context) => {
      needs(name, context);
      for (const sample of all.slice(0, 3)) {
        // Sorted rows stay what they are, and without operands there is nothing to cast.
        if (sample.inputs.length === 0 || kernel === "SearchSorted") {
          expect(kernel).toMatch(/^(SearchSorted|Fill|Range|LinSpace)$/);
          continue;
        }
        const wanted = await outcome(engines.eager!, sample, dtype);
        const got = await outcome(engines[name]!, sample, dtype);
        if (got.error) {
          // tfjs's own refusal is as good: it never came to a kernel.
          if (got.error.code === "step-failed") {
            expect(wanted.error, sample.title).toMatchObject({ code: "step-failed" });
            expect(got.error.message).toBe(wanted.error!.message);
            continue;
          }
          expect(got.error, sample.title).toMatchObject({
            name: "LejepaError",
            code: expect.stringMatching(/^unsupported-kernel$|^index-out-of-range$/) as string,
            message: expect.stringMatching(/kernel|index/) as string,
          });
          expect(got.error.message).toMatch(/(samples|batch-norm|normalize|\w+)\.ts:\d+:\d+/);
          continue;
        }
        expect(wanted.error, `${kernel}: ${sample.title}`).toBeUndefined();
        for (const [y, { data }] of Object.entries(wanted.outputs!)) {
          const found = got.outputs[y]!.data;
          expect(found.length).toBe(data.length);
          data.forEach((value, i) => {
            const same =
              Object.is(value, found[i]) ||
              Math.abs(value - found[i]!) <= 1e-5 * Math.max(1, Math.abs(value));
            expect(same, `${sample.title}: ${y}[${i}] should be ${value}, got ${found[i]}`).toBe(
              true,
            );
          });
        }
      }
    });
  });
});
