import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  train,
  type RunRecord,
  type StepMetrics,
  type TrainConfigInput,
  type TrainOptions,
  type TrainResult,
} from "@lejepa/trainer";
import { afterEach, beforeEach } from "vitest";
import { stripes, tiny } from "./toy-dataset.js";

/** What a session of a test does otherwise than `tiny` on `stripes`. */
export interface Session extends Partial<Omit<TrainOptions, "run" | "signal">> {
  readonly config?: Partial<TrainConfigInput>;
  /** Aborts once this many steps are done. */
  readonly abortAt?: number;
  /** Fails once this many steps are done, as if the process died: nothing more is written. */
  readonly dieAt?: number;
}

/** Run folders in a scratch folder that each test of a file has to itself. */
export function runScratch() {
  let scratch = "";
  beforeEach(() => void (scratch = mkdtempSync(join(tmpdir(), "lejepa-run-"))));
  afterEach(() => rmSync(scratch, { recursive: true }));
  const folder = (name: string): string => join(scratch, name);
  const read = (name: string, file: string): Buffer => readFileSync(join(folder(name), file));
  return {
    folder,
    read,
    start: (
      name: string,
      { config, abortAt, dieAt, callbacks, ...options }: Session = {},
    ): Promise<TrainResult> => {
      const controller = new AbortController();
      return train(
        { ...tiny, ...config },
        {
          run: folder(name),
          signal: controller.signal,
          datasets: { train: stripes(), test: stripes(15) },
          ...options,
          callbacks: {
            ...callbacks,
            onStep: (metrics) => {
              callbacks?.onStep?.(metrics);
              if (metrics.step === abortAt) controller.abort();
              if (metrics.step === dieAt) throw new Error("power cut");
            },
          },
        },
      );
    },
    /** What does not depend on the clock: of each step, and of the whole state at the end. */
    computed: (name: string) => ({
      steps: read(name, "metrics.jsonl")
        .toString()
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line) as StepMetrics)
        .map(({ step, loss, prediction, sigreg, lr }) => [step, loss, prediction, sigreg, lr]),
      state: ["model", "training"].map((part) =>
        read(name, `checkpoint/${part}.safetensors`).toString("base64"),
      ),
    }),
    stored: (name: string) =>
      JSON.parse(read(name, "config.json").toString()) as Record<string, unknown> & {
        record: RunRecord;
      },
  };
}
