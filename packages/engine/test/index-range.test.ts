/** Indices outside of what they count in are refused when the step runs, by kernel and line, and the state stays. */
import "@lejepa/ops";
import type { Step } from "@lejepa/engine";
import * as tf from "@tensorflow/tfjs-core";
import { describe, expect, test } from "vitest";
import { needs } from "../../../tools/backends.js";
import { namedEngines } from "./named-engines.js";

const names = ["eager", "onnx", "tensorflow"] as const;
const engines = namedEngines();

interface Case {
  readonly title: string;
  readonly kernel: string;
  /** Of the indices. */
  readonly shape: readonly number[];
  /** y of x [3, 4] and the indices. */
  readonly run: (x: tf.Tensor, i: tf.Tensor) => tf.Tensor;
  /** Indices inside, and the result of x = 0, 1, .. 11. */
  readonly inside: readonly [indices: readonly number[], y: readonly number[]];
  readonly outside: readonly (readonly number[])[];
  /** Which of them tfjs's cpu backend takes: its check is of the whole place, or there is none. */
  readonly eagerTakes?: readonly number[];
  readonly withoutGradient?: true;
}

const cases: readonly Case[] = [
  {
    title: "gather",
    kernel: "GatherV2",
    shape: [2],
    run: (x, i) => tf.gather(x, i),
    inside: [
      [2, 0],
      [8, 9, 10, 11, 0, 1, 2, 3],
    ],
    outside: [
      [0, -1],
      [3, 0],
      [-3, 0],
      [1, 2 ** 31 - 1],
      [-(2 ** 31), 0],
    ],
  },
  {
    title: "gather along the last axis",
    kernel: "GatherV2",
    shape: [2],
    run: (x, i) => tf.gather(x, i, -1),
    inside: [
      [3, 3],
      [3, 3, 7, 7, 11, 11],
    ],
    outside: [
      [0, -1],
      [4, 0],
    ],
  },
  {
    title: "gather with a batch axis",
    kernel: "GatherV2",
    shape: [3, 1],
    run: (x, i) => tf.gather(x, i, 1, 1),
    inside: [
      [0, 1, 3],
      [0, 5, 11],
    ],
    outside: [
      [-1, 0, 0],
      [0, 4, 0],
    ],
    withoutGradient: true,
  },
  {
    title: "gatherND",
    kernel: "GatherNd",
    shape: [2, 2],
    run: (x, i) => tf.gatherND(x, i),
    inside: [
      [0, 1, 2, 3],
      [1, 11],
    ],
    outside: [
      [0, 0, -1, 0],
      [0, 0, 3, 0],
      [0, -1, 0, 0],
      [0, 4, 0, 0],
    ],
    eagerTakes: [3],
    withoutGradient: true,
  },
  {
    title: "scatterND along one axis",
    kernel: "ScatterNd",
    shape: [3, 1],
    run: (x, i) => tf.scatterND(i, x, [4, 4]),
    inside: [
      [1, 1, 3],
      [0, 0, 0, 0, 4, 6, 8, 10, 0, 0, 0, 0, 8, 9, 10, 11],
    ],
    outside: [
      [0, -1, 0],
      [0, 4, 0],
      [0, 2 ** 30, 0],
    ],
    withoutGradient: true,
  },
  {
    title: "scatterND along two axes",
    kernel: "ScatterNd",
    shape: [3, 2],
    run: (x, i) => tf.scatterND(i, tf.slice(tf.reshape(x, [12]), 0, 3), [2, 3]),
    inside: [
      [0, 0, 1, 2, 1, 2],
      [0, 0, 0, 0, 0, 3],
    ],
    outside: [
      [0, 0, 1, 3, 0, 0],
      [0, 0, 0, 3, 0, 0],
      [0, -1, 0, 0, 0, 0],
      [0, 0, 2, 0, 0, 0],
    ],
    eagerTakes: [1],
    withoutGradient: true,
  },
  {
    title: "tensorScatterUpdate",
    kernel: "TensorScatterUpdate",
    shape: [1, 1],
    run: (x, i) => tf.tensorScatterUpdate(x, i, tf.zeros([1, 4])),
    inside: [[1], [0, 1, 2, 3, 0, 0, 0, 0, 8, 9, 10, 11]],
    outside: [[-1], [3]],
    withoutGradient: true,
  },
  {
    title: "unsortedSegmentSum",
    kernel: "UnsortedSegmentSum",
    shape: [3],
    run: (x, i) => tf.unsortedSegmentSum(x, i as tf.Tensor1D, 2),
    inside: [
      [1, -1, 1],
      [0, 0, 0, 0, 8, 10, 12, 14],
    ],
    outside: [
      [0, 2, 0],
      [0, 3, 0],
      [0, 7, 0],
    ],
    eagerTakes: [0, 1, 2],
    withoutGradient: true,
  },
  {
    title: "bincount",
    kernel: "Bincount",
    shape: [4],
    run: (_x, i) => tf.bincount(i as tf.Tensor1D, tf.tensor1d([1, 2, 3, 4]), 3),
    inside: [
      [0, 2, 2, 5],
      [1, 0, 5],
    ],
    outside: [[0, -1, 0, 0]],
    withoutGradient: true,
  },
  {
    title: "denseBincount",
    kernel: "DenseBincount",
    shape: [2, 2],
    run: (_x, i) => tf.denseBincount(i as tf.Tensor2D, tf.tensor2d([], [0, 0]), 3),
    inside: [
      [0, 2, 2, 5],
      [1, 0, 1, 0, 0, 1],
    ],
    outside: [[0, -1, 0, 0]],
    withoutGradient: true,
  },
];

const x = Float32Array.from({ length: 12 }, (_, i) => i);

const three = (): tf.Tensor => tf.scalar(3, "int32");
const aroundThree = (i: tf.Tensor): tf.Tensor => tf.sub(tf.add(i, three()), three());

/** Where the indices come from, and what the step computes of y. */
const uses: readonly {
  readonly title: string;
  readonly indices: (i: tf.Tensor) => tf.Tensor;
  readonly of: "value" | "gradient";
}[] = [
  { title: "an input", indices: (i) => i, of: "value" },
  {
    title: "an input, reshaped",
    indices: (i) => tf.reshape(tf.reshape(i, [-1]), i.shape),
    of: "value",
  },
  { title: "numbers of the step", indices: aroundThree, of: "value" },
  { title: "an input whose values only the gradient needs", indices: (i) => i, of: "gradient" },
  {
    title: "numbers of the step whose values only the gradient needs",
    indices: aroundThree,
    of: "gradient",
  },
];

describe.each(names)("on %s", (name) => {
  for (const { title, kernel, shape, run, inside, outside, eagerTakes = [], ...more } of cases)
    for (const use of uses)
      if (use.of === "value" || more.withoutGradient === undefined)
        test(`${title} by ${use.title}`, async (context) => {
          needs(name, context);
          const step: Step = ({ w }, { i }) => {
            const indices = use.indices(i!);
            const y = (given: tf.Tensor): tf.Tensor => run(given, indices);
            const outputs = {
              y: use.of === "value" ? y(w!) : tf.grad((w) => tf.sum(y(w)))(w!),
            };
            return { state: { w: tf.add(w!, 1) }, outputs };
          };
          const compiled = await engines[name]!.compile(step, {
            state: { w: { shape: [3, 4], data: x } },
            inputs: { i: { shape, dtype: "int32" } },
          });
          for (const [at, indices] of outside.entries()) {
            if (name === "eager" && eagerTakes.includes(at)) continue;
            const error = await compiled.run({ i: Int32Array.from(indices) }).then(
              () => new Error(`${indices.join()} was taken`),
              (reason: Error) => reason,
            );
            const tells = name === "eager" ? "" : kernel;
            expect(error).toMatchObject({
              name: "LejepaError",
              code: "index-out-of-range",
              message: expect.stringMatching(
                new RegExp(`^run: [^\\n]*${tells}.*index-range\\.test\\.ts:\\d+:\\d+.*clip.*\\.$`),
              ) as string,
            });
          }
          expect([...(await compiled.readState())["w"]!.data]).toEqual([...x]);
          const { y, ...others } = await compiled.run({ i: Int32Array.from(inside[0]) });
          expect(others).toEqual({});
          if (use.of === "value") expect([...y!.data]).toEqual(inside[1]);
          else expect(y!.data.reduce((sum, value) => sum + value, 0)).toBe(inside[1].length);
          expect((await compiled.readState())["w"]!.data[0]).toBe(1);
          await compiled.dispose();
        });

  test("the message tells the index, the input and the range", async (context) => {
    needs(name, context);
    const step: Step = (state, { x, rows }) => ({ state, outputs: { y: tf.gather(x!, rows!) } });
    const compiled = await engines[name]!.compile(step, {
      state: {},
      inputs: { x: { shape: [3] }, rows: { shape: [2], dtype: "int32" } },
    });
    const inputs = { x: Float32Array.of(1, 2, 3), rows: Int32Array.of(1, 7) };
    const input = name === "eager" ? "" : '.*"rows"';
    await expect(compiled.run(inputs)).rejects.toThrow(
      new RegExp(`7${input}.* is not in \\[0, 2\\]`),
    );
  });

  test("indices that the step wrote down are refused when it is compiled", async (context) => {
    needs(name, context);
    for (const { kernel, shape, run, outside, eagerTakes = [] } of cases)
      for (const [at, indices] of outside.entries()) {
        if (name === "eager" && eagerTakes.includes(at)) continue;
        const step: Step = (state) => {
          const given = tf.tensor([...indices], [...shape], "int32");
          return { state, outputs: { y: run(tf.reshape(tf.range(0, 12), [3, 4]), given) } };
        };
        const compiling = engines[name]!.compile(step, { state: {}, inputs: {} });
        const refused = name === "eager" ? compiling.then((it) => it.run({})) : compiling;
        await expect(refused).rejects.toMatchObject({
          code: "index-out-of-range",
          message: expect.stringMatching(name === "eager" ? "clip" : kernel) as string,
        });
      }
  });

  test("one-hot rows of indices outside are rows of nothing, as in tfjs", async (context) => {
    needs(name, context);
    const step: Step = (state, { i }) => ({
      state,
      outputs: { y: tf.oneHot(i as tf.Tensor1D, 3) },
    });
    const compiled = await engines[name]!.compile(step, {
      state: {},
      inputs: { i: { shape: [3], dtype: "int32" } },
    });
    const { y } = await compiled.run({ i: Int32Array.of(-1, 1, 3) });
    expect([...y!.data]).toEqual([0, 0, 0, 0, 1, 0, 0, 0, 0]);
  });
});
