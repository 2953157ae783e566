import { expect, test } from "vitest";
import { pca2d } from "./pca2d.js";

test("points on a cross: the longer arm is the first axis", () => {
  // Variances 2 * 3^2 / 4 and 2 * 1^2 / 4 along x and z; nothing along y.
  const features = Float32Array.of(3, 5, 0, -3, 5, 0, 0, 5, 1, 0, 5, -1);
  const { points, axes, explained } = pca2d(features, 3);
  expect([...axes]).toEqual([1, 0, 0, 0, 0, 1].map((v) => expect.closeTo(v, 6) as number));
  expect([...points]).toEqual(
    [3, 0, -3, 0, 0, 1, 0, -1].map((v) => expect.closeTo(v, 6) as number),
  );
  expect(explained[0]).toBeCloseTo(0.9, 12);
  expect(explained[1]).toBeCloseTo(0.1, 12);
});

test("twelve columns with two planted directions: their plane and variances are found", () => {
  const dim = 12;
  const u = Float64Array.from({ length: dim }, () => 1 / Math.sqrt(dim));
  const v = Float64Array.from({ length: dim }, (_, d) => (d % 2 === 0 ? 1 : -1) / Math.sqrt(dim));
  const rows = 64;
  const features = new Float32Array(rows * dim);
  for (let n = 0; n < rows; n++) {
    const phase = (2 * Math.PI * n) / rows;
    for (let d = 0; d < dim; d++) {
      // Waves of different frequency are uncorrelated over a full turn.
      const noise = 0.1 * Math.cos((d + 3) * phase);
      features[n * dim + d] = 7 + 4 * Math.cos(phase) * u[d]! + 2 * Math.sin(phase) * v[d]! + noise;
    }
  }
  const { axes, explained } = pca2d(features, dim);
  const along = (axis: number, w: Float64Array): number =>
    Math.abs(w.reduce((sum, value, d) => sum + value * axes[axis * dim + d]!, 0));
  expect(along(0, u)).toBeCloseTo(1, 3);
  expect(along(1, v)).toBeCloseTo(1, 3);
  // 8 + 2 + 12 * 0.005 in all.
  expect(explained[0]).toBeCloseTo(8 / 10.06, 2);
  expect(explained[1]).toBeCloseTo(2 / 10.06, 2);
});

test("features that do not vary have no axis to show", () => {
  const { points, explained } = pca2d(new Float32Array(10).fill(4), 5);
  expect([...points]).toEqual([0, 0, 0, 0]);
  expect(explained).toEqual([0, 0]);
});

test("a single column gives a zero second coordinate", () => {
  const { points, explained } = pca2d(Float32Array.of(1, 3), 1);
  expect([...points]).toEqual([-1, 0, 1, 0]);
  expect(explained).toEqual([1, 0]);
});

test("an array that is no whole number of rows is refused", () => {
  expect(() => pca2d(new Float32Array(7), 2)).toThrow(
    expect.objectContaining({ code: "feature-shape" }),
  );
});
