import * as tf from "@tensorflow/tfjs-core";
import { describe, expect, test } from "vitest";
import { backends } from "../test/differentiation.js";
import { adamw, type AdamwConstants } from "./adamw.js";

const constants = { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0.1 };

/** The parameters after each of several updates with the given gradients. */
function path(
  start: readonly number[],
  gradients: readonly (readonly number[])[],
  given: AdamwConstants,
): number[][] {
  return tf.tidy(() => {
    let slot = {
      parameter: tf.tensor1d([...start]) as tf.Tensor,
      mean: tf.zeros<tf.Rank>([start.length]),
      square: tf.zeros<tf.Rank>([start.length]),
    };
    return gradients.map((gradient, step) => {
      const t = step + 1;
      slot = adamw(
        {
          ...slot,
          gradient: tf.tensor1d([...gradient]),
          learningRate: tf.scalar(0.5),
          correction1: tf.scalar(1 - given.beta1 ** t),
          correction2: tf.scalar(1 - given.beta2 ** t),
        },
        given,
      );
      return [...slot.parameter.dataSync()];
    });
  });
}

describe.each(backends)("adamw on %s", (backend) => {
  test("three steps agree with torch.optim.AdamW(lr=0.5, weight_decay=0.1) from 2 with gradients 1, -2, 0.5", async () => {
    await tf.setBackend(backend);
    // torch 2.13.0, float64: one parameter of 2, its grad set before each step().
    const expected = [1.400000005, 1.5130517671, 1.5057445098];
    const got = path([2], [[1], [-2], [0.5]], constants);
    expect(got).toHaveLength(expected.length);
    expected.forEach((value, i) => expect(got[i]![0]).toBeCloseTo(value, 5));
  });

  test("every element is on its own, and a zero gradient without decay moves nothing", async () => {
    await tf.setBackend(backend);
    const got = path(
      [2, -1],
      [
        [0, 3],
        [0, 3],
      ],
      { ...constants, weightDecay: 0 },
    );
    expect(got.map(([first]) => first)).toEqual([2, 2]);
    // A steady gradient: every step has the size of the learning rate.
    expect(got[0]![1]).toBeCloseTo(-1.5, 5);
    expect(got[1]![1]).toBeCloseTo(-2, 5);
  });

  test("a learning rate of zero moves nothing, also where the gradient is zero", async () => {
    await tf.setBackend(backend);
    const [parameter, gradient] = [tf.tensor1d([2, 3]), tf.tensor1d([0, 1])];
    const [zeros, zero, one] = [tf.zeros([2]), tf.scalar(0), tf.scalar(1)];
    const slot = { parameter, mean: zeros, square: zeros, gradient };
    const next = adamw(
      { ...slot, learningRate: zero, correction1: one, correction2: one },
      constants,
    );
    expect([...next.parameter.dataSync()]).toEqual([2, 3]);
  });

  test("shapes that differ are refused", async () => {
    await tf.setBackend(backend);
    const [x, one] = [tf.ones([2]), tf.scalar(1)];
    const slot = { parameter: x, mean: x, square: x, gradient: x };
    const scalars = { learningRate: one, correction1: one, correction2: one };
    expect(() => adamw({ ...slot, ...scalars, gradient: tf.ones([3]) }, constants)).toThrow(
      "adamw: gradient should have shape [2], got [3].",
    );
    expect(() => adamw({ ...slot, ...scalars, learningRate: x }, constants)).toThrow(
      "adamw: learningRate should have shape [], got [2].",
    );
  });
});
