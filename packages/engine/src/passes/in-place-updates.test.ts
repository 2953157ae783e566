import { adamw, type AdamwInputs } from "@lejepa/ops";
import * as tf from "@tensorflow/tfjs-core";
import { expect, test } from "vitest";
import { capture } from "../capture/capture.js";
import type { Step } from "../engine.js";
import { onnxTarget } from "../kernels/table.js";
import { resolveInputs } from "../step-values.js";
import { inPlaceUpdates } from "./in-place-updates.js";

const constants = { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0.1 };
const inputs = resolveInputs({ rate: { shape: [] } });
const two = { shape: [2], data: Float32Array.of(1, 2) };

type Tensors = Readonly<Record<string, tf.Tensor>>;

/** An update of the state p, m and v, but for what is replaced. */
function updated({ p, m, v }: Tensors, { rate }: Tensors, instead: Partial<AdamwInputs> = {}) {
  const scalars = { learningRate: rate!, correction1: rate!, correction2: rate! };
  const slot = { parameter: p!, mean: m!, square: v!, gradient: tf.mul(p!, 2) };
  const { parameter, mean, square } = adamw({ ...slot, ...scalars, ...instead }, constants);
  return { p: parameter, m: mean, v: square };
}

/** The kernels of a step over p, m and v once the pass has run. */
const kernels = (step: Step): string[] =>
  inPlaceUpdates
    .run(capture(step, { p: two, m: two, v: two }, inputs, onnxTarget).graph)
    .nodes.map(({ op }) => op);

test("an update of the state that its results replace is done in place", () => {
  expect(kernels((state, given) => ({ state: updated(state, given), outputs: {} }))).toEqual([
    "Multiply",
    "LejepaAdamwInPlace",
  ]);
});

const refused: [why: string, step: Step][] = [
  [
    "the step goes on to use a result",
    (state, given) => {
      const next = updated(state, given);
      return { state: next, outputs: { size: tf.sum(next.p) } };
    },
  ],
  [
    "a result is an output too",
    (state, given) => {
      const next = updated(state, given);
      return { state: next, outputs: { mean: next.m } };
    },
  ],
  [
    "an operand is no tensor of the state",
    (state, given) => ({
      state: updated(state, given, { mean: tf.square(state.m!) }),
      outputs: {},
    }),
  ],
  [
    "a result replaces another tensor",
    (state, given) => {
      const { p, m, v } = updated(state, given);
      return { state: { p, m: v, v: m }, outputs: {} };
    },
  ],
  [
    "a result is not kept",
    (state, given) => ({ state: { ...updated(state, given), v: state.v! }, outputs: {} }),
  ],
];

test.each(refused)("an update stays as it is where %s", (_why, step) => {
  expect(kernels(step)).toContain("LejepaAdamw");
  expect(kernels(step)).not.toContain("LejepaAdamwInPlace");
});
