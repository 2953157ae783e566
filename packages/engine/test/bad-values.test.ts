/** What JavaScript callers can pass that TypeScript would refuse: one coded sentence each, from every engine, and the
 *  state is what it was. */
import "@tensorflow/tfjs-backend-cpu";
import {
  breakThreadGroup,
  createEngine,
  createThreadGroup,
  engineNames,
  engineReport,
  joinThreadGroup,
  type CompiledStep,
  type Engine,
  type EngineName,
  type EngineOptions,
  type Step,
} from "@lejepa/engine";
import * as tf from "@tensorflow/tfjs-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { namedBackends } from "../../../tools/backend-names.mjs";
import { needs } from "../../../tools/backends.js";

const step: Step = ({ w }, { x, i }) => ({
  state: { w: tf.add(w!, x!) },
  outputs: { y: tf.mul(tf.cast(i!, "float32"), x!) },
});
const state = { w: { shape: [2], data: Float32Array.of(1, 2) } };
const spec = {
  state,
  inputs: { x: { shape: [] }, i: { shape: [1], dtype: "int32" as const } },
};

const engines: Partial<Record<EngineName, Engine>> = {};
const compiled: Partial<Record<EngineName, CompiledStep>> = {};
beforeAll(async () => {
  await tf.setBackend("cpu");
  for (const name of engineNames) {
    if (!namedBackends.includes(name)) continue;
    engines[name] = await createEngine(name, name === "eager" ? { backend: "cpu" } : {});
    compiled[name] = await engines[name].compile(step, spec);
  }
});
afterAll(async () => {
  for (const engine of Object.values(engines)) await engine.dispose();
});

/** Values of every type, none of which is what anything takes. */
const circular: Record<string, unknown> = {};
circular["self"] = circular;
const strangers: readonly (readonly [string, unknown])[] = [
  ["nothing", undefined],
  ["null", null],
  ["a bigint", 1n],
  ["a symbol", Symbol("s")],
  ["a function", () => 1],
  ["a text", "x"],
  ["true", true],
  ["a list", [1n, Symbol("s")]],
  ["an object that holds itself", circular],
  ["an object without a prototype", Object.create(null)],
  ["a map", new Map([["x", 1]])],
  ["a date", new Date(0)],
  ["a data view", new DataView(new ArrayBuffer(4))],
  ["an array of bigints", new BigInt64Array(1)],
  ["a Float64Array", new Float64Array(1)],
];
const isSentence = /^[^\n]+\.$/;

async function expectRefusal(call: () => unknown, code: string): Promise<void> {
  const error = await (async () => await call())().then(
    () => undefined,
    (reason: Error) => reason,
  );
  expect(error).toMatchObject({
    name: "LejepaError",
    code,
    message: expect.stringMatching(isSentence) as string,
  });
}

/** Calls on the loosest terms. */
type Loose = Record<string, (...args: unknown[]) => Promise<unknown>>;
interface Case {
  readonly title: string;
  readonly code: string;
  readonly call: (engine: Loose, compiled: Loose) => unknown;
}

const wrong = (
  what: string,
  code: string,
  call: (value: unknown) => Case["call"],
  but: readonly string[] = [],
): Case[] =>
  strangers
    .filter(([name]) => !but.includes(name))
    .map(([name, value]) => ({ title: `${what}: ${name}`, code, call: call(value) }));

const good = { x: 1, i: Int32Array.of(1) };
const cases: readonly Case[] = [
  ...wrong("run", "bad-input", (value) => (_, c) => c.run!(value)),
  ...wrong("run, input x", "bad-input", (x) => (_, c) => c.run!({ ...good, x })),
  ...wrong("run, input i", "bad-input", (i) => (_, c) => c.run!({ ...good, i })),
  ...wrong(
    "run, shape of x",
    "bad-input",
    (shape) => (_, c) => c.run!({ ...good, x: { shape, data: Float32Array.of(1) } }),
  ),
  ...wrong(
    "run, data of x",
    "bad-input",
    (data) => (_, c) => c.run!({ ...good, x: { shape: [], data } }),
  ),
  ...[1.5, NaN, Infinity, 2 ** 31].map((i) => ({
    title: `run, ${i} for an int32`,
    code: "bad-input",
    call: ((_, c) => c.run!({ ...good, i })) satisfies Case["call"],
  })),
  {
    title: "run, a float32 array for an int32",
    code: "bad-input",
    call: (_, c) => c.run!({ ...good, i: { shape: [1], data: Float32Array.of(1) } }),
  },
  {
    title: "run, a tensor of tfjs",
    code: "bad-input",
    call: (_, c) => c.run!({ ...good, x: tf.tidy(() => tf.scalar(1)) }),
  },
  {
    title: "run, a name that every object has",
    code: "bad-input",
    call: (_, c) => c.run!({ ...good, toString: 1 }),
  },
  ...wrong("writeState", "bad-state", (value) => (_, c) => c.writeState!(value)),
  ...wrong("writeState, w", "bad-state", (w) => (_, c) => c.writeState!({ w })),
  ...wrong(
    "writeState, data of w",
    "bad-state",
    (data) => (_, c) => c.writeState!({ w: { shape: [2], data } }),
  ),
  {
    title: "writeState, a name that every object has",
    code: "bad-state",
    call: (_, c) => c.writeState!({ ...state, toString: state.w }),
  },
  ...wrong("compile, step", "bad-step", (value) => (e) => e.compile!(value, spec), ["a function"]),
  ...wrong("compile, spec", "bad-input", (value) => (e) => e.compile!(step, value), [
    "an object that holds itself",
    "an object without a prototype",
    "a function",
  ]),
  ...wrong(
    "compile, state",
    "bad-state",
    (given) => (e) => e.compile!(step, { ...spec, state: given }),
    ["an object without a prototype"],
  ),
  ...wrong("compile, w", "bad-state", (w) => (e) => e.compile!(step, { ...spec, state: { w } })),
  ...wrong(
    "compile, shape of w",
    "bad-state",
    (shape) => (e) =>
      e.compile!(step, { ...spec, state: { w: { shape, data: Float32Array.of(1) } } }),
  ),
  ...[[-1, -2], [0.5, 4], [NaN]].map((shape) => ({
    title: `compile, state of shape [${shape.join()}]`,
    code: "bad-state",
    call: ((e) =>
      e.compile!(step, {
        ...spec,
        state: { w: { shape, data: new Float32Array(2) } },
      })) satisfies Case["call"],
  })),
  ...wrong(
    "compile, inputs",
    "bad-input",
    (inputs) => (e) => e.compile!(() => ({ state: {}, outputs: {} }), { state: {}, inputs }),
    ["an object without a prototype"],
  ),
  ...wrong(
    "compile, input x",
    "bad-input",
    (x) => (e) => e.compile!(step, { state, inputs: { x } }),
  ),
  ...wrong(
    "compile, shape of x",
    "bad-input",
    (shape) => (e) => e.compile!(step, { state, inputs: { x: { shape } } }),
  ),
  ...wrong(
    "compile, dtype of x",
    "bad-input",
    (dtype) => (e) => e.compile!(step, { state, inputs: { x: { shape: [], dtype } } }),
    ["nothing", "null"],
  ),
  {
    title: "compile, a misspelt key of an input",
    code: "bad-input",
    call: (e) => e.compile!(step, { state, inputs: { x: { shape: [], type: "int32" } } }),
  },
  ...wrong(
    "compile, one of several steps",
    "bad-step",
    (value) => (e) => e.compile!({ a: value }, { state, inputs: { a: {} } }),
    ["a function"],
  ),
  ...wrong(
    "compile, inputs of several steps",
    "bad-input",
    (inputs) => (e) => e.compile!({ a: step }, { state, inputs }),
  ),
  ...wrong(
    "compile, inputs of one of several steps",
    "bad-input",
    (a) => (e) => e.compile!({ a: step }, { state, inputs: { a } }),
    ["an object without a prototype"],
  ),
];

describe.each(engineNames)("%s refuses", (name) => {
  test.for(cases)("$title", async ({ code, call }, context) => {
    needs(name, context);
    const [engine, own] = [engines[name], compiled[name]] as unknown as [Loose, Loose];
    await expectRefusal(() => call(engine, own), code);
    const { w } = (await compiled[name]!.readState()) as typeof state;
    expect([...w.data]).toEqual([1, 2]);
  });
});

test.for(["onnx"] as const)(
  "%s refuses to explain on what is none of its",
  async (name, context) => {
    needs(name, context);
    const own = compiled[name] as unknown as Loose;
    const empty = ["nothing", "an object without a prototype"];
    for (const [title, value] of strangers) {
      if (!empty.includes(title)) await expectRefusal(() => own.explain!(value), "bad-option");
      if (title === "nothing") continue;
      await expectRefusal(() => own.explain!({ runs: value }), "bad-option");
      if (value === null) continue;
      await expectRefusal(() => own.explain!({ inputs: value }), "bad-input");
    }
  },
);

/** Options that none of the strangers fits. */
const optionNames = [
  ...(["threads", "engines", "thread", "convolution", "memoryArena"] as const),
  ...(["precision", "xla", "backend", "processes"] as const),
];
/** The engine that takes an option, where not all do. */
const takers: Partial<Record<keyof EngineOptions, EngineName>> = {
  engines: "tensorflow",
  precision: "tensorflow",
  xla: "tensorflow",
};

test.for(optionNames)("createEngine refuses every wrong %s", async (option, context) => {
  const name = takers[option] ?? "onnx";
  needs(name, context);
  for (const [title, value] of strangers) {
    // True is right for two of them, any text for a third.
    if (title === "nothing" || typeof value === (option === "backend" ? "string" : "boolean"))
      continue;
    await expectRefusal(() => createEngine(name, { [option]: value }), "bad-option");
  }
  expect(strangers.length).toBeGreaterThan(3);
});

test("createEngine and engineReport refuse options that are none, and names that do not exist", async () => {
  const none = ["nothing", "an object without a prototype"];
  for (const [title, value] of strangers) {
    if (!none.includes(title)) {
      await expectRefusal(() => createEngine("onnx", value as EngineOptions), "bad-option");
      await expectRefusal(() => engineReport(value as EngineOptions), "bad-option");
    }
    if (title !== "nothing")
      await expectRefusal(() => createEngine(value as EngineName), "unknown-engine");
  }
  await expectRefusal(() => createEngine("onnx", { thraeds: 1 } as EngineOptions), "bad-option");
});

test("thread groups refuse what is no group, and sizes and ranks that are none", async () => {
  const group = createThreadGroup(2);
  for (const [, value] of strangers) {
    await expectRefusal(() => createThreadGroup(value as number), "bad-option");
    await expectRefusal(() => joinThreadGroup(value as typeof group, 0), "bad-option");
    await expectRefusal(() => joinThreadGroup(group, value as number), "bad-option");
    await expectRefusal(() => breakThreadGroup(value as typeof group), "bad-option");
  }
});
