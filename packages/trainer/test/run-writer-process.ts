/** A process of its own that writes a run, for tests: `node --import tsx run-writer-process.ts RUN STEPS`. It goes on from
 *  the last checkpoint, with no training in between: every number of a checkpoint is its step. Says each step on standard
 *  output when its checkpoint is written. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { createEncoder } from "@lejepa/encoders";
import type { HostTensors } from "@lejepa/ops";
import { readCheckpoint, writeCheckpoint } from "../src/checkpoint.js";
import { completeConfig } from "../src/config.js";
import { openMetricsLog, readMetrics } from "../src/metrics-log.js";
import { mnistPreset } from "../src/presets/mnist.js";
import { writeReport } from "../src/report.js";
import type { TrainResult } from "../src/result.js";
import type { RunRecord } from "../src/run-record.js";
import { claimNewRun, claimRun, writeConfig, writeResult } from "../src/run-folder.js";

const [run, count] = process.argv.slice(2) as [string, string];
const steps = Number(count);
const config = completeConfig({ source: "stripes", imageSize: 8, steps }, mnistPreset, 1000);
const encoder = createEncoder(config.encoder, { imageSize: 8, channels: 1 });

const claim = existsSync(join(run, "config.json")) ? claimRun : claimNewRun;
const lock = await claim(run, { force: false });
const guard = (): void => lock.assertHeld();
const record: RunRecord = { inCode: [], data: [], extensions: [] };
await writeConfig(run, { config, record }, guard);
const before = await readCheckpoint(run, encoder);
for (const { data } of Object.values(before?.state ?? {}))
  if (!data.every((value) => value === before!.step)) throw new Error("a mixed checkpoint");
if ((before?.step ?? 0) > readMetrics(run).length) throw new Error("lines of metrics are missing");
const log = await openMetricsLog(run, before?.step ?? 0, guard);

for (let step = (before?.step ?? 0) + 1; step <= steps; step++) {
  const rest = { loss: 1, prediction: 1, sigreg: 1, lr: 1, imagesPerSecond: 1, dataWaitSeconds: 0 };
  log.append({ step, seconds: step, ...rest });
  await log.sync();
  await writeCheckpoint(run, encoder, { step, seed: config.seed, state: stateOf(step) }, guard);
  process.stdout.write(`${step}\n`);
  if (step % 10 !== 0) continue;
  const result: TrainResult = {
    ...{ status: "finished", run, steps: step, seconds: 1, engine: "eager" },
    ...{ engineDescription: "none", resumedFrom: null, dataWaitSeconds: 0, probes: null },
    phases: { load: 0, compile: 0, train: 0, probe: 0 },
  };
  const parameterCounts = { encoder: 1, projector: 1 };
  const written = { config, record, parameterCounts, metrics: readMetrics(run), result };
  await writeReport(run, { ...written, picture: undefined }, guard);
  await writeResult(run, result, guard);
}
log.close();
await lock.release();

/** The encoder's tensors and as much again, all of one number. */
function stateOf(step: number): HostTensors {
  const tensors = encoder.parameters.map(({ name, shape }) => {
    const size = shape.reduce((product, side) => product * side, 1);
    return [name, { shape, data: new Float32Array(size).fill(step) }] as const;
  });
  return Object.fromEntries([
    ...tensors,
    ...tensors.map(([name, tensor]) => [`moment.${name}`, tensor]),
  ]) as HostTensors;
}
