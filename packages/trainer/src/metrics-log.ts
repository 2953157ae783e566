import { closeSync, fdatasync, openSync, writeSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { LejepaError } from "@lejepa/ops";
import { replaceFile, writeError, type Guard } from "./durable-file.js";
import { readTextFile } from "./text-file.js";

/** One line of `metrics.jsonl`: what one step did. */
export interface StepMetrics {
  /** Steps done, this one included: the first line has 1. */
  readonly step: number;
  /** The combined loss that was minimised. */
  readonly loss: number;
  /** Its prediction term. */
  readonly prediction: number;
  /** Its SIGReg term. */
  readonly sigreg: number;
  /** Learning rate of this step. */
  readonly lr: number;
  /** Images of the data set that were trained on in a second, each in all its views; mean of the last 20 steps. */
  readonly imagesPerSecond: number;
  /** Time that this step waited for its images. */
  readonly dataWaitSeconds: number;
  /** Time spent in the training loop until now, over all sessions of the run. */
  readonly seconds: number;
}

/** Appends to the `metrics.jsonl` of a run folder. */
export interface MetricsLog {
  /** Writes one line at once, so that another process can follow it. Throws "disk-full". */
  append(metrics: StepMetrics): void;
  /** Waits until all lines are on the disk: before a checkpoint that has their steps. */
  sync(): Promise<void>;
  close(): void;
}

const fileOf = (run: string): string => join(run, "metrics.jsonl");

/** The lines of a run, oldest first. A line cut short, by a crash or as it is being written, ends the list.
 *  Throws "unreadable-file", and "corrupt-metrics" when a line before the last is not as training writes it. */
export function readMetrics(run: string): StepMetrics[] {
  const file = fileOf(run);
  const text = readTextFile(file);
  if (text === undefined) return [];
  const lines = text.split("\n");
  // What follows the last newline is empty, or was never finished.
  lines.pop();
  return lines.map((line, i) => {
    const metrics = metricsIn(line);
    if (metrics !== undefined) return metrics;
    throw new LejepaError(
      "corrupt-metrics",
      `${file}: line ${i + 1} is not the JSON of a step; delete the lines from there on.`,
    );
  });
}

const keys: Readonly<Record<keyof StepMetrics, true>> = {
  step: true,
  loss: true,
  prediction: true,
  sigreg: true,
  lr: true,
  imagesPerSecond: true,
  dataWaitSeconds: true,
  seconds: true,
};

/** What a line holds; undefined when it is not what training writes. */
function metricsIn(line: string): StepMetrics | undefined {
  try {
    const metrics = JSON.parse(line) as Partial<StepMetrics> | null;
    const isWhole = (Object.keys(keys) as (keyof StepMetrics)[]).every((key) =>
      Number.isFinite(metrics?.[key]),
    );
    return isWhole ? (metrics as StepMetrics) : undefined;
  } catch {
    return undefined;
  }
}

/** Opens the log after step `step`: later lines, of steps that the checkpoint does not have, are taken out. */
export async function openMetricsLog(
  run: string,
  step: number,
  guard?: Guard,
): Promise<MetricsLog> {
  const kept = readMetrics(run).filter((metrics) => metrics.step <= step);
  const text = kept.map((metrics) => `${JSON.stringify(metrics)}\n`).join("");
  await replaceFile(fileOf(run), text, guard);
  const file = openSync(fileOf(run), "a");
  return {
    append(metrics) {
      let rest = Buffer.from(`${JSON.stringify(metrics)}\n`);
      try {
        // A disk that is nearly full takes a part, and says so only when asked to take the rest.
        while (rest.length > 0) rest = rest.subarray(writeSync(file, rest));
      } catch (error) {
        throw writeError(fileOf(run), error);
      }
    },
    async sync() {
      try {
        await promisify(fdatasync)(file);
      } catch (error) {
        throw writeError(fileOf(run), error);
      }
    },
    close: () => closeSync(file),
  };
}
