import "@tensorflow/tfjs-backend-cpu";
import * as tf from "@tensorflow/tfjs-core";
import { float64Adapter } from "@lejepa/tensor/float64";
import { tfjsAdapter } from "@lejepa/tensor/tfjs";
import type { TensorAdapter } from "@lejepa/tensor";
import { beforeAll, describe, expect, test } from "vitest";
import { harmonicCoefficients, harmonicLists, planHarmonics } from "./harmonics.js";

beforeAll(async () => {
  tf.enableProdMode();
  await tf.setBackend("cpu");
});

/** Largest error of cos(h a) and sin(h a) over the angles, from the two lists. */
function largestError<T>(k: TensorAdapter<T>, angles: readonly number[], highest: number): number {
  const plan = planHarmonics(highest);
  const lists = harmonicLists(k, k.fromArray(angles, [1, angles.length]), plan);
  const [fine, coarse] = [k.readSync(lists.fine), k.readSync(lists.coarse)];
  const columns = 2 * plan.coarse + 1;
  let worst = 0;
  for (let h = 1; h <= highest; h++) {
    const { cos, sin } = harmonicCoefficients(h, plan);
    angles.forEach((angle, n) => {
      const series = (coefficients: Float64Array) =>
        coefficients.reduce(
          (sum, c, p) =>
            sum +
            c *
              fine[Math.floor(p / columns) * angles.length + n]! *
              coarse[(p % columns) * angles.length + n]!,
          0,
        );
      worst = Math.max(
        worst,
        Math.abs(series(cos) - Math.cos(h * angle)),
        Math.abs(series(sin) - Math.sin(h * angle)),
      );
    });
  }
  return worst;
}

test.each([
  [1, { fine: 1, coarse: 0 }],
  [4, { fine: 1, coarse: 1 }],
  [16, { fine: 2, coarse: 3 }],
  [32, { fine: 2, coarse: 6 }],
])("%i harmonics are planned as %o", (highest, plan) => {
  expect(planHarmonics(highest)).toEqual(plan);
});

describe("every harmonic is right", () => {
  const angles = [0, 1e-4, 0.04, 0.5, 1, Math.PI / 2, 3.1, -2, 40];

  test.each([1, 2, 3, 4, 5, 8, 16, 31, 64])("up to %i in float64", (highest) => {
    expect(largestError(float64Adapter(), angles, highest)).toBeLessThan(highest * 1e-14);
  });

  // 2^-24 is the rounding of a float32 in [0.5, 1]; the error of an angle grows with its multiple.
  test.each([4, 16, 32])("up to %i in float32, to a few roundings for each multiple", (highest) => {
    const exact = angles.map(Math.fround);
    expect(largestError(tfjsAdapter(), exact, highest)).toBeLessThan(4 * highest * 2 ** -24);
  });
});
