import { expect, test } from "vitest";
import { warmupCosine } from "./schedule.js";

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
