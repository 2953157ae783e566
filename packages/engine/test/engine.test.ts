import "@tensorflow/tfjs-backend-cpu";
import "@lejepa/ops";
import { createEngine, type CompiledStep, type Step } from "@lejepa/engine";
import * as tf from "@tensorflow/tfjs-core";
import { describe, expect, test } from "vitest";
import { needs } from "../../../tools/backends.js";

type Tensors = Readonly<Record<string, tf.Tensor>>;

/** Numbers that look random and are the same in every run. */
const wave = (size: number, seed: number, scale = 1): Float32Array =>
  Float32Array.from(
    { length: size },
    (_, i) => scale * Math.sin(12.9898 * (i + 1) + 78.233 * seed),
  );

const host = (shape: number[], seed: number, scale: number) => ({
  shape,
  data: wave(
    shape.reduce((a, b) => a * b, 1),
    seed,
    scale,
  ),
});
const ones = (length: number) => ({ shape: [length], data: new Float32Array(length).fill(1) });
const zeros = (length: number) => ({ shape: [length], data: new Float32Array(length) });

const [N, C] = [6, 8];
const parameters = {
  conv: host([3, 3, 2, C], 1, 0.3),
  gamma: ones(C),
  beta: zeros(C),
  qkv: host([C, 3 * C], 2, 0.3),
  out: host([C, 4], 3, 0.3),
  bias: zeros(4),
};
const names = Object.keys(parameters) as (keyof typeof parameters)[];

/** Convolution, batch norm with running statistics, max pool, attention, softmax cross entropy. */
function loss(p: Tensors, images: tf.Tensor, labels: tf.Tensor) {
  const y = tf.conv2d(images as tf.Tensor4D, p.conv as tf.Tensor4D, [2, 1], "same");
  const { mean, variance } = tf.moments(y, [0, 1, 2]);
  const hat = tf.mul(tf.sub(y, mean), tf.rsqrt(tf.add(variance, 1e-5)));
  const act = tf.relu<tf.Tensor4D>(tf.add(tf.mul(hat, p.gamma!), p.beta!));
  const pooled = tf.maxPool(act, 2, 2, "same");
  const tokens = pooled.shape[1] * pooled.shape[2];
  const rows = tf.reshape(pooled, [N * tokens, C]);
  const [q, k, v] = tf
    .split(tf.matMul(rows as tf.Tensor2D, p.qkv as tf.Tensor2D), 3, 1)
    .map((part) => tf.reshape(part, [N, tokens, C])) as [tf.Tensor, tf.Tensor, tf.Tensor];
  const weights = tf.softmax(tf.mul(tf.matMul(q, k, false, true), C ** -0.5));
  const mixed = tf.mean(tf.matMul(weights, v), 1);
  const logits = tf.add(tf.matMul(mixed as tf.Tensor2D, p.out as tf.Tensor2D), p.bias!);
  const target = tf.cast(tf.oneHot(labels as tf.Tensor1D, 4), "float32");
  const shifted = tf.sub(logits, tf.max(logits, 1, true));
  const logSoftmax = tf.sub(shifted, tf.log(tf.sum(tf.exp(shifted), 1, true)));
  return { value: tf.neg(tf.mean(tf.sum(tf.mul(target, logSoftmax), 1))), mean, logits };
}

/** AdamW with its moments and the running mean in the state. */
const train: Step = (state, { images, labels, lr }) => {
  const tensors = names.map((name) => state[name]!);
  let mean!: tf.Tensor;
  let logits!: tf.Tensor;
  const { value, grads } = tf.valueAndGrads((...ps: tf.Tensor[]) => {
    const result = loss(Object.fromEntries(ps.map((p, i) => [names[i]!, p])), images!, labels!);
    [mean, logits] = [tf.keep(result.mean), tf.keep(result.logits)];
    return result.value as tf.Scalar;
  })(tensors);
  const count = tf.add(state.count!, 1);
  const next: Record<string, tf.Tensor> = { count, scale: state.scale! };
  const correct = (decay: number) => tf.sub(1, tf.pow(decay, count));
  names.forEach((name, i) => {
    const m = tf.add(tf.mul(state[`m.${name}`]!, 0.9), tf.mul(grads[i]!, 0.1));
    const v = tf.add(tf.mul(state[`v.${name}`]!, 0.99), tf.mul(tf.square(grads[i]!), 0.01));
    const step = tf.div(tf.div(m, correct(0.9)), tf.add(tf.sqrt(tf.div(v, correct(0.99))), 1e-6));
    const decayed = tf.mul(state[name]!, tf.sub(1, tf.mul(lr!, 0.01)));
    Object.assign(next, {
      [name]: tf.sub(decayed, tf.mul(step, lr!)),
      [`m.${name}`]: m,
      [`v.${name}`]: v,
    });
  });
  next.running = tf.add(tf.mul(state.running!, 0.9), tf.mul(mean, 0.1));
  const outputs = { loss: value, predicted: tf.argMax(logits, 1) };
  tf.dispose([mean, logits]);
  return { state: next, outputs: { ...outputs } };
};

const state = {
  ...parameters,
  ...Object.fromEntries(
    names.flatMap((name) => {
      const { shape, data } = parameters[name];
      return [`m.${name}`, `v.${name}`].map((key) => [
        key,
        { shape, data: new Float32Array(data.length) },
      ]);
    }),
  ),
  running: zeros(C),
  count: { shape: [], data: Float32Array.of(0) },
  scale: ones(3),
};
const inputs = {
  images: { shape: [N, 9, 7, 2] },
  labels: { shape: [N], dtype: "int32" as const },
  lr: { shape: [] },
};
const inputsAt = (step: number) => ({
  images: wave(N * 9 * 7 * 2, step + 10),
  labels: Int32Array.from({ length: N }, (_, i) => (i * 7 + step) % 4),
  lr: 0.01 / (1 + step),
});

async function losses(step: CompiledStep, count: number): Promise<number[]> {
  const all: number[] = [];
  for (let i = 0; i < count; i++) all.push((await step.run(inputsAt(i))).loss!.data[0]!);
  return all;
}

test.for([
  ["onnx", "wasm"],
  ["onnx", "cpu"],
  ["tensorflow", "wasm"],
  ["tensorflow", "cpu"],
] as const)(
  "twenty steps compiled for %s and eager on %s give the same losses",
  async ([name, backend], context) => {
    needs(name, context);
    const [engine, eager] = [await createEngine(name), await createEngine("eager", { backend })];
    const spec = { state, inputs };
    const compiled = await engine.compile(train, spec);
    const reference = await eager.compile(train, spec);
    const [got, wanted] = [await losses(compiled, 20), await losses(reference, 20)];
    expect(new Set(wanted).size).toBe(20);
    got.forEach((value, i) => expect(Math.abs(value / wanted[i]! - 1)).toBeLessThan(1e-4));
    const [after, expected] = [await compiled.readState(), await reference.readState()];
    expect(Object.keys(after)).toEqual(Object.keys(expected));
    expect([...after.running!.data].map((x) => x.toFixed(3))).toEqual(
      [...expected.running!.data].map((x) => x.toFixed(3)),
    );
    expect(after.count!.data[0]).toBe(20);
    expect(compiled.nodes).toBeGreaterThan(50);
    await engine.dispose();
    await eager.dispose();
  },
);

describe.each(["onnx", "tensorflow", "eager"] as const)("the %s engine", (name) => {
  const compile = async () => {
    const engine = await createEngine(name);
    return { engine, step: await engine.compile(train, { state, inputs }) };
  };

  test("goes on from a state that was read and written back", async (context) => {
    needs(name, context);
    const { engine, step } = await compile();
    await losses(step, 2);
    const saved = await step.readState();
    const next = await losses(step, 2);
    expect(saved.count!.data[0]).toBe(2);
    await step.writeState(saved);
    expect(await losses(step, 2)).toEqual(next);
    await engine.dispose();
  });

  test("hands out arrays that later runs leave alone, and copies of the state", async (context) => {
    needs(name, context);
    const { engine, step } = await compile();
    const first = await step.run(inputsAt(0));
    const before = first.loss!.data[0];
    const read = await step.readState();
    read.gamma!.data.fill(100);
    await step.run(inputsAt(1));
    expect(first.loss!.data[0]).toBe(before);
    expect((await step.readState()).gamma!.data[0]).toBeLessThan(2);
    expect(state.gamma.data[0]).toBe(1);
    expect([...first.predicted!.data].every((label) => [0, 1, 2, 3].includes(label))).toBe(true);
    await engine.dispose();
  });

  test("takes inputs as arrays, host tensors, numbers, parts of larger and shared arrays", async (context) => {
    needs(name, context);
    const engine = await createEngine(name);
    const sum: Step = (_, { x, y, i }) => ({
      state: {},
      outputs: { sum: tf.add(tf.add(x!, y!), tf.cast(i!, "float32")) },
    });
    const step = await engine.compile(sum, {
      state: {},
      inputs: { x: { shape: [2] }, y: { shape: [] }, i: { shape: [2], dtype: "int32" } },
    });
    const data = Float32Array.of(9, 9, 1, 2).subarray(2);
    const i = Int32Array.of(10, 20);
    const shared = new Float32Array(new SharedArrayBuffer(8));
    shared.set([1, 2]);
    for (const x of [data, { shape: [2], data }, shared]) {
      const out = await step.run({ x, y: 0.5, i });
      expect([...out.sum!.data]).toEqual([11.5, 22.5]);
    }
    await engine.dispose();
  });

  test("refuses wrong inputs and states, and keeps its state then", async (context) => {
    needs(name, context);
    const { engine, step } = await compile();
    const good = inputsAt(0);
    const bad = { code: "bad-input" };
    await expect(step.run({ images: good.images, lr: 1 })).rejects.toMatchObject(bad);
    await expect(step.run({ ...good, more: 1 })).rejects.toMatchObject(bad);
    await expect(step.run({ ...good, images: good.images.subarray(1) })).rejects.toMatchObject(bad);
    await expect(step.run({ ...good, images: 1 })).rejects.toMatchObject(bad);
    await expect(step.run({ ...good, labels: new Float32Array(N) })).rejects.toMatchObject(bad);
    await expect(
      step.run({ ...good, images: { shape: [N, 7, 9, 2], data: good.images } }),
    ).rejects.toMatchObject(bad);
    for (const images of [[...good.images], "0", null, { shape: [N] }] as never[])
      await expect(step.run({ ...good, images })).rejects.toMatchObject(bad);
    const { gamma, ...rest } = await step.readState();
    const badState = { code: "bad-state" };
    await expect(step.writeState(rest)).rejects.toMatchObject(badState);
    await expect(step.writeState({ ...rest, gamma: zeros(3) })).rejects.toMatchObject(badState);
    await expect(step.writeState({ ...rest, gamma: gamma!, more: gamma! })).rejects.toMatchObject(
      badState,
    );
    expect((await step.readState()).count!.data[0]).toBe(0);
    await expect(
      engine.compile(train, { state, inputs: { images: { shape: [0] } } }),
    ).rejects.toMatchObject(bad);
    await engine.dispose();
  });

  test("refuses everything after dispose, and disposes twice in peace", async (context) => {
    needs(name, context);
    const { engine, step } = await compile();
    await step.dispose();
    await step.dispose();
    const gone = { code: "disposed" };
    await expect(step.run(inputsAt(0))).rejects.toMatchObject(gone);
    await expect(step.readState()).rejects.toMatchObject(gone);
    await expect(step.writeState(state)).rejects.toMatchObject(gone);
    await engine.dispose();
    await engine.dispose();
    await expect(engine.compile(train, { state, inputs })).rejects.toMatchObject({
      ...gone,
      message: expect.stringContaining("createEngine") as string,
    });
    await expect(
      engine.compile({ train }, { state, inputs: { train: inputs } }),
    ).rejects.toMatchObject(gone);
  });

  test("disposes with itself what it is about to compile, whether that succeeds or not", async (context) => {
    needs(name, context);
    await tf.setBackend("cpu");
    const before = tf.memory().numTensors;
    const engine = await createEngine(name);
    const compiling = engine.compile(train, { state, inputs });
    const failing = engine.compile(() => ({}) as never, { state: {}, inputs: {} });
    // The eager engine finds out in a run, if the engine is still there then.
    const refused = expect(failing.then((compiled) => compiled.run({}))).rejects.toMatchObject({
      code: expect.stringMatching(
        name === "eager" ? /^(bad-step|disposed)$/ : /^bad-step$/,
      ) as string,
    });
    await engine.dispose();
    await refused;
    await expect((await compiling).readState()).rejects.toMatchObject({ code: "disposed" });
    expect(tf.memory().numTensors).toBe(before);
  });

  test("leaves no tensor and no other backend behind", async (context) => {
    needs(name, context);
    await tf.setBackend("cpu");
    const before = tf.memory().numTensors;
    const { engine, step } = await compile();
    await losses(step, 3);
    await engine.dispose();
    expect(tf.memory().numTensors).toBe(before);
    expect(tf.getBackend()).toBe("cpu");
  });
});

test.for(["onnx", "tensorflow"] as const)(
  "calls that are not awaited run in order on %s",
  async (name, context) => {
    needs(name, context);
    const engine = await createEngine(name);
    const step = await engine.compile(train, { state, inputs });
    const runs = [0, 1, 2].map((i) => step.run(inputsAt(i)));
    const [last] = await Promise.all([step.readState(), ...runs]);
    expect(last.count!.data[0]).toBe(3);
    await engine.dispose();
  },
);

test("unknown engines, backends and options are refused", async () => {
  await expect(createEngine("tpu" as "onnx")).rejects.toMatchObject({ code: "unknown-engine" });
  await expect(createEngine("eager", { backend: "abacus" })).rejects.toMatchObject({
    code: "engine-unavailable",
  });
  await expect(createEngine("onnx", { threads: 0 })).rejects.toMatchObject({ code: "bad-option" });
});
