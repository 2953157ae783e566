import { numpy as np, valueAndGrad } from "@jax-js/jax";
import { expect, test } from "vitest";
import {
  expectLearning,
  expectRowsInPlace,
  expectSame,
  referenceObjective,
} from "../shared/expect-learning.js";
import { recipe } from "../shared/mnist-run.js";
import { createModel, lossOf } from "./model.js";

test("jax-js differentiates the objective to the same value and gradient as plain float64 arrays", () => {
  const { z, slicing, loss, gradient } = referenceObjective();
  const [value, dz] = valueAndGrad(lossOf)(
    np.array(z, { shape: [recipe.rows, recipe.dim] }),
    np.array(slicing, { shape: [recipe.dim, recipe.slices] }),
  );
  expectSame(value.dataSync() as Float32Array, [loss]);
  expectSame(dz.dataSync() as Float32Array, gradient);
  expect(dz.shape).toEqual([recipe.rows, recipe.dim]);
});

test("views of equal images have no prediction error, and an embedding is of its image alone", () =>
  expectRowsInPlace(createModel));

test("a jax-js model learns from views of MNIST", () => expectLearning(createModel));
