import { spawn } from "node:child_process";
import { setTimeout as pause } from "node:timers/promises";
import { createEngine, type Step } from "@lejepa/engine";
import * as tf from "@tensorflow/tfjs-core";
import { expect, test } from "vitest";
import { needs } from "../../../tools/backends.js";

/** Long enough to be caught at it: 40 products of 512 x 512 matrices. */
const long: Step = (state, { x }) => {
  let w = state.w as tf.Tensor2D;
  for (let i = 0; i < 40; i++) w = tf.tanh(tf.matMul(w, x as tf.Tensor2D));
  return { state: { w }, outputs: { mean: tf.mean(w) } };
};
const size = 512;
const numbers = () => Float32Array.from({ length: size * size }, (_, i) => Math.sin(i) / 8);
const bytes = (data: Float32Array) => Buffer.from(data.buffer).toString("base64");
const spec = {
  state: { w: { shape: [size, size], data: numbers() } },
  inputs: { x: { shape: [size, size] } },
};

const names = ["onnx", "tensorflow"] as const;

test.for(
  names.flatMap(
    (name) =>
      [
        { name, thread: "worker", goesOn: true },
        { name, thread: "main", goesOn: false },
      ] as const,
  ),
)("$name in the $thread thread: the event loop goes on: $goesOn", async (given, context) => {
  needs(given.name, context);
  const engine = await createEngine(given.name, { thread: given.thread });
  const compiled = await engine.compile(long, spec);
  const x = numbers();
  await compiled.run({ x });
  let [ended, turns] = [false, 0];
  const running = compiled.run({ x }).then(() => (ended = true));
  while (!ended) {
    await pause(1);
    if (!ended) turns++;
  }
  await running;
  // In the main thread, one turn may pass before the computation begins and none while it lasts.
  if (given.goesOn) expect(turns).toBeGreaterThan(3);
  else expect(turns).toBeLessThanOrEqual(3);
  await engine.dispose();
});

test.for(names)(
  "both threads of %s give the same numbers, without the memory arena too",
  async (name, context) => {
    needs(name, context);
    const results = [];
    for (const options of [
      { thread: "worker" },
      { thread: "main" },
      { thread: "worker", memoryArena: false },
    ] as const) {
      const engine = await createEngine(name, options);
      const compiled = await engine.compile(long, spec);
      const x = numbers();
      await compiled.run({ x });
      const { mean } = await compiled.run({ x });
      // What was given is still the caller's.
      expect(bytes(x)).toBe(bytes(numbers()));
      results.push([mean!.data[0], bytes((await compiled.readState()).w!.data)]);
      await engine.dispose();
    }
    expect(results[1]).toEqual(results[0]);
    expect(results[2]).toEqual(results[0]);
    expect(bytes(spec.state.w.data)).toBe(bytes(numbers()));
  },
);

test("wrong options are refused", async () => {
  const bad = { code: "bad-option" };
  await expect(createEngine("onnx", { thread: "other" as "main" })).rejects.toMatchObject(bad);
  await expect(createEngine("tensorflow", { thread: "other" as "main" })).rejects.toMatchObject(
    bad,
  );
  await expect(createEngine("tensorflow", { threads: 0.5 })).rejects.toMatchObject(bad);
  await expect(createEngine("onnx", { memoryArena: 1 as never })).rejects.toMatchObject(bad);
});

/** Runs a program that has a step under way, and tells how it ended. */
function ends(name: (typeof names)[number], after: string): Promise<number | string | null> {
  const program = `
    import { createEngine } from "../src/index.ts";
    import * as tf from "@tensorflow/tfjs-core";
    const engine = await createEngine("${name}");
    const shape = [512, 512];
    const x = new Float32Array(512 * 512).fill(0.001);
    const compiled = await engine.compile(({ w }, { x }) => {
      for (let i = 0; i < 40; i++) w = tf.tanh(tf.matMul(w, x));
      return { state: { w }, outputs: {} };
    }, { state: { w: { shape, data: x } }, inputs: { x: { shape } } });
    await compiled.run({ x });
    ${after}`;
  const child = spawn(
    process.execPath,
    ["--import", "tsx", "--input-type=module", "--eval", program],
    { cwd: import.meta.dirname, stdio: ["ignore", "ignore", "inherit"] },
  );
  return new Promise((resolve) => child.once("exit", (code, signal) => resolve(signal ?? code)));
}

test.for(
  names.flatMap((name) => [
    { name, what: "has disposed nothing", after: "", code: 0 },
    { name, what: "leaves a step unawaited", after: "void compiled.run({ x });", code: 0 },
    {
      name,
      what: "exits during a step",
      after: "void compiled.run({ x }); process.exit(3);",
      code: 3,
    },
    {
      name,
      what: "disposes twice",
      after: "await engine.dispose(); await engine.dispose();",
      code: 0,
    },
  ]),
)("a program on $name that $what ends", async ({ name, after, code }, context) => {
  needs(name, context);
  expect(await ends(name, after)).toBe(code);
});
