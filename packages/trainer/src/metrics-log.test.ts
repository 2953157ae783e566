import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openMetricsLog, readMetrics, type StepMetrics } from "./metrics-log.js";

let run = "";
beforeEach(() => {
  run = mkdtempSync(join(tmpdir(), "lejepa-metrics-"));
});
afterEach(() => rmSync(run, { recursive: true }));

const line = (step: number): StepMetrics => ({
  step,
  loss: 1 / step,
  prediction: 0,
  sigreg: 1,
  lr: 0.1,
  imagesPerSecond: 5,
  dataWaitSeconds: 0,
  seconds: step,
});

test("lines can be read while the log is still open", async () => {
  const log = await openMetricsLog(run, 0);
  log.append(line(1));
  log.append(line(2));
  expect(readMetrics(run)).toEqual([line(1), line(2)]);
  log.close();
});

test("reopening after step 2 drops later lines and a torn one", async () => {
  const first = await openMetricsLog(run, 0);
  [1, 2, 3].forEach((step) => first.append(line(step)));
  first.close();
  appendFileSync(join(run, "metrics.jsonl"), '{"step":4,"lo');
  const second = await openMetricsLog(run, 2);
  second.append(line(3));
  second.close();
  expect(readMetrics(run)).toEqual([line(1), line(2), line(3)]);
});

test.each(["nonsense", "null", "2", '{"step":2}', "[]", ""])(
  "a broken line in the middle is named: %j",
  (broken) => {
    const [first, last] = [1, 3].map((step) => JSON.stringify(line(step)));
    writeFileSync(join(run, "metrics.jsonl"), `${first}\n${broken}\n${last}\n`);
    expect(() => readMetrics(run)).toThrow(/line 2/);
    expect(() => readMetrics(run)).toThrow(expect.objectContaining({ code: "corrupt-metrics" }));
  },
);

test("a folder without a log has no lines", () => {
  expect(readMetrics(run)).toEqual([]);
});
