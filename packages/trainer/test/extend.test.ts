import {
  appendFileSync,
  existsSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import {
  decodeSafetensors,
  encodeSafetensors,
  openRun,
  warmupCosine,
  type TrainStart,
} from "@lejepa/trainer";
import { describe, expect, test } from "vitest";
import { needs } from "../../../tools/backends.js";
import { runScratch } from "./run-scratch.js";
import { tiny } from "./toy-dataset.js";

const { start, computed, stored, folder, read } = runScratch();
const longer = { resume: true, extend: true, config: { steps: 20 } } as const;

/** The rates of the schedule of `tiny`, for so many steps. */
const rates = (steps: number): number[] =>
  Array.from({ length: steps }, (_, step) =>
    warmupCosine({ peak: 5e-3, warmupSteps: 3, finalFraction: 1e-3, steps }, step),
  );
const ratesOf = (name: string): number[] => computed(name).steps.map((row) => row[4]!);

describe.each(["eager", "onnx"] as const)("on %s", (engine) => {
  const config = { engine, steps: 20 };

  test("a run that was extended, killed and resumed equals one that was extended and never stopped", async (context) => {
    needs(engine, context);
    for (const name of ["straight", "killed"]) {
      await start(name, { config: { engine } });
      expect(existsSync(join(folder(name), "result.json"))).toBe(true);
    }
    expect(await start("straight", { ...longer, config })).toMatchObject({
      status: "finished",
      steps: 20,
      resumedFrom: 12,
    });
    // Before a checkpoint of the extension is there, and after.
    for (const [dieAt, resumedFrom] of [
      [14, 12],
      [18, 15],
    ] as const) {
      const died = start("killed", { ...longer, config, dieAt });
      await expect(died).rejects.toThrow("power cut");
      // Neither is the run over, nor does its result of before say so.
      expect((await openRun(folder("killed"))).result).toBeUndefined();
      expect(existsSync(join(folder("killed"), "result.json"))).toBe(false);
      // Plain resume knows the length from then on.
      const again = start("killed", {
        resume: true,
        config: { engine, steps: undefined },
        abortAt: resumedFrom + 1,
      });
      expect(await again).toMatchObject({ status: "interrupted", resumedFrom });
    }
    const last = await start("killed", { resume: true, config: { engine, steps: 20 } });
    expect(last).toMatchObject({ status: "finished", steps: 20 });
    expect(computed("killed")).toEqual(computed("straight"));
    expect((await openRun(folder("killed"))).result).toMatchObject({ steps: 20 });
  });
});

test("the steps done keep their rates, those to come have the longer schedule's, and the record says so", async () => {
  await start("a", { abortAt: 7 });
  let told: TrainStart | undefined;
  await start("a", { ...longer, callbacks: { onStart: (it) => (told = it) } });
  expect(ratesOf("a")).toEqual([...rates(12).slice(0, 7), ...rates(20).slice(7)]);
  expect(told!.notes).toEqual([
    expect.stringMatching(/extended from 12 to 20 steps; its learning rate goes on at 0\.00\d+/),
  ]);
  const extensions = [{ fromStep: 7, from: 12, to: 20 }];
  expect(stored("a")).toMatchObject({ steps: 20, warmupSteps: 3, record: { extensions } });
  expect((await openRun(folder("a"))).record.extensions).toEqual(extensions);
  // Once more, by epochs: 5 batches of 8 in 40 images.
  await start("a", { resume: true, extend: true, config: { steps: undefined, epochs: 5 } });
  expect(ratesOf("a")).toEqual([
    ...rates(12).slice(0, 7),
    ...rates(20).slice(7),
    ...rates(25).slice(20),
  ]);
  expect(stored("a").record.extensions).toEqual([
    ...extensions,
    { fromStep: 20, from: 20, to: 25 },
  ]);
});

test("a run that lost its checkpoint after an extension repeats the rates that it had", async () => {
  await start("a", { abortAt: 7 });
  await start("a", longer);
  const before = computed("a");
  rmSync(join(folder("a"), "checkpoint"), { recursive: true });
  expect(await start("a", { resume: true, config: { steps: 20 } })).toMatchObject({
    status: "finished",
    resumedFrom: 0,
  });
  expect(computed("a")).toEqual(before);
});

test("to extend by nothing is to resume", async () => {
  const first = await start("a");
  const before = read("a", "config.json");
  const again = await start("a", { resume: true, extend: true, config: { steps: 12 } });
  expect(again).toEqual({ ...first, status: "already-finished" });
  expect(read("a", "config.json").equals(before)).toBe(true);
});

test.each([
  [{ steps: 20 }, /is a run of 12 steps, and 20 steps; .*--extend/],
  [{ steps: undefined, epochs: 4 }, /12 steps, and 4 epochs of 40 images are 20 steps/],
  [{ steps: undefined, epochs: 2 }, /2 epochs of 40 images are 10 steps: .* cannot become shorter/],
])("%j without extend is refused, and the run is as it was", async (config, says) => {
  await start("a");
  const before = read("a", "config.json");
  const other = start("a", { resume: true, config });
  await expect(other).rejects.toMatchObject({ code: "config-differs" });
  await expect(other).rejects.toThrow(says);
  expect(read("a", "config.json").equals(before)).toBe(true);
  expect(await start("a", { resume: true })).toMatchObject({ status: "already-finished" });
});

/** Puts a number in the place of the first one of a file of the checkpoint. */
function spoil(name: string, part: "model" | "training", value: number): void {
  const file = join(folder(name), "checkpoint", `${part}.safetensors`);
  const { tensors, metadata } = decodeSafetensors(readFileSync(file), file);
  Object.values(tensors)[0]!.data[0] = value;
  writeFileSync(file, encodeSafetensors(tensors, metadata));
}

describe.each<[string, string, (name: string) => void]>([
  [
    "a line of metrics is garbage",
    "corrupt-metrics",
    (name) => appendFileSync(join(folder(name), "metrics.jsonl"), "garbage\n"),
  ],
  ["the encoder has NaN in it", "corrupt-checkpoint", (name) => spoil(name, "model", NaN)],
  ["a moment is infinite", "corrupt-checkpoint", (name) => spoil(name, "training", Infinity)],
  [
    "the result is none",
    "corrupt-result",
    (name) => writeFileSync(join(folder(name), "result.json"), "{}"),
  ],
])("where %s", (_fault, code, breakIt) => {
  const content = (name: string): string[] =>
    readdirSync(folder(name), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map(({ parentPath, name: file }) => join(parentPath, file))
      .map((file) => `${file} ${readFileSync(file).toString("base64")}`)
      .sort();

  test("a run is not extended, and is as it was", async () => {
    await start("a");
    breakIt("a");
    const before = content("a");
    await expect(start("a", longer)).rejects.toMatchObject({ name: "LejepaError", code });
    expect(content("a")).toEqual(before);
  });
});

test("an encoder with NaN in it is not opened, and the tensor is named", async () => {
  await start("a");
  spoil("a", "model", NaN);
  await expect(openRun(folder("a"))).rejects.toThrow(
    /model\.safetensors cannot be used: tensor \S+ holds NaN or infinity/,
  );
});

test("extend without resume is refused, and makes nothing", async () => {
  for (const option of ["extend", "allowOtherData"] as const) {
    const run = start("a", { [option]: true, config: tiny });
    await expect(run).rejects.toMatchObject({ code: "invalid-option" });
    await expect(run).rejects.toThrow(new RegExp(`${option} goes with resume`));
  }
  expect(existsSync(folder("a"))).toBe(false);
});
