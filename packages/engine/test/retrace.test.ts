/** What changes only after a step was compiled. */
import "@tensorflow/tfjs-backend-cpu";
import { createEngine, type Step } from "@lejepa/engine";
import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, test } from "vitest";
import { needs } from "../../../tools/backends.js";

beforeAll(() => tf.setBackend("cpu"));

const spec = {
  state: { w: { shape: [2], data: Float32Array.of(1, 2) } },
  inputs: { x: { shape: [2] } },
};
const x = Float32Array.of(1, 1);

/** What the faults below change between one trace and a later one. */
let outer = { rate: 0.5, table: [1, 2, 3], high: 4, times: 1 };

interface Fault {
  readonly title: string;
  readonly change: Partial<typeof outer>;
  readonly code: string;
  readonly says: RegExp;
}

const step: Step = ({ w }, { x }) => {
  let y = tf.mul(x!, outer.rate);
  y = tf.add(y, tf.slice(tf.tensor1d(outer.table), 1, 2));
  y = tf.clipByValue(y, 0, outer.high);
  for (let i = 0; i < outer.times; i++) y = tf.sin(y);
  return { state: { w: tf.add(w!, y) }, outputs: { y } };
};

const faults: readonly Fault[] = [
  {
    title: "a number",
    change: { rate: 0.25 },
    code: "changing-constant",
    says: /the number 0\.5, then 0\.25, which kernel Multiply takes/,
  },
  {
    title: "one element of an array",
    change: { table: [1, 2, 7] },
    code: "changing-constant",
    says: /the number 3, then 7/,
  },
  {
    title: "an attribute",
    change: { high: 5 },
    code: "changing-constant",
    says: /clipValueMax = 4 of ClipByValue, then 5/,
  },
  {
    title: "one operation more",
    change: { times: 2 },
    code: "changing-structure",
    says: /Sin/,
  },
  {
    title: "one operation less",
    change: { times: 0 },
    code: "changing-structure",
    says: /Sin/,
  },
];

describe.each(["onnx", "tensorflow"] as const)(
  "a step compiled for %s and traced again",
  (name) => {
    test.for(faults)(
      "is refused, by line, for $title that has changed since",
      async (fault, context) => {
        needs(name, context);
        const engine = await createEngine(name);
        const before = outer;
        const compiled = await engine.compile(step, spec);
        await compiled.retrace();
        const first = await compiled.run({ x });
        const state = await compiled.readState();
        const tensors = tf.memory().numTensors;
        outer = { ...outer, ...fault.change };
        const error = await compiled.retrace().then(
          () => undefined,
          (reason: Error) => reason,
        );
        expect(error).toMatchObject({ name: "LejepaError", code: fault.code });
        expect(error!.message).toMatch(fault.says);
        expect(error!.message).toMatch(/retrace\.test\.ts:\d+:\d+/);
        expect(tf.memory().numTensors).toBe(tensors);
        expect(tf.getBackend()).toBe("cpu");
        // Tracing runs nothing, and what was compiled stays what it was.
        expect((await compiled.readState()).w!.data).toEqual(state.w!.data);
        expect((await compiled.run({ x })).y!.data).toEqual(first.y!.data);
        outer = before;
        await compiled.retrace();
        await engine.dispose();
      },
    );

    test("is fine where it is the same, each step of a program apart", async (context) => {
      needs(name, context);
      const engine = await createEngine(name);
      let late = 1;
      const { entries } = await engine.compile(
        {
          same: step,
          other: ({ w }, { x }) => ({ state: { w: tf.mul(w!, late) }, outputs: { y: x! } }),
        },
        { state: spec.state, inputs: { same: spec.inputs, other: spec.inputs } },
      );
      late = 2;
      await entries.same.retrace();
      await expect(entries.other.retrace()).rejects.toMatchObject({ code: "changing-constant" });
      await engine.dispose();
      await expect(entries.same.retrace()).rejects.toMatchObject({ code: "disposed" });
    });
  },
);

test("the eager engine freezes nothing, so nothing has changed", async () => {
  const engine = await createEngine("eager", { backend: "cpu" });
  const compiled = await engine.compile(step, spec);
  const before = outer;
  outer = { ...outer, rate: 0.25 };
  await compiled.retrace();
  expect((await compiled.run({ x })).y!.data[0]).toBeCloseTo(Math.sin(2.25), 6);
  outer = before;
  await compiled.dispose();
  await expect(compiled.retrace()).rejects.toMatchObject({ code: "disposed" });
});
