import "@tensorflow/tfjs-backend-cpu";
import {
  createEngine,
  type Engine,
  type EngineName,
  type ProcessGroup,
  type Step,
} from "@lejepa/engine";
import { allReduceMean } from "@lejepa/ops";
import * as tf from "@tensorflow/tfjs-core";
import { afterEach, beforeAll, describe, expect, test } from "vitest";
import { needs } from "../../../tools/backends.js";
import { localGroups } from "./ranks/local-groups.js";

beforeAll(() => tf.setBackend("cpu"));
const engines: Engine[] = [];
afterEach(async () => {
  for (const engine of engines.splice(0)) await engine.dispose();
});

async function start(
  name: EngineName,
  processes?: ProcessGroup,
  thread: "main" | "worker" = "main",
): Promise<Engine> {
  const engine = await createEngine(name, { thread, ...(processes && { processes }) });
  engines.push(engine);
  return engine;
}

const size = 6;
const state = {
  w: { shape: [2, 3], data: Float32Array.of(0.1, -0.2, 0.3, 0.4, 0.5, -0.6) },
  best: { shape: [], data: Float32Array.of(10) },
  kept: { shape: [2], data: Float32Array.of(1, 2) },
};
const data = {
  x: Float32Array.from({ length: size * 2 }, (_, i) => Math.sin(3 * i)),
  y: Float32Array.from({ length: size * 3 }, (_, i) => Math.cos(i)),
};
const columns = { x: 2, y: 3 };

type Tensors = Readonly<Record<string, tf.Tensor>>;

/** The loss that is the same on every process, and the gradient of w averaged over them. K = 0: without exchange. */
const gradient = (w: tf.Tensor, { x, y }: Tensors, processes: number, whole: number) => {
  const rows = x!.shape[0];
  const average = (t: tf.Tensor): tf.Tensor =>
    processes === 0 ? t : allReduceMean(tf.mul(t, (processes * rows) / whole));
  const { value, grads } = tf.valueAndGrads((w: tf.Tensor) => {
    const z = tf.relu(tf.matMul(x as tf.Tensor2D, w as tf.Tensor2D));
    const centre = average(tf.mean(z, 0));
    const residual = tf.sub(tf.sub(z, centre), y!);
    const scale = tf.exp(tf.neg(average(tf.mean(tf.square(z)))));
    return tf.mul<tf.Scalar>(average(tf.mean(tf.square(residual))), scale);
  })([w]);
  return { loss: value, dw: processes === 0 ? grads[0]! : allReduceMean(grads[0]!) };
};
const apply = (state: Tensors, dw: tf.Tensor, lr: tf.Tensor, loss: tf.Tensor) => ({
  w: tf.sub(state["w"]!, tf.mul(dw, lr)),
  best: tf.minimum(state["best"]!, loss),
  kept: state["kept"]!,
});
const stepOf =
  (processes: number, whole = size): Step =>
  (state, inputs) => {
    const { loss, dw } = gradient(state["w"]!, inputs, processes, whole);
    return {
      state: apply(state, dw, inputs["lr"]!, loss),
      outputs: { loss, before: tf.sum(state["w"]!) },
    };
  };
const inputsFor = (rows: number) => ({
  x: { shape: [rows, 2] },
  y: { shape: [rows, 3] },
  lr: { shape: [] },
});
const part = (from: number, rows: number) =>
  Object.fromEntries(
    (["x", "y"] as const).map((name) => {
      const width = columns[name];
      return [name, data[name].slice(from * width, (from + rows) * width)];
    }),
  ) as typeof data;

const expectClose = (got: ArrayLike<number>, expected: ArrayLike<number>) => {
  expect(got).toHaveLength(expected.length);
  Array.from(got).forEach((value, i) => expect(value).toBeCloseTo(expected[i]!, 5));
};

const code = async (run: () => Promise<unknown>): Promise<unknown> => {
  try {
    await run();
  } catch (error) {
    return (error as { code: unknown }).code;
  }
  return "returned";
};

describe.each(["onnx", "tensorflow"] as const)("on the %s engine", (name) => {
  describe.each(["main", "worker"] as const)("computing in the %s thread", (thread) => {
    test.for([{ rows: [3, 3] }, { rows: [2, 2, 2] }, { rows: [1, 5] }])(
      "rows shared out as $rows make the steps of the whole",
      async ({ rows }, context) => {
        needs(name, context);
        const alone = await (
          await start(name)
        ).compile(stepOf(0), {
          state,
          inputs: inputsFor(size),
        });
        const groups = localGroups(rows.length);
        const ranks = await Promise.all(
          groups.map(async (group, rank) =>
            (await start(name, group, thread)).compile(stepOf(rows.length), {
              state,
              inputs: inputsFor(rows[rank]!),
            }),
          ),
        );
        for (let step = 0; step < 3; step++) {
          const lr = 0.3 / (step + 1);
          const expected = await alone.run({ ...data, lr });
          let from = 0;
          const results = await Promise.all(
            ranks.map((compiled, rank) => {
              const own = part(from, rows[rank]!);
              from += rows[rank]!;
              return compiled.run({ ...own, lr });
            }),
          );
          for (const outputs of results) {
            expect(Object.keys(outputs)).toEqual(["loss", "before"]);
            expectClose(outputs["loss"]!.data, expected["loss"]!.data);
            expectClose(outputs["before"]!.data, expected["before"]!.data);
          }
        }
        const expected = await alone.readState();
        const [first, ...others] = await Promise.all(ranks.map((compiled) => compiled.readState()));
        expectClose(first!["w"]!.data, expected["w"]!.data);
        expectClose(first!["best"]!.data, expected["best"]!.data);
        expect([...first!["kept"]!.data]).toEqual([1, 2]);
        // To the bit: otherwise they would drift apart.
        for (const other of others) expect(other).toEqual(first);
      },
    );
  });

  test("grads and apply are steps of one program too, with the exchange between them", async (context) => {
    needs(name, context);
    const [mine, other] = localGroups(2) as [ProcessGroup, ProcessGroup];
    const steps = {
      grads: ((state, inputs) => {
        const { loss, dw } = gradient(state["w"]!, inputs, 2, size);
        return { state, outputs: { loss, dw } };
      }) as Step,
      apply: ((state, { dw, lr, loss }) => ({
        state: apply(state, dw!, lr!, loss!),
        outputs: {},
      })) as Step,
    };
    const programs = await Promise.all(
      [mine, other].map(async (group) =>
        (await start(name, group)).compile(steps, {
          state,
          inputs: {
            grads: { x: { shape: [3, 2] }, y: { shape: [3, 3] } },
            apply: { dw: { shape: [2, 3] }, lr: { shape: [] }, loss: { shape: [] } },
          },
        }),
      ),
    );
    const gradients = await Promise.all(
      programs.map(({ entries }, rank) => entries.grads.run(part(3 * rank, 3))),
    );
    await Promise.all(
      programs.map(({ entries }, rank) =>
        entries.apply.run({
          dw: gradients[rank]!["dw"]!,
          loss: gradients[rank]!["loss"]!,
          lr: 0.3,
        }),
      ),
    );
    const alone = await (await start(name)).compile(stepOf(0), { state, inputs: inputsFor(size) });
    await alone.run({ ...data, lr: 0.3 });
    const expected = await alone.readState();
    for (const program of programs)
      expectClose((await program.readState())["w"]!.data, expected["w"]!.data);
  });

  describe("planted faults that must not go unnoticed", () => {
    test.for<{ title: string; step: Step }>([
      { title: "nothing is averaged", step: stepOf(0) },
      {
        title: "the gradient is left to each process",
        step: (state, inputs) => {
          const { loss } = gradient(state["w"]!, inputs, 2, size);
          const { dw } = gradient(state["w"]!, inputs, 0, size);
          return { state: apply(state, dw, inputs["lr"]!, loss), outputs: { loss, before: loss } };
        },
      },
      { title: "parts of different size weigh the same", step: stepOf(2, size * 1.5) },
    ])("$title: another state than that of the whole", async ({ step }, context) => {
      needs(name, context);
      const rows = [2, 4];
      const ranks = await Promise.all(
        localGroups(2).map(async (group, rank) =>
          (await start(name, group)).compile(step, { state, inputs: inputsFor(rows[rank]!) }),
        ),
      );
      await Promise.all(
        ranks.map((compiled, rank) => compiled.run({ ...part(2 * rank, rows[rank]!), lr: 0.3 })),
      );
      const alone = await (
        await start(name)
      ).compile(stepOf(0), { state, inputs: inputsFor(size) });
      await alone.run({ ...data, lr: 0.3 });
      const expected = (await alone.readState())["w"]!.data;
      for (const compiled of ranks) {
        const w = (await compiled.readState())["w"]!.data;
        expect(Math.max(...w.map((value, i) => Math.abs(value - expected[i]!)))).toBeGreaterThan(
          1e-3,
        );
      }
    });
  });

  test("masks and whole numbers cross an exchange as what they are", async (context) => {
    needs(name, context);
    const step: Step = (state, { x }) => {
      const e = tf.exp(x!);
      const mask = tf.greater(e, 1);
      const place = tf.argMax(e, 1);
      // Both are used before the exchange and behind it.
      const sums = tf.concat([
        tf.sum(tf.cast(mask, "float32"), 0),
        tf.reshape(tf.sum(tf.cast(place, "float32")), [1]),
      ]);
      const means = allReduceMean(sums);
      const where = tf.where(mask, tf.slice(means, 0, 2), tf.zeros([3, 2]));
      return { state, outputs: { where, place, last: tf.slice(means, 2, 1) } };
    };
    const compiled = await (
      await start(name, localGroups(1)[0])
    ).compile(step, { state: {}, inputs: { x: { shape: [3, 2] } } });
    const { where, place, last } = await compiled.run({ x: Float32Array.of(1, -1, 2, 3, -2, -1) });
    expect([...where!.data]).toEqual([2, 0, 2, 1, 0, 0]);
    expect([...place!.data]).toEqual([0, 1, 1]);
    expect([...last!.data]).toEqual([2]);
  });

  test("an exchange that fails leaves the state as it was, and the next step goes through", async (context) => {
    needs(name, context);
    let failing = true;
    const group: ProcessGroup = {
      rank: 0,
      size: 1,
      allReduceMean: () => (failing ? Promise.reject(new Error("cable out")) : Promise.resolve()),
    };
    const compiled = await (
      await start(name, group)
    ).compile(stepOf(1), {
      state,
      inputs: inputsFor(size),
    });
    await expect(compiled.run({ ...data, lr: 0.3 })).rejects.toThrow("cable out");
    expect([...(await compiled.readState())["w"]!.data]).toEqual([...state.w.data]);
    failing = false;
    await compiled.run({ ...data, lr: 0.3 });
    const alone = await (await start(name)).compile(stepOf(0), { state, inputs: inputsFor(size) });
    await alone.run({ ...data, lr: 0.3 });
    expectClose((await compiled.readState())["w"]!.data, (await alone.readState())["w"]!.data);
  });

  test("a step that averages needs a group, and explains nothing", async (context) => {
    needs(name, context);
    const spec = { state, inputs: inputsFor(size) };
    const engine = await start(name);
    expect(await code(() => engine.compile(stepOf(2), spec))).toBe("no-processes");
    await expect(engine.compile(stepOf(2), spec)).rejects.toThrow(/processes\.test\.ts:\d+/);
    const compiled = await (await start(name, localGroups(1)[0])).compile(stepOf(1), spec);
    expect(await code(() => compiled.explain())).toBe("no-graph");
  });
});

test("a step without averages is one graph, with a group as without", async (context) => {
  needs("onnx", context);
  const spec = { state, inputs: inputsFor(size) };
  const [with_, without] = await Promise.all([
    (await start("onnx", localGroups(1)[0])).compile(stepOf(0), spec),
    (await start("onnx")).compile(stepOf(0), spec),
  ]);
  expect(with_.nodes).toBe(without.nodes);
  expect((await with_.explain({ runs: 1 })).nodes).toEqual(
    (await without.explain({ runs: 1 })).nodes,
  );
});

describe("on the eager engine", () => {
  const spec = { state, inputs: inputsFor(size) };
  test("a step averages by its group", async (context) => {
    needs("eager", context);
    // Of one process that counts for two halves of the same rows.
    const group: ProcessGroup = { rank: 0, size: 1, allReduceMean: () => undefined };
    const compiled = await (await start("eager", group)).compile(stepOf(1), spec);
    const alone = await (await start("eager")).compile(stepOf(0), spec);
    const [got, expected] = [
      await compiled.run({ ...data, lr: 0.3 }),
      await alone.run({ ...data, lr: 0.3 }),
    ];
    expectClose(got["loss"]!.data, expected["loss"]!.data);
  });

  test("without a group, or with one that makes it wait, the step is refused", async (context) => {
    needs("eager", context);
    const compiled = await (await start("eager")).compile(stepOf(1), spec);
    expect(await code(() => compiled.run({ ...data, lr: 0.3 }))).toBe("no-processes");
    const waiting = await (await start("eager", localGroups(1)[0])).compile(stepOf(1), spec);
    expect(await code(() => waiting.run({ ...data, lr: 0.3 }))).toBe("bad-option");
    expect([...(await waiting.readState())["w"]!.data]).toEqual([...state.w.data]);
  });
});
