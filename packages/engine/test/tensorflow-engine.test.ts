/** What only the tensorflow engine has to keep: variables that share no memory with the caller, and one TensorFlow for
 *  all engines of a process. */
import "@tensorflow/tfjs-backend-cpu";
import { createEngine, type Step } from "@lejepa/engine";
import { adamw, type HostTensors } from "@lejepa/ops";
import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, test } from "vitest";
import { needs } from "../../../tools/backends.js";

beforeAll(() => tf.setBackend("cpu"));

/** Functions that hand on what they are given, some of them with TensorFlow's own short cuts for cases that change
 *  nothing. */
const handedOn: [string, (x: tf.Tensor, w: tf.Tensor) => tf.Tensor][] = [
  ["as it is", (x) => x],
  ["as a clone", (x) => tf.clone(x)],
  ["reshaped", (x) => tf.reshape(tf.reshape(x, [4, 4]), [1, 16])],
  ["transposed", (x) => tf.reshape(tf.transpose(x), [1, 16])],
  ["summed over an axis of 1", (x) => tf.reshape(tf.sum(x, 0), [1, 16])],
  ["averaged over an axis of 1, kept", (x) => tf.mean(x, 0, true)],
  ["with its maximum over an axis of 1", (x) => tf.max(x, 0, true)],
  ["negated twice", (x) => tf.neg(tf.neg(x))],
  ["inverted twice", (x) => tf.reciprocal(tf.reciprocal(x))],
  ["times 1", (x) => tf.mul(x, 1)],
  ["plus zeros", (x) => tf.add(x, tf.zeros([1, 16]))],
  ["to the power of 1", (x) => tf.pow(x, 1)],
  ["minus 0, divided by 1", (x) => tf.div(tf.sub(x, 0), 1)],
  ["in one piece of a split", (x) => tf.split(tf.concat([x, x], 0), 2, 0)[0]!],
  ["split and joined", (x) => tf.concat(tf.split(x as tf.Tensor2D, 4, 1), 1)],
  ["joined alone", (x) => tf.concat([x], 1)],
  ["stacked and taken apart", (x) => tf.unstack(tf.stack([x, x]))[1]!],
  ["sliced", (x) => tf.slice(x as tf.Tensor2D, [0, 0], [1, 16])],
  ["reversed twice", (x) => tf.reverse(tf.reverse(x, 1), 1)],
  [
    "padded with nothing",
    (x) =>
      tf.pad(x as tf.Tensor2D, [
        [0, 0],
        [0, 0],
      ]),
  ],
  ["tiled once", (x) => tf.tile(x, [1, 1])],
  ["broadcast to its own shape", (x) => tf.broadcastTo(x, [1, 16])],
  ["gathered in order", (x) => tf.gather(x, tf.range(0, 1, 1, "int32"), 0)],
  ["cast to and fro", (x) => tf.cast(tf.cast(x, "int32"), "float32")],
  ["selected where always true", (x) => tf.where(tf.cast(tf.onesLike(x), "bool"), x, tf.neg(x))],
  ["clipped to far bounds", (x) => tf.clipByValue(x, -1e30, 1e30)],
  ["rectified", (x) => tf.relu(x)],
  ["as its own absolute value", (x) => tf.abs(x)],
  ["summed with nothing else", (x) => tf.addN([x])],
  ["plus what is zero", (x, w) => tf.add(x, tf.sub(w, w))],
  ["times what is one", (x, w) => tf.mul(x, tf.div(tf.exp(w), tf.exp(w)))],
  ["transposed twice", (x) => tf.transpose(tf.transpose(x))],
];

describe("a state that an input is handed on to is not the caller's memory", () => {
  test.for(handedOn)("%s", async ([, handOn], context) => {
    needs("tensorflow", context);
    const engine = await createEngine("tensorflow", { thread: "main" });
    const step = await engine.compile(
      ({ w }, { x }) => ({ state: { w: handOn(x!, w!) }, outputs: { before: w! } }),
      {
        state: { w: { shape: [1, 16], data: new Float32Array(16) } },
        inputs: { x: { shape: [1, 16] } },
      },
    );
    const wanted = Array.from({ length: 16 }, (_, i) => i + 1);
    // TensorFlow takes memory in place only where its address suits it: one of four places that are 16 bytes apart.
    const buffer = new ArrayBuffer(64 * 16);
    for (let place = 0; place < 8; place++) {
      const x = new Float32Array(buffer, 16 * place, 16);
      x.set(wanted);
      await step.run({ x });
      x.fill(-1);
      expect([...(await step.readState()).w!.data]).toEqual(wanted);
      const { before } = await step.run({ x });
      expect([...before!.data]).toEqual(wanted);
    }
    await engine.dispose();
  });

  test("nor is one that is written", async (context) => {
    needs("tensorflow", context);
    const engine = await createEngine("tensorflow", { thread: "main" });
    const step: Step = ({ w }) => ({ state: { w: w! }, outputs: { sum: tf.sum(w!) } });
    const buffer = new ArrayBuffer(64 * 16);
    for (let place = 0; place < 8; place++) {
      const data = new Float32Array(buffer, 16 * place, 16).fill(1);
      const compiled = await engine.compile(step, {
        state: { w: { shape: [16], data } },
        inputs: {},
      });
      data.fill(2);
      expect((await compiled.run({})).sum!.data[0]).toBe(16);
      await compiled.writeState({ w: { shape: [16], data } });
      data.fill(3);
      expect((await compiled.run({})).sum!.data[0]).toBe(32);
      const { w } = await compiled.readState();
      w!.data.fill(5);
      expect((await compiled.run({})).sum!.data[0]).toBe(32);
    }
    await engine.dispose();
  });
});

test("states that are exchanged, and one that becomes a constant, are all computed from what was", async (context) => {
  needs("tensorflow", context);
  const engine = await createEngine("tensorflow");
  const step = await engine.compile(
    ({ a, b, c, d }) => ({
      state: { a: b!, b: a!, c: tf.add(c!, d!), d: tf.zeros([2]) },
      outputs: { a: a!, c: c! },
    }),
    {
      state: Object.fromEntries(
        ["a", "b", "c", "d"].map((name, i) => [
          name,
          { shape: [2], data: Float32Array.of(i + 1, 10 * (i + 1)) },
        ]),
      ),
      inputs: {},
    },
  );
  const seen = [];
  for (let i = 0; i < 3; i++) {
    const { a, c } = await step.run({});
    seen.push([...a!.data, ...c!.data]);
  }
  expect(seen).toEqual([
    [1, 10, 3, 30],
    [2, 20, 7, 70],
    [1, 10, 7, 70],
  ]);
  const state = await step.readState();
  expect(Object.values(state).map(({ data }) => [...data])).toEqual([
    [2, 20],
    [1, 10],
    [7, 70],
    [0, 0],
  ]);
  await engine.dispose();
});

test("engines of a process share TensorFlow's threads, and another number is refused", async (context) => {
  needs("tensorflow", context);
  const first = await createEngine("tensorflow");
  const threads = Number(/(\d+) threads?$/.exec(first.description)![1]);
  const same = await createEngine("tensorflow", { threads });
  expect(same.description).toBe(first.description);
  await expect(createEngine("tensorflow", { threads: threads + 1 })).rejects.toMatchObject({
    code: "bad-option",
    message: expect.stringMatching(
      new RegExp(`runs with ${threads} threads?.*cannot change to ${threads + 1}`),
    ) as string,
  });
  await first.dispose();
  await same.dispose();
});

test("several engines, threads and programs in one process keep their states apart", async (context) => {
  needs("tensorflow", context);
  const engines = [
    await createEngine("tensorflow"),
    await createEngine("tensorflow"),
    await createEngine("tensorflow", { thread: "main" }),
    await createEngine("onnx"),
  ];
  const count: Step = ({ n }, { by }) => ({
    state: { n: tf.add(n!, by!) },
    outputs: { n: tf.mul(n!, 1000) },
  });
  const spec = {
    state: { n: { shape: [], data: Float32Array.of(0) } },
    inputs: { by: { shape: [] } },
  };
  const programs = [];
  for (const engine of [...engines, ...engines]) programs.push(await engine.compile(count, spec));
  for (let i = 0; i < 3; i++)
    await Promise.all(programs.map((program, by) => program.run({ by: by + 1 })));
  const values = await Promise.all(programs.map((program) => program.readState()));
  expect(values.map(({ n }) => n!.data[0])).toEqual([3, 6, 9, 12, 15, 18, 21, 24]);
  // One that goes leaves the others alone.
  await programs[0]!.dispose();
  await engines[1]!.dispose();
  const { n } = await programs[4]!.run({ by: 1 });
  expect(n!.data[0]).toBe(15_000);
  await expect(programs[5]!.run({ by: 1 })).rejects.toMatchObject({ code: "disposed" });
  for (const engine of engines) await engine.dispose();
});

test("what TensorFlow reports while a step runs is the error of that run, and the state stays", async (context) => {
  needs("tensorflow", context);
  for (const thread of ["worker", "main"] as const) {
    const engine = await createEngine("tensorflow", { thread });
    const step = await engine.compile(
      ({ n }, { place }) => ({
        state: { n: tf.add(n!, 1) },
        outputs: { y: tf.gather(tf.add(tf.tensor1d([1, 2, 3]), n!), place as tf.Tensor1D) },
      }),
      {
        state: { n: { shape: [], data: Float32Array.of(0) } },
        inputs: { place: { shape: [1], dtype: "int32" } },
      },
    );
    await expect(step.run({ place: Int32Array.of(7) })).rejects.toThrow(
      /^run: GatherV2: the index value 7 .*is not in \[0, 2\]/,
    );
    expect((await step.readState()).n!.data[0]).toBe(0);
    const { y } = await step.run({ place: Int32Array.of(2) });
    expect(y!.data[0]).toBe(3);
    await engine.dispose();
  }
});

describe("parameters that AdamW updates in place", () => {
  const names = ["w", "b"];
  const constants = { beta1: 0.9, beta2: 0.999, epsilon: 1e-8 };
  const start = (): HostTensors =>
    Object.fromEntries(
      names.flatMap((name, k) =>
        ["", ".mean", ".square"].map((kind, i) => [
          name + kind,
          {
            shape: [2, 3],
            data: Float32Array.from({ length: 6 }, (_, j) =>
              i === 0 ? Math.sin(7 * k + j) : 1e-3 * i * Math.abs(Math.cos(k + j)),
            ),
          },
        ]),
      ),
    );
  const inputs = {
    ...{ learningRate: { shape: [] }, correction1: { shape: [] }, correction2: { shape: [] } },
    place: { shape: [1], dtype: "int32" },
  } as const;
  const given = (step: number) => ({
    learningRate: 0.1,
    correction1: 1 - 0.9 ** (step + 1),
    correction2: 1 - 0.999 ** (step + 1),
    place: Int32Array.of(step % 3),
  });
  /** "w" decays and "b" does not; the gradients are of (w b)^2. It hands out w and b as they were, and a number that is
   *  not there where `place` is 3 or more. */
  const step: Step = (state, { learningRate, correction1, correction2, place }) => {
    const gradients = {
      w: tf.mul(tf.mul(2, state.w!), tf.square(state.b!)),
      b: tf.mul(tf.mul(2, state.b!), tf.square(state.w!)),
    };
    const schedule = {
      learningRate: learningRate!,
      correction1: correction1!,
      correction2: correction2!,
    };
    const updated = names.map((name) =>
      adamw(
        {
          ...schedule,
          parameter: state[name]!,
          mean: state[`${name}.mean`]!,
          square: state[`${name}.square`]!,
          gradient: gradients[name as keyof typeof gradients],
        },
        { ...constants, weightDecay: name === "w" ? 0.5 : 0 },
      ),
    );
    return {
      state: Object.fromEntries(
        updated.flatMap(({ parameter, mean, square }, i) => [
          [names[i]!, parameter],
          [`${names[i]!}.mean`, mean],
          [`${names[i]!}.square`, square],
        ]),
      ),
      outputs: { w: state.w!, b: state.b!, there: tf.gather(tf.range(0, 3), place as tf.Tensor1D) },
    };
  };

  test("get the values of the composition, and what was read before stays as it was", async (context) => {
    needs("tensorflow", context);
    const eager = await createEngine("eager", { backend: "cpu" });
    const tensorflow = await createEngine("tensorflow", { thread: "main" });
    const [wanted, got] = [
      await eager.compile(step, { state: start(), inputs }),
      await tensorflow.compile(step, { state: start(), inputs }),
    ];
    const read = await got.readState();
    let previous = start();
    for (let i = 0; i < 5; i++) {
      await wanted.run(given(i));
      const { w, b } = await got.run(given(i));
      expect([...w!.data, ...b!.data]).toEqual([...previous.w!.data, ...previous.b!.data]);
      previous = await got.readState();
      // TensorFlow takes 1 - 0.999 in float32, which is 1.3e-5 of itself too little.
      for (const [name, { data }] of Object.entries(await wanted.readState()))
        data.forEach((value, j) => expect(previous[name]!.data[j], name).toBeCloseTo(value, 5));
    }
    expect(read).toEqual(start());
    expect(previous.w!.data).not.toEqual(start().w!.data);
    await eager.dispose();
    await tensorflow.dispose();
  });

  test("stay as they were where the run fails", async (context) => {
    needs("tensorflow", context);
    const engine = await createEngine("tensorflow", { thread: "main" });
    const compiled = await engine.compile(step, { state: start(), inputs });
    await compiled.run(given(0));
    const before = await compiled.readState();
    await expect(compiled.run({ ...given(1), place: Int32Array.of(7) })).rejects.toThrow(
      /^run: GatherV2: the index value 7 .*is not in \[0, 2\]/,
    );
    expect(await compiled.readState()).toEqual(before);
    await compiled.run(given(1));
    expect((await compiled.readState()).w!.data).not.toEqual(before.w!.data);
    await engine.dispose();
  });

  test("leave a state alone that shares their memory", async (context) => {
    needs("tensorflow", context);
    const engine = await createEngine("tensorflow", { thread: "main" });
    const compiled = await engine.compile(
      ({ before, ...state }, input) => {
        void before;
        const next = step(state, input);
        return { state: { ...next.state, before: state.b! }, outputs: next.outputs };
      },
      { state: { ...start(), before: start().b! }, inputs },
    );
    for (let i = 0; i < 3; i++) {
      const { b } = await compiled.readState();
      await compiled.run(given(i));
      const { b: after, before } = await compiled.readState();
      expect(before).toEqual(b);
      expect(after).not.toEqual(b);
    }
    await engine.dispose();
  });
});

test("explain is refused, and says where to ask", async (context) => {
  needs("tensorflow", context);
  for (const thread of ["worker", "main"] as const) {
    const engine = await createEngine("tensorflow", { thread });
    const compiled = await engine.compile(
      ({ w }) => ({ state: { w: tf.add(w!, 1) }, outputs: {} }),
      { state: { w: { shape: [], data: Float32Array.of(0) } }, inputs: {} },
    );
    await expect(compiled.explain()).rejects.toMatchObject({
      name: "LejepaError",
      code: "no-profile",
      message: expect.stringContaining('"onnx" engine') as string,
    });
    await expect(compiled.explain({ runs: 0 })).rejects.toMatchObject({ code: "bad-option" });
    await compiled.run({});
    expect((await compiled.readState()).w!.data[0]).toBe(1);
    await engine.dispose();
  }
});
