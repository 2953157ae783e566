/** Runs of two groups of views. */
import { openRun } from "@lejepa/trainer";
import { describe, expect, test } from "vitest";
import { needs } from "../../../tools/backends.js";
import { runScratch } from "./run-scratch.js";

const { start, computed, stored, folder, read } = runScratch();
const localViews = {
  count: 2,
  transforms: [
    { name: "random-resized-crop", scale: [0.3, 0.6], antialias: true },
    { name: "normalise", mean: 0.5, std: 0.5 },
  ],
} as const;
const config = { localViews, target: "global" } as const;

describe.each(["eager", "onnx", "tensorflow"] as const)("on %s", (engine) => {
  test("a run of two groups is stopped and resumed bit for bit, and is another one than without", async (context) => {
    needs(engine, context);
    await start("straight", { config: { ...config, engine } });
    await start("parts", { config: { ...config, engine }, abortAt: 7 });
    await start("parts", { config: { engine }, resume: true });
    expect(computed("parts")).toEqual(computed("straight"));
    expect(stored("straight")).toMatchObject(config);
    await start("plain", { config: { engine } });
    expect(computed("plain")).not.toEqual(computed("straight"));
    expect((await openRun(folder("parts"))).config.localViews).toEqual(localViews);
    expect(read("parts", "report.html").toString()).toContain("+ 2) views");
  });
});

test.for(["onnx", "tensorflow"] as const)(
  "on %s two processes train as one",
  async (engine, context) => {
    needs(engine, context);
    // Steps so small that rounding, of which AdamW makes whole steps, does not add up.
    const settings = { ...config, engine, steps: 4, warmupSteps: 0, learningRate: 5e-5 };
    await start("one", { config: settings });
    await start("two", { config: { ...settings, processes: 2 } });
    const [one, two] = [computed("one").steps, computed("two").steps];
    expect(two).toHaveLength(4);
    two.forEach((values, step) =>
      values.forEach((value, i) => expect(Math.abs(value - one[step]![i]!)).toBeLessThan(1e-4)),
    );
  },
);

test("bytes, which are normalised when a step takes them, train nearly as floats", async (context) => {
  needs("onnx", context);
  const losses = async (name: string, values: "floats" | "bytes") => {
    const settings = { ...config, localViews: { ...localViews, values }, engine: "onnx" as const };
    await start(name, { config: { ...settings, steps: 3, learningRate: 1e-5 } });
    return read(name, "metrics.jsonl")
      .toString()
      .trim()
      .split("\n")
      .map((line) => (JSON.parse(line) as { loss: number }).loss);
  };
  const [floats, bytes] = [await losses("floats", "floats"), await losses("bytes", "bytes")];
  expect(floats).toHaveLength(3);
  bytes.forEach((loss, i) => expect(Math.abs(loss - floats[i]!)).toBeLessThan(0.01 * floats[i]!));
});

test("local views of a size that the encoder does not take are refused before anything is written", async () => {
  const small = { ...localViews, size: [4, 4] as const };
  await expect(start("small", { config: { ...config, localViews: small } })).rejects.toMatchObject({
    name: "LejepaError",
    code: "image-shape",
  });
});
