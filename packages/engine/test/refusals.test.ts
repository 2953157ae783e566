import "@tensorflow/tfjs-backend-cpu";
import { createEngine, type Engine, type EngineName, type Step } from "@lejepa/engine";
import * as tf from "@tensorflow/tfjs-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { namedBackends } from "../../../tools/backend-names.mjs";
import { needs } from "../../../tools/backends.js";

const names = ["onnx", "tensorflow"] as const;
const engines: Partial<Record<EngineName, Engine>> = {};
beforeAll(async () => {
  await tf.setBackend("cpu");
  for (const name of names)
    if (namedBackends.includes(name)) engines[name] = await createEngine(name);
});
afterAll(async () => {
  for (const engine of Object.values(engines)) await engine.dispose();
});

const spec = {
  state: { w: { shape: [2, 2], data: Float32Array.of(1, 2, 3, 4) } },
  inputs: { x: { shape: [2, 2] } },
};
const keep = (w: tf.Tensor, y: tf.Tensor) => ({ state: { w }, outputs: { y } });

const outside = tf.tensor2d([1, 2, 3, 4], [2, 2]);
let calls = 0;

interface Refusal {
  readonly title: string;
  readonly code: string;
  readonly step: Step;
  /** What the message must contain besides the line, where it names one. */
  readonly says: RegExp;
  readonly withoutLine?: true;
}

const refusals: readonly Refusal[] = [
  {
    title: "a kernel without a lowering",
    code: "unsupported-kernel",
    step: ({ w }, { x }) => keep(w!, tf.unique(x!).values),
    says: /Unique.*outside the step/,
  },
  {
    title: "a kernel that draws random numbers",
    code: "unsupported-kernel",
    step: ({ w }, { x }) => keep(w!, tf.multinomial(x as tf.Tensor2D, 3, 1)),
    says: /Multinomial.*input/,
  },
  {
    title: "a kernel that only another package knows",
    code: "unsupported-kernel",
    step: ({ w }, { x }) => keep(w!, tf.engine().runKernel<tf.Tensor>("TheirKernel", { x: x! })),
    says: /TheirKernel/,
  },
  {
    title: "a kernel called by the gradient of another",
    code: "unsupported-kernel",
    step: ({ w }, { x }) =>
      keep(
        w!,
        tf.customGrad((t) => ({
          value: tf.square(t as tf.Tensor),
          gradFunc: (dy: tf.Tensor) => tf.unique(dy).values,
        }))(x!),
      ) &&
      keep(
        w!,
        tf.grad((t) =>
          tf.customGrad((u) => ({
            value: tf.square(u as tf.Tensor),
            gradFunc: (dy: tf.Tensor) => tf.unique(dy).values,
          }))(t),
        )(x!),
      ),
    says: /Unique/,
  },
  {
    title: "a tensor of text",
    code: "unsupported-kernel",
    step: ({ w }, { x }) => {
      tf.tensor1d(["a", "b"]);
      return keep(w!, x!);
    },
    says: /string tensor.*float32/,
  },
  {
    title: "dataSync",
    code: "tensor-read",
    step: ({ w }, { x }) => keep(w!, tf.mul(x!, tf.sum(x!).dataSync()[0]!)),
    says: /result of kernel Sum.*outputs/,
  },
  {
    title: "arraySync whose exception the step swallows",
    code: "tensor-read",
    step: ({ w }, { x }) => {
      try {
        x!.arraySync();
      } catch {
        // Swallowed on purpose.
      }
      return keep(w!, x!);
    },
    says: /passed in.*outputs/,
  },
  {
    title: "data, which nobody awaits",
    code: "tensor-read",
    step: ({ w }, { x }) => {
      void x!.data();
      return keep(w!, x!);
    },
    says: /outputs/,
  },
  {
    title: "a variable",
    code: "variable-created",
    step: ({ w }, { x }) => keep(w!, tf.add(tf.variable(tf.exp(x!)), 1)),
    says: /result of kernel Exp.*state/,
  },
  {
    title: "a number that counts",
    code: "changing-constant",
    step: ({ w }, { x }) => keep(w!, tf.mul(x!, ++calls)),
    says: /kernel Multiply.*input/,
  },
  {
    title: "an attribute that counts",
    code: "changing-constant",
    step: ({ w }, { x }) => keep(w!, tf.clipByValue(x!, 0, ++calls)),
    says: /clipValueMax = \d+ of ClipByValue/,
  },
  ...Object.entries({
    "random numbers": () => tf.randomNormal([2, 2]),
    "random numbers with a seed": () => tf.randomNormal([2, 2], 0, 1, "float32", 7),
    "uniform random numbers with a seed": () => tf.randomUniform([2, 2], 0, 1, "float32", 7),
    "whole random numbers with a seed": () =>
      tf.cast(tf.randomUniformInt([2, 2], 0, 9, 7), "float32"),
    "truncated normal numbers with a seed": () => tf.truncatedNormal([2, 2], 0, 1, "float32", 7),
    "standard normal numbers with a seed": () => tf.randomStandardNormal([2, 2], "float32", 7),
    "gamma numbers with a seed": () => tf.randomGamma([2, 2], 1, 1, "float32", 7),
    "numbers of a function of one's own": () => tf.rand([2, 2], () => 0.5),
    "a dropout with a seed": () => tf.dropout(tf.ones([2, 2]), 0.5, undefined, 7),
  }).map(([title, draw]): Refusal => ({
    title,
    code: "random-draw",
    step: ({ w }, { x }) => keep(w!, tf.add(x!, draw())),
    says: /tf\.(rand|truncated)\w* at \S*refusals\.test\.ts:.*with a seed or without.*input/,
  })),
  {
    title: "random numbers of JavaScript",
    code: "changing-constant",
    step: ({ w }, { x }) => keep(w!, tf.add(x!, Math.random())),
    says: /kernel Add.*input/,
  },
  {
    title: "a constant whose shape changes",
    code: "changing-constant",
    step: ({ w }, { x }) => keep(w!, tf.mul(tf.sum(x!), tf.ones([++calls]))),
    says: /shape/,
  },
  {
    title: "other operations each time",
    code: "changing-structure",
    step: ({ w }, { x }) => keep(w!, ++calls % 2 ? tf.sin(x!) : tf.cos(x!)),
    says: /Sin|Cos/,
  },
  {
    title: "one operation more each time",
    code: "changing-structure",
    step: ({ w }, { x }) => {
      let y = x!;
      calls++;
      for (let i = 0; i < calls; i++) y = tf.sin(y);
      return keep(w!, y);
    },
    says: /Sin/,
  },
  {
    title: "outputs with other names each time",
    code: "changing-structure",
    step: ({ w }, { x }) => ({ state: { w: w! }, outputs: { [`y${++calls}`]: x! } }),
    says: /returns/,
    withoutLine: true,
  },
  {
    title: "a tensor from outside",
    code: "outside-tensor",
    step: ({ w }, { x }) => keep(w!, tf.add(x!, outside)),
    says: /Add.*input/,
  },
  {
    title: "a tensor from outside, returned as it is",
    code: "outside-tensor",
    step: ({ w }) => keep(w!, outside),
    says: /input/,
  },
  {
    title: "a state that is missing",
    code: "state-mismatch",
    step: (_, { x }) => ({ state: {}, outputs: { y: x! } }),
    says: /"w"/,
    withoutLine: true,
  },
  {
    title: "a state too many",
    code: "state-mismatch",
    step: ({ w }) => ({ state: { w: w!, v: w! }, outputs: {} }),
    says: /"v"/,
    withoutLine: true,
  },
  {
    title: "a state of another shape",
    code: "state-mismatch",
    step: ({ w }) => ({ state: { w: tf.sum(w!) }, outputs: {} }),
    says: /\[\].*\[2, 2\]/,
    withoutLine: true,
  },
  {
    title: "an asynchronous step",
    code: "bad-step",
    step: (async ({ w }: Record<string, tf.Tensor>) =>
      keep(w!, await Promise.resolve(w!))) as unknown as Step,
    says: /plain function/,
    withoutLine: true,
  },
  {
    title: "a step that returns something else",
    code: "bad-step",
    step: (({ w }: Record<string, tf.Tensor>) => w) as unknown as Step,
    says: /state, outputs/,
    withoutLine: true,
  },
  {
    title: "a step that does nothing",
    code: "bad-step",
    step: ({ w }) => ({ state: { w: w! }, outputs: {} }),
    says: /nothing/,
    withoutLine: true,
  },
];

describe.each(names)("on %s a step is refused, by name and line, for", (name) => {
  test.for(refusals)("$title", async ({ code, step, says, withoutLine }, context) => {
    needs(name, context);
    const before = tf.memory();
    const error = await engines[name]!.compile(step, spec).then(
      () => undefined,
      (reason: Error & { code?: string }) => reason,
    );
    expect(error).toMatchObject({ name: "LejepaError", code });
    expect(error!.message).toMatch(says);
    if (!withoutLine) expect(error!.message).toMatch(/refusals\.test\.ts:\d+:\d+/);
    // tfjs is as it was: same backend, nothing left behind, the tape off, variables allowed.
    expect(tf.getBackend()).toBe("cpu");
    expect(tf.memory().numTensors).toBe(before.numTensors);
    expect(tf.memory().numDataBuffers).toBe(before.numDataBuffers);
    expect(tf.engine().state).toMatchObject({ gradientDepth: 0, kernelDepth: 0 });
    expect([...outside.dataSync()]).toEqual([1, 2, 3, 4]);
    const variable = tf.variable(tf.scalar(1));
    expect(variable.dataSync()[0]).toBe(1);
    variable.dispose();
  });
});

test.for(names)(
  "on %s constants that stay the same are no reason to refuse",
  async (name, context) => {
    needs(name, context);
    const table = Float32Array.from({ length: 4 }, (_, i) => i);
    const step = await engines[name]!.compile(
      ({ w }, { x }) => keep(w!, tf.add(tf.mul(x!, 2), tf.tensor2d(table, [2, 2]))),
      spec,
    );
    const { y } = await step.run({ x: Float32Array.of(1, 1, 1, 1) });
    expect([...y!.data]).toEqual([2, 3, 4, 5]);
  },
);

test.for(names)(
  "on %s indices that the step writes down are checked when it is compiled",
  async (name, context) => {
    needs(name, context);
    for (const place of [4, -1]) {
      const step: Step = ({ w }) => keep(w!, tf.gather(tf.range(0, 4), [0, place]));
      await expect(engines[name]!.compile(step, spec)).rejects.toMatchObject({
        code: "index-out-of-range",
        message: expect.stringMatching(
          `GatherV2: the index value ${place} is not in \\[0, 3\\]`,
        ) as string,
      });
    }
  },
);
