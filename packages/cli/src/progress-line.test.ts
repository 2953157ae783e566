import { expect, test } from "vitest";
import { progressLine } from "./progress-line.js";

const training = {
  value: 12,
  total: 48,
  unit: "",
  secondsLeft: 65,
  facts: ["prediction 0.1234", "sigreg 5.678", "910 images/s"],
};

test("a wide terminal sees everything", () => {
  expect(progressLine(training, 120)).toBe(
    "━━━━━━────────────────── 12/48 | prediction 0.1234 | sigreg 5.678 | 910 images/s | 1m 05s left",
  );
  expect(progressLine(training)).toBe(progressLine(training, 120));
});

test("a narrow one sees how far it is and how long it takes first", () => {
  // 69 characters and a space leave ten for the bar.
  expect(progressLine(training, 80)).toBe(
    "━━──────── 12/48 | prediction 0.1234 | sigreg 5.678 | 910 images/s | 1m 05s left",
  );
  expect(progressLine(training, 40)).toBe("━━━━━─────────────── 12/48 | 1m 05s left");
  expect(progressLine(training, 20)).toBe("12/48 | 1m 05s left");
  expect(progressLine(training, 8)).toBe("12/48");
});

test("no width is passed", () => {
  for (let columns = 1; columns < 130; columns++) {
    expect(progressLine(training, columns).length).toBeLessThanOrEqual(columns);
  }
});

test("before there is a rate, no time is told", () => {
  expect(progressLine({ ...training, value: 0, secondsLeft: undefined, facts: [] }, 80)).toBe(
    "──────────────────────── 0/48",
  );
});

test.each([
  [0, "0s left"],
  [59.4, "59s left"],
  [59.6, "1m 00s left"],
  [3599, "59m 59s left"],
  [3 * 3600 + 125, "3h 02m left"],
])("%f seconds are %s", (secondsLeft, told) => {
  expect(progressLine({ ...training, secondsLeft })).toContain(told);
});
