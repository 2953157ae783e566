/** What goes wrong inside of a step: on every engine an error with a code, the line of the step and the way out. */
import { engineNames, type EngineName, type Step } from "@lejepa/engine";
import { LejepaError } from "@lejepa/ops";
import * as tf from "@tensorflow/tfjs-core";
import { describe, expect, test } from "vitest";
import { needs } from "../../../tools/backends.js";
import { namedEngines } from "./named-engines.js";

const engines = namedEngines();

const spec = {
  state: { w: { shape: [2, 2], data: Float32Array.of(1, 2, 3, 4) } },
  inputs: { x: { shape: [2, 2] } },
};
const x = Float32Array.of(1, -2, 3, -4);
const keep = (w: tf.Tensor, y: tf.Tensor) => ({ state: { w }, outputs: { y } });
/** A step that differentiates `f` at x. */
const gradientOf =
  (f: (x: tf.Tensor2D) => tf.Tensor): Step =>
  ({ w }, { x }) =>
    keep(w!, tf.grad((t) => tf.sum(f(t as tf.Tensor2D)))(x!));
const by = (f: (w: tf.Tensor2D, x: tf.Tensor2D) => tf.Tensor): Step => {
  return ({ w }, { x }) => keep(w!, f(w as tf.Tensor2D, x as tf.Tensor2D));
};
const loosely = (value: unknown) => value as tf.Tensor2D;

/** What a step does on an engine: compiled, and where nothing is captured then, run. */
async function failureOf(name: EngineName, step: Step, given: typeof spec = spec) {
  const error: unknown = await engines[name]!.compile(step, given)
    .then((compiled) => compiled.run({ x }))
    .then(
      () => undefined,
      (reason: unknown) => reason,
    );
  return error as Error & { code?: string };
}

interface Failure {
  readonly title: string;
  readonly code: string;
  /** On the compiled engines, where it is another: their tables find it first. */
  readonly compiled?: string;
  readonly step: Step;
  readonly says: RegExp;
  readonly withoutLine?: true;
}

const float = (tensor: tf.Tensor) => tf.cast(tensor, "float32");
const gradients: Failure[] = Object.entries<readonly [string, (x: tf.Tensor2D) => tf.Tensor]>({
  "a comparison under where": ["Greater", (x) => tf.where(tf.greater(x, 0), x, tf.mul(x, 2))],
  gatherND: ["GatherNd", (x) => tf.gatherND(x, tf.tensor2d([[0, 1]], [1, 2], "int32"))],
  topk: ["TopK", (x) => tf.topk(x, 1).values],
  cumprod: ["Cumprod", (x) => tf.cumprod(x, 0)],
  any: ["Any", (x) => float(tf.any(tf.cast(x, "bool")))],
  stridedSlice: ["StridedSlice", (x) => tf.stridedSlice(x, [0, 0], [2, 2], [2, 1])],
  einsum: ["Einsum", (x) => tf.einsum("ij,jk->ik", x, x)],
  scatterND: [
    "ScatterNd",
    (x) => tf.scatterND(tf.tensor2d([[1], [0]], [2, 1], "int32"), x, [3, 2]),
  ],
  depthToSpace: [
    "DepthToSpace",
    (x) => tf.depthToSpace(tf.reshape<tf.Rank.R4>(x, [1, 1, 1, 4]), 2, "NHWC"),
  ],
}).map(([title, [kernel, f]]) => ({
  title: `the gradient of ${title}`,
  code: "no-gradient",
  step: gradientOf(f),
  says: new RegExp(`no gradient for the kernel ${kernel},.*tf\\.customGrad`),
}));

const failures: readonly Failure[] = [
  ...gradients,
  {
    title: "an operand that is null",
    code: "step-failed",
    step: by((w) => tf.add(w, loosely(null))),
    says: /Argument 'b' passed to 'add'.*cause/,
  },
  {
    title: "shapes that do not fit",
    code: "step-failed",
    compiled: "unsupported-kernel",
    step: by((w, x) => tf.matMul(w, tf.reshape(x, [1, 4]))),
    says: /matMul/i,
  },
  {
    title: "a product of vectors",
    code: "step-failed",
    compiled: "unsupported-kernel",
    step: by((w, x) => tf.matMul(loosely(tf.reshape(w, [4])), loosely(tf.reshape(x, [4])))),
    says: /matMul/i,
  },
  {
    title: "the gradient of a dilated convolution, which @lejepa/ops refuses",
    code: "no-gradient",
    step: gradientOf((x) =>
      tf.conv2d(
        tf.reshape<tf.Rank.R4>(x, [1, 2, 2, 1]),
        tf.ones([1, 1, 1, 1]),
        1,
        "same",
        "NHWC",
        [2, 2],
      ),
    ),
    says: /use conv2d of @lejepa\/ops/,
    withoutLine: true,
  },
  {
    title: "bandPart",
    code: "step-failed",
    step: by((_, x) => tf.linalg.bandPart(x, 5, 0)),
    says: /bandPart/,
  },
  {
    title: "a gradient of what does not depend on it",
    code: "step-failed",
    step: ({ w }, { x }) => keep(w!, tf.grad(() => tf.sum(w!))(x!)),
    says: /Cannot compute gradient of y=f\(x\)/,
  },
  {
    title: "an exception of the step's own",
    code: "step-failed",
    step: () => {
      throw new RangeError("mine,\nin two lines.");
    },
    says: /"RangeError: mine, in two lines"/,
  },
  {
    title: "a text that is thrown",
    code: "step-failed",
    step: () => {
      // eslint-disable-next-line @typescript-eslint/only-throw-error
      throw "str";
    },
    says: /throws "str", which is no Error/,
    withoutLine: true,
  },
  {
    title: "nothing that is thrown",
    code: "step-failed",
    step: () => {
      // eslint-disable-next-line @typescript-eslint/only-throw-error
      throw undefined;
    },
    says: /throws nothing, which is no Error/,
    withoutLine: true,
  },
  {
    title: "a misspelt state",
    code: "step-failed",
    step: ({ v }, { x }) => keep(v!, tf.add(v!, x!)),
    says: /reads state\.v, which is not declared; declared are state w and inputs x\./,
  },
  {
    title: "a misspelt input whose shape is asked for",
    code: "step-failed",
    step: ({ w }, { y }) => keep(w!, tf.reshape(w!, y!.shape)),
    says: /TypeError.*reads inputs\.y, which is not declared/,
  },
  {
    title: "a misspelt state that is returned",
    code: "bad-step",
    step: ({ v }, { x }) => keep(v!, x!),
    says: /got nothing for state\.w; the step reads state\.v, which is not declared/,
    withoutLine: true,
  },
  {
    title: "an output that is no tensor",
    code: "bad-step",
    step: ({ w }) => keep(w!, loosely(3)),
    says: /got 3 for outputs\.y\.$/,
    withoutLine: true,
  },
  {
    title: "a tensor that was disposed",
    code: "step-failed",
    step: ({ w }, { x }) => {
      x!.dispose();
      return keep(w!, tf.add(w!, x!));
    },
    says: /./,
  },
  {
    title: "a method of a tensor that was disposed",
    code: "step-failed",
    step: ({ w }, { x }) => {
      w!.dispose();
      return keep(w!, tf.add(w!.clone(), x!));
    },
    says: /disposed/,
  },
  {
    title: "a result that was disposed",
    code: "bad-step",
    step: ({ w }, { x }) => {
      const y = tf.add(w!, x!);
      y.dispose();
      return keep(w!, y);
    },
    says: /"y" after it was disposed/,
    withoutLine: true,
  },
];

describe.each(engineNames)("on %s a step fails, by code and line, with", (name) => {
  test.for(failures)("$title", async (failure, context) => {
    needs(name, context);
    const { step, says, withoutLine } = failure;
    const code = name === "eager" ? failure.code : (failure.compiled ?? failure.code);
    const before = tf.memory();
    const error = await failureOf(name, step);
    expect(error).toMatchObject({ name: "LejepaError", code });
    expect(error.message).toMatch(says);
    expect(error.message).toMatch(/^[^\n]+\.$/);
    if (!withoutLine) expect(error.message).toMatch(/step-failures\.test\.ts:\d+:\d+/);
    // tfjs is as it was, but for the state that the eager engine holds of this step.
    expect(tf.getBackend()).toBe("cpu");
    const kept = name === "eager" ? 1 : 0;
    expect(tf.memory().numTensors - before.numTensors).toBe(kept);
    expect(tf.engine().state).toMatchObject({ gradientDepth: 0, kernelDepth: 0 });
    expect(
      tf
        .grad((t) => tf.square(t))(tf.scalar(3))
        .dataSync()[0],
    ).toBe(6);
  });

  test("the cause that it was, and an error with a code as it is", async (context) => {
    needs(name, context);
    for (const mine of [new RangeError("mine"), "str", null]) {
      const error = await failureOf(name, () => {
        // eslint-disable-next-line @typescript-eslint/only-throw-error
        throw mine;
      });
      expect(error).toMatchObject({ code: "step-failed" });
      expect(error.cause).toBe(mine);
    }
    const coded = new LejepaError("bad-shape", "Coded.");
    const foreign = Object.assign(new Error("Of another copy."), { name: "LejepaError" });
    for (const theirs of [coded, foreign])
      expect(
        await failureOf(name, () => {
          throw theirs;
        }),
      ).toBe(theirs);
  });

  test("names of many only so far as a line holds them", async (context) => {
    needs(name, context);
    const names = Array.from({ length: 20 }, (_, i) => `w${i}`);
    const state = Object.fromEntries(names.map((each) => [each, spec.state.w]));
    const step: Step = ({ bias }) => keep(bias!, tf.add(bias!, 1));
    const error = await failureOf(name, step, { ...spec, state } as unknown as typeof spec);
    expect(error.message).toMatch(/declared are state w0, .*, w7 and 12 more and inputs x\.$/);
  });

  test("no state lost, whatever the step disposes of before", async (context) => {
    needs(name, context);
    let fails = false;
    const step: Step = (state, { x }) => {
      const y = tf.add(state.w!, x!);
      if (fails) {
        tf.dispose(state);
        throw new Error("Now.");
      }
      return keep(y, y);
    };
    const compiled = await engines[name]!.compile(step, spec);
    await compiled.run({ x });
    fails = true;
    if (name === "eager")
      await expect(compiled.run({ x })).rejects.toMatchObject({ code: "step-failed" });
    else await expect(compiled.retrace()).rejects.toMatchObject({ code: "step-failed" });
    expect([...(await compiled.readState()).w!.data]).toEqual([2, 0, 6, 0]);
    await compiled.dispose();
  });

  test("no objection to names that are asked for and need not be there", async (context) => {
    needs(name, context);
    const step: Step = (state, inputs) => {
      const { w, ...others } = { ...state };
      const scale = inputs.scale ?? tf.scalar(2);
      const shift = "shift" in inputs ? inputs.shift : tf.scalar(1);
      const sum = Object.values(inputs).reduce((a, b) => tf.add(a, b));
      expect(Object.keys(others)).toEqual([]);
      expect(Object.hasOwn(state, "w") && !Object.hasOwn(state, "v")).toBe(true);
      return { state, outputs: { y: tf.add(tf.mul(tf.add(w!, sum), scale), shift) } };
    };
    const compiled = await engines[name]!.compile(step, spec);
    const { y } = await compiled.run({ x });
    expect([...y!.data]).toEqual([5, 1, 13, 1]);
    await compiled.dispose();
  });
});
