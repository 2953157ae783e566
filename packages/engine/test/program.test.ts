import "@tensorflow/tfjs-backend-cpu";
import { createEngine, type EngineName, type Step } from "@lejepa/engine";
import { adamw } from "@lejepa/ops";
import * as tf from "@tensorflow/tfjs-core";
import { InferenceSession } from "onnxruntime-node";
import { afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { needs } from "../../../tools/backends.js";
import type { TensorFlowAddon } from "../src/tensorflow/addon.js";
import { startTensorFlow } from "../src/tensorflow/start-tensorflow.js";

beforeAll(() => tf.setBackend("cpu"));
afterEach(() => vi.restoreAllMocks());

type Tensors = Readonly<Record<string, tf.Tensor>>;

const forward = (w: tf.Tensor, x: tf.Tensor) => tf.tanh(tf.matMul(x as tf.Tensor2D, w));
const gradient = (w: tf.Tensor, { x, y }: Tensors) =>
  tf.valueAndGrads((w: tf.Tensor) => tf.mean<tf.Scalar>(tf.square(tf.sub(forward(w, x!), y!))))([
    w,
  ]);
const descend = ({ w, count }: Tensors, dw: tf.Tensor, lr: tf.Tensor) => ({
  w: tf.sub(w!, tf.mul(dw, lr)),
  count: tf.add(count!, 1),
});

const steps = {
  step: (state, inputs) => {
    const { value, grads } = gradient(state.w!, inputs);
    return { state: descend(state, grads[0]!, inputs.lr!), outputs: { loss: value } };
  },
  grads: (state, inputs) => {
    const { value, grads } = gradient(state.w!, inputs);
    return { state, outputs: { loss: value, w: grads[0]! } };
  },
  apply: (state, { dw, lr }) => ({ state: descend(state, dw!, lr!), outputs: {} }),
  embed: (state, { x }) => ({ state, outputs: { z: forward(state.w!, x!) } }),
} satisfies Record<string, Step>;

const state = {
  w: { shape: [2, 3], data: Float32Array.of(0.1, -0.2, 0.3, 0.4, 0.5, -0.6) },
  count: { shape: [], data: Float32Array.of(0) },
};
const batch = { x: { shape: [4, 2] }, y: { shape: [4, 3] } };
const spec = {
  state,
  inputs: {
    step: { ...batch, lr: { shape: [] } },
    grads: batch,
    apply: { dw: { shape: [2, 3] }, lr: { shape: [] } },
    embed: { x: { shape: [1, 2] } },
  },
};
const data = {
  x: Float32Array.of(1, 0, 0, 1, 1, 1, -1, 0.5),
  y: Float32Array.from({ length: 12 }, (_, i) => Math.sin(i)),
};

describe.each(["onnx", "tensorflow", "eager"] as const)(
  "steps over one state on the %s engine",
  (name) => {
    const compile = async () => {
      const engine = await createEngine(name);
      return { engine, program: await engine.compile(steps, spec) };
    };

    test("see each other's changes: grads and apply do what step does", async (context) => {
      needs(name, context);
      const { engine, program } = await compile();
      const { step, grads, apply, embed } = program.entries;
      const one = { x: Float32Array.of(1, 2) };
      const before = (await embed.run(one)).z!;
      expect(before.shape).toEqual([1, 3]);
      const { loss } = await step.run({ ...data, lr: 0.5 });
      const stepped = await program.readState();
      expect((await embed.run(one)).z!.data).not.toEqual(before.data);

      await program.writeState(state);
      expect((await embed.run(one)).z!.data).toEqual(before.data);
      const { loss: again, w } = await grads.run(data);
      expect(again!.data).toEqual(loss!.data);
      expect((await program.readState()).w!.data).toEqual(state.w.data);
      await apply.run({ dw: w!, lr: 0.5 });
      const applied = await program.readState();
      for (let i = 0; i < 6; i++) expect(applied.w!.data[i]).toBeCloseTo(stepped.w!.data[i]!, 6);
      expect(applied.count!.data[0]).toBe(1);
      await engine.dispose();
    });

    test("refuse the inputs of one another, and everything after dispose", async (context) => {
      needs(name, context);
      const { engine, program } = await compile();
      const { embed, apply } = program.entries;
      await expect(embed.run({ ...data, lr: 1 })).rejects.toMatchObject({ code: "bad-input" });
      await expect(program.writeState({ w: state.w })).rejects.toMatchObject({ code: "bad-state" });
      await program.dispose();
      const gone = { code: "disposed" };
      await expect(apply.run({ dw: state.w, lr: 1 })).rejects.toMatchObject(gone);
      await expect(program.readState()).rejects.toMatchObject(gone);
      await engine.dispose();
    });

    test("are refused when names and inputs do not match, or there are none", async (context) => {
      needs(name, context);
      const engine = await createEngine(name);
      const inputs = { embed: { x: { shape: [1, 2] } } };
      const compileWrongly = (wrong: Record<string, Step>) =>
        engine.compile(wrong, { state, inputs });
      const { embed, grads } = steps;
      await expect(compileWrongly({ embed, grads })).rejects.toMatchObject({ code: "bad-input" });
      await expect(compileWrongly({ grads })).rejects.toMatchObject({ code: "bad-input" });
      await expect(engine.compile({}, { state, inputs: {} })).rejects.toMatchObject({
        code: "bad-step",
      });
      await engine.dispose();
    });
  },
);

/** A state of `floats` numbers that two entries read and one replaces. */
const large = (floats: number) =>
  [
    {
      read: (state: Tensors) => ({ state, outputs: { sum: tf.sum(state.w!) } }),
      write: ({ w }: Tensors) => ({ state: { w: tf.add(w!, 1) }, outputs: {} }),
      more: (state: Tensors) => ({ state, outputs: { max: tf.max(state.w!) } }),
    },
    {
      state: { w: { shape: [floats], data: new Float32Array(floats) } },
      inputs: { read: {}, write: {}, more: {} },
    },
  ] as const;

test("state is in memory once, however many steps there are", async (context) => {
  needs("onnx", context);
  const megabytes = () => process.memoryUsage().arrayBuffers / 1e6;
  const engine = await createEngine("onnx", { thread: "main" });
  const [steps, spec] = large(10e6);
  const before = megabytes();
  const { entries } = await engine.compile(steps, spec);
  for (let i = 0; i < 10; i++) await entries.read.run({});
  await entries.more.run({});
  expect(megabytes() - before).toBeGreaterThan(39);
  expect(megabytes() - before).toBeLessThan(50);
  await entries.write.run({});
  expect((await entries.read.run({})).sum!.data[0]).toBe(1e7);
  await engine.dispose();
});

test("equal graphs are one session, freed with the last of them", async (context) => {
  needs("onnx", context);
  const engine = await createEngine("onnx", { thread: "main" });
  const create = vi.spyOn(InferenceSession, "create");
  const first = await engine.compile(steps, spec);
  expect(create).toHaveBeenCalledTimes(4);
  const [second, third] = await Promise.all([
    engine.compile(steps.embed, { state, inputs: spec.inputs.embed }),
    engine.compile(steps.embed, { state, inputs: spec.inputs.embed }),
    engine.compile(steps.embed, { state, inputs: { x: { shape: [2, 2] } } }),
  ]);
  expect(create).toHaveBeenCalledTimes(5);
  const embedding = (await create.mock.results[3]!.value) as InferenceSession;
  const release = vi.spyOn(embedding, "release");

  // One session, but each has its own state.
  await first.entries.step.run({ ...data, lr: 1 });
  expect((await second.readState()).count!.data[0]).toBe(0);
  await first.dispose();
  await third.dispose();
  expect(release).not.toHaveBeenCalled();
  expect((await second.run({ x: Float32Array.of(0, 0) })).z!.data).toEqual(new Float32Array(3));
  await second.dispose();
  expect(release).toHaveBeenCalledOnce();
  await engine.compile(steps.embed, { state, inputs: spec.inputs.embed });
  expect(create).toHaveBeenCalledTimes(6);
  await engine.dispose();
});

test("many small tensors are a few arrays between steps, and their own names outside", async (context) => {
  needs("onnx", context);
  const engine = await createEngine("onnx", { thread: "main" });
  const create = vi.spyOn(InferenceSession, "create");
  const [letters, length] = ["pmv", 4];
  const names = [...letters].flatMap((letter) => Array.from({ length }, (_, i) => letter + i));
  const state = Object.fromEntries(
    names.map((name, i) => [name, { shape: [2, 1], data: Float32Array.of(i, i + 0.5) }]),
  );
  const constants = { beta1: 0.5, beta2: 0.5, epsilon: 1e-8, weightDecay: 0 };
  const train: Step = (tensors, { x }) => {
    const next = { ...tensors };
    for (let i = 0; i < length; i++) {
      const [parameter, mean, square] = [...letters].map((letter) => tensors[letter + i]!);
      const slots = { parameter: parameter!, mean: mean!, square: square!, gradient: x! };
      const one = tf.scalar(1);
      const rates = { learningRate: one, correction1: one, correction2: one };
      const updated = adamw({ ...slots, ...rates }, constants);
      next[`p${i}`] = updated.parameter;
      next[`m${i}`] = updated.mean;
      next[`v${i}`] = updated.square;
    }
    return { state: next, outputs: {} };
  };
  const program = await engine.compile(
    { train, embed: (state) => ({ state, outputs: { sum: tf.add(state.p0!, state.p3!) } }) },
    { state, inputs: { train: { x: { shape: [2, 1] } }, embed: {} } },
  );
  const { train: training, embed } = program.entries;
  const ports: number[][] = [];
  for (const { value } of create.mock.results) {
    const { inputNames, outputNames } = (await value) as InferenceSession;
    ports.push([inputNames.length, outputNames.length]);
  }
  expect(ports).toEqual([
    // The image; the gradients end to end and the scalars of the update: its tensors never leave the engine.
    [1, 3],
    [1, 1],
  ]);
  expect([...(await embed.run({})).sum!.data]).toEqual([3, 4]);
  await training.run({ x: Float32Array.of(2, 0) });
  const after = await program.readState();
  expect(Object.keys(after)).toEqual(names);
  expect(after.m1).toEqual({ shape: [2, 1], data: Float32Array.of(3.5, 2.75) });
  expect(after.v3).toEqual({ shape: [2, 1], data: Float32Array.of(7.5, 5.75) });
  await program.writeState(state);
  expect(await program.readState()).toEqual(state);
  expect([...(await embed.run({})).sum!.data]).toEqual([3, 4]);
  await engine.dispose();
});

test("an update that the step goes on to use and one that it does not change the same state", async (context) => {
  needs("onnx", context);
  const constants = { beta1: 0.5, beta2: 0.5, epsilon: 1e-8, weightDecay: 0.1 };
  const updated: Step = ({ p, m, v }, { x }) => {
    const rate = tf.scalar(0.5);
    const scalars = { learningRate: rate, correction1: rate, correction2: rate };
    const slots = { parameter: p!, mean: m!, square: v!, gradient: tf.mul(x!, p!) };
    const next = adamw({ ...slots, ...scalars }, constants);
    const state = { p: next.parameter, m: next.mean, v: next.square };
    return { state, outputs: {} };
  };
  const shown: Step = (state, inputs) => {
    const next = updated(state, inputs);
    return { ...next, outputs: { p: tf.mul(next.state.p!, 1.5) } };
  };
  const steps = { updated, shown };
  const x = { shape: [3] };
  const state = Object.fromEntries(
    ["p", "m", "v"].map((name, i) => [name, { shape: [3], data: Float32Array.of(1, i, 0.3) }]),
  );
  const [inPlace, eager] = await Promise.all(
    (["onnx", "eager"] as const).map(async (name) => {
      const engine = await createEngine(name);
      const program = await engine.compile(steps, {
        state,
        inputs: { updated: { x }, shown: { x } },
      });
      return { engine, program };
    }),
  );
  for (const entry of ["updated", "shown", "updated", "updated", "shown"] as const) {
    const given = { x: Float32Array.of(2, -1, 0.5) };
    const results = [];
    for (const { program } of [inPlace!, eager!]) {
      results.push(await program.entries[entry].run(given));
      // Looking at a step changes nothing.
      if (program === inPlace!.program) await program.entries.updated.explain({ runs: 2 });
    }
    const [own, wanted] = [await inPlace!.program.readState(), await eager!.program.readState()];
    for (const name of ["p", "m", "v"])
      own[name]!.data.forEach((value, i) => expect(value).toBeCloseTo(wanted[name]!.data[i]!, 5));
    for (const [i, value] of (results[0]!.p?.data ?? []).entries())
      expect(value).toBeCloseTo(results[1]!.p!.data[i]!, 5);
  }
  const costs = await inPlace!.program.entries.updated.explain({ runs: 2 });
  expect(costs.costs.map(({ op }) => op)).toContain("AdamW in place");
  for (const { engine } of [inPlace!, eager!]) await engine.dispose();
});

const rss = () => process.memoryUsage.rss() / 1e6;

/** Tensors that the addon holds in this thread, on whichever TensorFlow runs. */
async function tensorFlowTensors(name: EngineName): Promise<number> {
  if (name !== "tensorflow") return 0;
  const { addon } = await startTensorFlow();
  return (addon as TensorFlowAddon & { getNumOfTensors(): number }).getNumOfTensors();
}

const hosts = (["onnx", "tensorflow"] as const).flatMap((name) =>
  (["worker", "main"] as const).map((thread) => ({ name, thread })),
);

test.for(hosts)(
  "2,000 steps on $name in the $thread thread leave memory and tensors as they were",
  async ({ name, thread }, context) => {
    needs(name, context);
    const engine = await createEngine(name, { thread });
    // 131 kB of state: one copy lost at each step would be 262 MB.
    const allowed = 60;
    const shape = [128, 128];
    const zeros = () => ({ shape, data: new Float32Array(128 * 128) });
    const step = await engine.compile(
      (state, { x }) => ({
        state: { w: tf.sub(state.w!, tf.mul(state.m!, 0.1)), m: tf.add(state.m!, x!) },
        outputs: { w: state.w!, mean: tf.mean(state.m!) },
      }),
      { state: { w: zeros(), m: zeros() }, inputs: { x: { shape } } },
    );
    const growth = async (body: () => Promise<unknown>, times: number) => {
      const [tensors, before] = [tf.memory().numTensors, rss()];
      for (let i = 0; i < times; i++) await body();
      expect(tf.memory().numTensors).toBe(tensors);
      return rss() - before;
    };
    const run = () => step.run({ x: new Float32Array(128 * 128) });
    // Memory rises until the young generation of the thread has reached its size once.
    await growth(run, 4000);
    const addonTensors = await tensorFlowTensors(name);
    expect(await growth(run, 2000)).toBeLessThan(allowed);
    expect(await tensorFlowTensors(name)).toBe(addonTensors);
    // The measure sees it when one copy of the state is lost each time, as soon as that has filled what earlier arrays
    // left to the allocator.
    const kept: unknown[] = [];
    const before = rss();
    while (kept.length < 20_000 && rss() - before <= allowed) kept.push(await step.readState());
    expect(rss() - before).toBeGreaterThan(allowed);
    await engine.dispose();
  },
);

test.for(hosts)(
  "runs that are asked for at once on $name in the $thread thread keep to their own inputs",
  async ({ name, thread }, context) => {
    needs(name, context);
    const engine = await createEngine(name, { thread });
    const shape = [64, 64];
    const step = await engine.compile(
      ({ sum }, { x, factor }) => ({
        state: { sum: tf.add(sum!, x!) },
        outputs: { same: x!, product: tf.mul(x!, factor!) },
      }),
      {
        state: { sum: { shape, data: new Float32Array(64 * 64) } },
        inputs: { x: { shape }, factor: { shape: [] } },
      },
    );
    const whole = (value: number) => new Float32Array(64 * 64).fill(value);
    const x = whole(0);
    const runs = [];
    for (let i = 1; i <= 12; i++) {
      runs.push(step.run({ x: whole(i), factor: i }));
      // Now and then nothing is under way, and memory that came back is used again.
      if (i % 4 === 0) await Promise.all(runs);
      if (i % 4 === 0) await step.run({ x, factor: 1 });
    }
    for (const [i, { same, product }] of (await Promise.all(runs)).entries()) {
      expect(same!.data).toEqual(whole(i + 1));
      expect(product!.data).toEqual(whole((i + 1) ** 2));
    }
    expect(x).toEqual(whole(0));
    expect((await step.readState()).sum!.data).toEqual(whole(78));
    await engine.dispose();
  },
);

test.for(hosts)(
  "dispose frees state and graph on $name in the $thread thread",
  async ({ name, thread }, context) => {
    needs(name, context);
    const engine = await createEngine(name, { thread });
    // 16 MB of state, and as much in the arena.
    const [steps, spec] = large(4e6);
    const once = async () => {
      const program = await engine.compile(steps, spec);
      await program.entries.write.run({});
      await program.dispose();
    };
    for (let i = 0; i < 3; i++) await once();
    const before = rss();
    for (let i = 0; i < 10; i++) await once();
    expect(rss() - before).toBeLessThan(150);
    await engine.dispose();
  },
);
