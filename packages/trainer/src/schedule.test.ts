import { expect, test } from "vitest";
import { extendedRate, warmupCosine } from "./schedule.js";

const schedule = { peak: 8, warmupSteps: 4, steps: 12, finalFraction: 0.25 };

test("four warm-up steps climb in equal parts to the peak", () => {
  expect([0, 1, 2, 3, 4].map((step) => warmupCosine(schedule, step))).toEqual([2, 4, 6, 8, 8]);
});

test("the cosine is half way down in the middle and ends at the final fraction", () => {
  expect(warmupCosine(schedule, 8)).toBeCloseTo(5, 12);
  expect(warmupCosine(schedule, 12)).toBeCloseTo(2, 12);
  expect(warmupCosine(schedule, 20)).toBeCloseTo(2, 12);
});

test("without warm-up the first step has the peak", () => {
  expect(warmupCosine({ ...schedule, warmupSteps: 0 }, 0)).toBe(8);
});

test("a run shorter than its warm-up only climbs", () => {
  const short = { ...schedule, warmupSteps: 10, steps: 5 };
  expect(warmupCosine(short, 4)).toBe(4);
});

test("an extended run has the rates of before up to the extension, then those of the longer run", () => {
  const rates = (extensions: Parameters<typeof extendedRate>[1], steps: number) =>
    Array.from({ length: steps }, (_, step) =>
      extendedRate({ ...schedule, steps }, extensions, step),
    );
  const straight = (steps: number) =>
    Array.from({ length: steps }, (_, step) => warmupCosine({ ...schedule, steps }, step));
  expect(rates([], 12)).toEqual(straight(12));
  const once = rates([{ fromStep: 7, from: 12, to: 20 }], 20);
  expect(once).toEqual([...straight(12).slice(0, 7), ...straight(20).slice(7)]);
  // (1 + cos(pi (8 - 4) / (20 - 4))) / 2 of the way between 2 and 8.
  expect(once[8]).toBeCloseTo(2 + (6 * (1 + Math.SQRT1_2)) / 2, 12);
  const twice = rates(
    [
      { fromStep: 7, from: 12, to: 20 },
      { fromStep: 20, from: 20, to: 30 },
    ],
    30,
  );
  expect(twice).toEqual([...once, ...straight(30).slice(20)]);
  // A run that lost its checkpoint and was extended from its beginning.
  const again = rates(
    [
      { fromStep: 7, from: 12, to: 20 },
      { fromStep: 0, from: 20, to: 30 },
    ],
    30,
  );
  expect(again).toEqual(straight(30));
});
