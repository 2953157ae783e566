/** Training with a step that changes behind the compiled one's back: a number in its loss that moves later on. */
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openRun, train, type TrainConfigInput } from "@lejepa/trainer";
import * as tf from "@tensorflow/tfjs-core";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { needs } from "../../../tools/backends.js";
import { stripes, tiny } from "./toy-dataset.js";

/** What the loss is multiplied by, whenever the step is traced. */
const planted = vi.hoisted(() => ({ factor: 1 }));

vi.mock("../src/lejepa-step.js", async (original) => {
  const { lejepaStep, ...others } = await original<typeof import("../src/lejepa-step.js")>();
  return {
    ...others,
    lejepaStep: (...given: Parameters<typeof lejepaStep>) => {
      const made = lejepaStep(...given);
      const step: typeof made.step = (state, inputs) => {
        const { outputs, ...rest } = made.step(state, inputs);
        return { ...rest, outputs: { ...outputs, loss: tf.mul(outputs.loss!, planted.factor) } };
      };
      return { ...made, step };
    },
  };
});

let run = "";
beforeEach(() => {
  run = mkdtempSync(join(tmpdir(), "lejepa-retrace-"));
  planted.factor = 1;
});
afterEach(() => rmSync(run, { recursive: true }));

const start = (config: Partial<TrainConfigInput>, changeAt: number) =>
  train(
    { ...tiny, ...config },
    {
      run,
      datasets: { train: stripes() },
      callbacks: { onStep: ({ step }) => step === changeAt && (planted.factor = 2) },
    },
  );
const stepsDone = (): number =>
  readFileSync(join(run, "metrics.jsonl"), "utf8").trim().split("\n").length;

test.for(["onnx", "tensorflow"] as const)(
  "on %s a number that changes is found at the next check, before a checkpoint is written",
  async (engine, context) => {
    needs(engine, context);
    const running = start({ engine, retraceEvery: 5 }, 6);
    await expect(running).rejects.toMatchObject({
      name: "LejepaError",
      code: "changing-constant",
      message: expect.stringMatching(/the number 1, then 2.*retrace\.test\.ts:\d+:\d+/) as string,
    });
    expect(stepsDone()).toBe(10);
    expect((await openRun(run)).step).toBe(5);
  },
);

test("one that changes after the last regular check is found at the last step", async (context) => {
  needs("onnx", context);
  const running = start({ engine: "onnx", retraceEvery: 5 }, 11);
  await expect(running).rejects.toMatchObject({ code: "changing-constant" });
  expect(stepsDone()).toBe(12);
  expect((await openRun(run)).step).toBe(10);
});

test("without checks the step goes on as it was compiled", async (context) => {
  needs("onnx", context);
  const { status } = await start({ engine: "onnx" }, 2);
  expect(status).toBe("finished");
  expect(existsSync(join(run, "result.json"))).toBe(true);
});

test("a step that stays the same passes every check", async (context) => {
  needs("onnx", context);
  const { status } = await start({ engine: "onnx", retraceEvery: 1 }, 13);
  expect(status).toBe("finished");
});

test("several processes check, each its own part of the step", async (context) => {
  needs("onnx", context);
  const { status } = await start({ engine: "onnx", processes: 2, retraceEvery: 4 }, 13);
  expect(status).toBe("finished");
});
