/** A process of its own that reads a run that another one writes, for tests: `node --import tsx read-run.ts RUN
 *  STEPS`. Ends when it has read the checkpoint of step STEPS, with a line of JSON: how often it has read, what was wrong. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { openRun, type Run } from "@lejepa/trainer";
import { readMetrics } from "../../src/metrics-log.js";

const [folder, steps] = process.argv.slice(2) as [string, string];
const faults: string[] = [];
let reads = 0;
let last = 0;
let ends = 0;

while (last < Number(steps)) {
  let run: Run;
  try {
    run = await openRun(folder);
  } catch (error) {
    const { code, message } = error as { code?: string; message: string };
    // Until there is something.
    if (last > 0 || (code !== "not-a-run" && code !== "no-checkpoint")) faults.push(message);
    if (faults.length > 20) break;
    continue;
  }
  reads++;
  const { step, parameters, result } = run;
  const expect = (isRight: boolean, fault: string): void => {
    if (!isRight) faults.push(`step ${step}: ${fault}`);
  };
  expect(step >= last, `after step ${last}`);
  for (const [name, { data }] of Object.entries(parameters))
    expect(
      data.every((value) => value === step),
      `${name} is of step ${data[0]}`,
    );
  expect(result === undefined || result.steps === step, `result of step ${result?.steps}`);
  if (result !== undefined) {
    ends++;
    const html = readFileSync(join(folder, "report.html"), "utf8");
    expect(html.startsWith("<!doctype html>"), "a report without beginning");
    expect(html.trimEnd().endsWith("</html>"), "a report without end");
  }
  const metrics = readMetrics(folder);
  expect(metrics.length >= step, `${metrics.length} lines of metrics`);
  expect(
    metrics.every((line, i) => line.step === i + 1),
    "other lines of metrics",
  );
  last = step;
}
process.stdout.write(`${JSON.stringify({ reads, ends, faults })}\n`);
