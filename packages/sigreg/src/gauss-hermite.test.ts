import { expect, test } from "vitest";
import { gaussHermite } from "./gauss-hermite.js";

// Largest knot, smallest knot above 0 and its weight, from numpy.polynomial.hermite_e.hermegauss.
test.each([
  [2, 1, 1, 1.2533141373155],
  [3, 1.7320508075688774, 1.7320508075688774, 0.41777137910516654],
  [5, 2.8569700138728056, 1.355626179974266, 0.5566617852140172],
  [17, 6.889122439895333, 0.7518426007038962, 0.568268442845555],
  [64, 14.886186143339453, 0.1955889105672755, 0.3837856348738788],
  [256, 31.10095103709651, 0.09807909692674982, 0.19521759647656886],
])("the rule with %i knots is NumPy's", (points, largest, smallest, weight) => {
  const { knots, weights } = gaussHermite(points);
  expect(knots).toHaveLength(Math.floor(points / 2));
  expect(knots).toEqual([...knots].sort((a, b) => a - b));
  expect(knots.at(-1)).toBeCloseTo(largest, 12);
  expect(knots[0]).toBeCloseTo(smallest, 13);
  expect(weights[0]).toBeCloseTo(weight, 13);
});

test.each([2, 5, 8, 17])("%i knots integrate even powers below 2n exactly", (points) => {
  const { knots, weights } = gaussHermite(points);
  // integral t^p exp(-t²/2) = sqrt(2 pi) * 1 * 3 * ... * (p - 1)
  let expected = Math.sqrt(2 * Math.PI);
  for (let power = 2; power < 2 * points; power += 2) {
    expected *= power - 1;
    const sum = knots.reduce((total, t, j) => total + 2 * weights[j]! * t ** power, 0);
    expect(Math.abs(sum / expected - 1)).toBeLessThan(1e-12);
  }
});
