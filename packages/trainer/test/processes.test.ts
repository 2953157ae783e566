import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { cp } from "node:fs/promises";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import type { Worker } from "node:worker_threads";
import type { HostTensors } from "@lejepa/ops";
import {
  decodeSafetensors,
  train,
  type StepMetrics,
  type TrainConfigInput,
  type TrainResult,
} from "@lejepa/trainer";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { needs } from "../../../tools/backends.js";
import { stripes, tiny } from "./toy-dataset.js";

let scratch = "";
/** Every thread that was started to compute, and whether it is still there. */
let threads: { worker: Worker; alive: boolean }[] = [];
const onWorker = (worker: Worker): void => {
  // The thread that shows that the owner of the run folder lives is the only one with so little memory.
  if (worker.resourceLimits?.maxOldGenerationSizeMb === 16) return;
  const thread = { worker, alive: true };
  threads.push(thread);
  worker.once("exit", () => (thread.alive = false));
};
beforeEach(() => {
  scratch = mkdtempSync(join(tmpdir(), "lejepa-processes-"));
  threads = [];
  process.on("worker", onWorker);
});
afterEach(() => {
  process.off("worker", onWorker);
  rmSync(scratch, { recursive: true });
});

interface Extra {
  readonly resume?: boolean;
  readonly onStep?: (step: number, abort: () => void) => void;
  readonly brokenItem?: number;
}

function start(name: string, config: Partial<TrainConfigInput>, extra: Extra = {}) {
  const controller = new AbortController();
  return train(
    // Steps so small that the rounding of small gradients, of which AdamW makes whole steps, does not add up.
    { ...tiny, steps: 4, warmupSteps: 0, learningRate: 5e-5, ...config },
    {
      run: join(scratch, name),
      resume: extra.resume ?? false,
      signal: controller.signal,
      datasets: { train: stripes(40, extra.brokenItem) },
      callbacks: { onStep: ({ step }) => extra.onStep?.(step, () => controller.abort()) },
    },
  );
}

const lossesOf = (name: string): number[][] =>
  readFileSync(join(scratch, name, "metrics.jsonl"), "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as StepMetrics)
    .map(({ loss, prediction, sigreg, lr }) => [loss, prediction, sigreg, lr]);

const stateOf = (name: string): HostTensors =>
  Object.assign(
    {},
    ...["model", "training"].map((part) => {
      const file = join(scratch, name, "checkpoint", `${part}.safetensors`);
      return decodeSafetensors(readFileSync(file), file).tensors;
    }),
  ) as HostTensors;

function expectSameRun(name: string, expected: string): void {
  const [losses, others] = [lossesOf(name), lossesOf(expected)];
  expect(losses).toHaveLength(others.length);
  losses.flat().forEach((value, i) => expect(value).toBeCloseTo(others.flat()[i]!, 5));
  const [state, other] = [stateOf(name), stateOf(expected)];
  expect(Object.keys(state)).toEqual(Object.keys(other));
  for (const [key, { data }] of Object.entries(state)) {
    const deviation = data.reduce((most, value, i) => {
      const d = Math.abs(value - other[key]!.data[i]!);
      return d <= most ? most : d;
    }, 0);
    expect(deviation, key).toBeLessThan(1e-5);
  }
}

const failure = async (run: Promise<TrainResult>): Promise<{ code: string; message: string }> => {
  try {
    await run;
  } catch (error) {
    return error as { code: string; message: string };
  }
  throw new Error("the run went through");
};

describe("training in several processes", () => {
  test.for([
    { engine: "eager", processes: 3 },
    { engine: "onnx", processes: 2 },
    { engine: "tensorflow", processes: 2 },
  ] as const)(
    "on the $engine engine makes the run of one, in $processes",
    async ({ engine, processes }, context) => {
      needs(engine, context);
      const config = { engine, steps: 3 };
      const one = await start("one", config);
      expect(threads.length).toBe(engine === "eager" ? 0 : 1);
      const before = threads.length;
      const result = await start("several", { ...config, processes });
      expect(threads.length - before).toBe(processes);
      const threadsOfEach = Math.max(1, Math.floor(availableParallelism() / processes));
      const counted = `${threadsOfEach} thread${threadsOfEach === 1 ? "" : "s"}`;
      const each = one.engineDescription.replace(/\d+ threads?$/, counted);
      expect(result.engineDescription).toBe(`${processes} processes, each with ${each}`);
      expectSameRun("several", "one");
      expect(threads.some(({ alive }) => alive)).toBe(false);
    },
  );

  test("goes on from a checkpoint of any number of processes", async (context) => {
    needs("eager", context);
    await start("one", {});
    await start("two", { processes: 2 });
    const stop: Extra = { onStep: (step, abort) => void (step === 2 && abort()) };
    const interrupted = await start("a", { processes: 2 }, stop);
    expect(interrupted).toMatchObject({ status: "interrupted", steps: 2 });
    expect(threads.some(({ alive }) => alive)).toBe(false);
    await cp(join(scratch, "a"), join(scratch, "b"), { recursive: true });
    const resumed = await start("a", { processes: 2 }, { resume: true });
    expect(resumed).toMatchObject({ status: "finished", steps: 4, resumedFrom: 2 });
    // As many as before: the same to the bit.
    expect(lossesOf("a")).toEqual(lossesOf("two"));
    expect(stateOf("a")).toEqual(stateOf("two"));
    await start("b", { processes: 1 }, { resume: true });
    expectSameRun("b", "one");
  });
});

describe("a run in two processes ends as a whole", () => {
  test("when one of them dies", async (context) => {
    needs("eager", context);
    const error = await failure(
      start(
        "a",
        { processes: 2, checkpointEvery: 1 },
        { onStep: (step) => void (step === 2 && threads[1]!.worker.terminate()) },
      ),
    );
    expect(error.code).toBe("worker-failed");
    expect(error.message).toMatch(/process 1 of 2 stopped/);
    expect(threads.map(({ alive }) => alive)).toEqual([false, false]);
    // What was done is kept.
    const result = await start("a", { processes: 1 }, { resume: true });
    expect(result).toMatchObject({ status: "finished", resumedFrom: 2 });
  });

  test("when the loss is no number", async (context) => {
    needs("eager", context);
    const error = await failure(start("a", { processes: 2 }, { brokenItem: 0 }));
    expect(error.code).toBe("loss-not-finite");
    expect(threads.map(({ alive }) => alive)).toEqual([false, false]);
  });

  test("when a callback throws", async (context) => {
    needs("eager", context);
    const stop = () => {
      throw new Error("enough");
    };
    expect((await failure(start("a", { processes: 2 }, { onStep: stop }))).message).toBe("enough");
    expect(threads.map(({ alive }) => alive)).toEqual([false, false]);
  });
});

test.each([
  [9, /processes should be at most the 8 images of a batch, got 9/],
  [0, /processes should be a whole number of at least 1, got 0/],
])("%i processes are refused", async (processes, message) => {
  const error = await failure(start("a", { processes }));
  expect(error.code).toBe("invalid-config");
  expect(error.message).toMatch(message);
});
