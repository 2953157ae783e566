import * as tf from "@tensorflow/tfjs-core";
import "@tensorflow/tfjs-backend-cpu";
import { beforeAll, expect, test } from "vitest";
import { adamw, adamwCorrections, adamwDefaults, type AdamwSlot } from "./adamw.js";

beforeAll(async () => {
  await tf.setBackend("cpu");
});

/** Runs `gradients.length` updates of one number and returns the parameter after each. */
function path(gradients: readonly number[], decay: "decay" | "no-decay"): number[] {
  const options = adamwDefaults({ weightDecay: 0.1 });
  return tf.tidy(() => {
    let slot: AdamwSlot = {
      parameter: tf.scalar(2),
      mean: tf.scalar(0),
      square: tf.scalar(0),
    };
    return gradients.map((gradient, step) => {
      const { correction1, correction2 } = adamwCorrections(options, step);
      const schedule = {
        learningRate: tf.scalar(0.5),
        correction1: tf.scalar(correction1),
        correction2: tf.scalar(correction2),
      };
      const update = { ...slot, gradient: tf.scalar(gradient), decay };
      slot = adamw([update], schedule, options)[0]!;
      return slot.parameter.dataSync()[0]!;
    });
  });
}

test("the first step has the size of the learning rate, whatever the gradient", () => {
  // m/c1 = g and v/c2 = g^2, so the change is lr sign(g); the decay takes 0.5 x 0.1 of 2.
  expect(path([1e-3], "no-decay")[0]).toBeCloseTo(1.5, 4);
  expect(path([-40], "no-decay")[0]).toBeCloseTo(2.5, 6);
  expect(path([-40], "decay")[0]).toBeCloseTo(2.4, 6);
});

test("three steps agree with torch.optim.AdamW(lr=0.5, weight_decay=0.1) from 2 with gradients 1, -2, 0.5", () => {
  // torch 2.13.0, float64: one parameter of 2, its grad set before each step().
  const expected = [1.400000005, 1.5130517671, 1.5057445098];
  const got = path([1, -2, 0.5], "decay");
  expect(got).toHaveLength(expected.length);
  expected.forEach((value, i) => expect(got[i]).toBeCloseTo(value, 5));
});

test("a zero gradient leaves a parameter without decay where it is", () => {
  expect(path([0, 0], "no-decay")).toEqual([2, 2]);
});
