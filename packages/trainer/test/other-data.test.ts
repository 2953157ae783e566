import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { arrayDataset, type Dataset } from "@lejepa/data";
import { createEngine } from "@lejepa/engine";
import { embedRun, openRun, type TrainStart } from "@lejepa/trainer";
import { describe, expect, test } from "vitest";
import { runScratch } from "./run-scratch.js";
import { stripes, tiny } from "./toy-dataset.js";

const { start, computed, stored, folder, read } = runScratch();

/** `stripes` with other pixels or labels of some items. */
function altered(
  length: number,
  change: (images: Float32Array, labels: number[]) => void,
): Dataset {
  const original = stripes(length);
  const images = new Float32Array(length * 64);
  const labels: number[] = [];
  for (let i = 0; i < length; i++) {
    const { image, label } = original.item(i) as { image: { data: Float32Array }; label: number };
    images.set(image.data, i * 64);
    labels.push(label);
  }
  change(images, labels);
  const { classes } = original;
  return arrayDataset({
    name: "stripes",
    images,
    shape: [length, 8, 8, 1],
    labels,
    ...(classes && { classes }),
  });
}

const cases: [string, Dataset, RegExp][] = [
  ["fewer images", stripes(20), /20 images instead of 40/],
  ["so few that they are no batch", stripes(5), /5 images instead of 40/],
  ["appended images", stripes(50), /50 images instead of 40, of which the first 40 are the same/],
  ["other pixels", altered(40, (images) => (images[17 * 64 + 3]! += 0.01)), /pixels in item 17/],
  ["other labels", altered(40, (_, labels) => (labels[39] = 1)), /other labels of item 39/],
  [
    "images in another order",
    altered(40, (images) => {
      const first = images.slice(0, 64);
      images.copyWithin(0, 64, 128);
      images.set(first, 64);
    }),
    /same images in another order \(item 0 and 1 other\)/,
  ],
  [
    "larger images",
    arrayDataset({ name: "stripes", images: new Float32Array(40 * 81), shape: [40, 9, 9, 1] }),
    /9 x 9 pixels instead of 8 x 8/,
  ],
  [
    "images in colour",
    arrayDataset({ name: "stripes", images: new Float32Array(40 * 192), shape: [40, 8, 8, 3] }),
    /3 channels instead of 1/,
  ],
];

describe("a run does not go on with", () => {
  test.each(cases)("%s, and says what differs", async (_name, train, says) => {
    await start("a", { abortAt: 7 });
    const [config, before] = [read("a", "config.json"), computed("a")];
    const resumed = start("a", { resume: true, datasets: { train } });
    await expect(resumed).rejects.toMatchObject({ code: "data-differs" });
    await expect(resumed).rejects.toThrow(says);
    await expect(resumed).rejects.toThrow(/allow-other-data.*allowOtherData/);
    expect(read("a", "config.json").equals(config)).toBe(true);
    expect(computed("a")).toEqual(before);
  });

  test("a test set other than the one that its probes were begun with", async () => {
    const config = { probe: true };
    await start("a", { config, abortAt: 7 });
    const datasets = { train: stripes(), test: stripes(16) };
    const resumed = start("a", { config, resume: true, datasets });
    await expect(resumed).rejects.toMatchObject({ code: "data-differs" });
    await expect(resumed).rejects.toThrow(/is tested with other images .*16 images instead of 15/);
    const allowed = await start("a", { config, resume: true, datasets, allowOtherData: true });
    expect(allowed.status).toBe("finished");
    const [, second] = stored("a").record.data;
    expect(second).toMatchObject({ fromStep: 7, train: { count: 40 }, test: { count: 16 } });
  });
});

test("the same images elsewhere, under another name and read later, are the same data", async () => {
  await start("straight");
  await start("moved", { abortAt: 7 });
  const copy = altered(40, () => undefined);
  const elsewhere: Dataset = {
    name: "moved stripes",
    length: 40,
    classes: [...copy.classes!],
    item: async (index) => copy.item(index),
  };
  const result = await start("moved", { resume: true, datasets: { train: elsewhere } });
  expect(result.status).toBe("finished");
  expect(computed("moved")).toEqual(computed("straight"));
  expect(stored("moved").record.data).toHaveLength(1);
});

test("other data that are allowed go on the record, from their step on, and become the run's", async () => {
  await start("a", { abortAt: 7 });
  const datasets = { train: stripes(20) };
  let told: TrainStart | undefined;
  const options = { resume: true, datasets };
  await start("a", {
    ...options,
    allowOtherData: true,
    abortAt: 9,
    callbacks: { onStart: (it) => (told = it) },
  });
  expect(told!.notes).toEqual([
    "From step 7 on the run is trained on other images: 20 images instead of 40.",
  ]);
  const { data } = stored("a").record;
  expect(data).toMatchObject([
    { fromStep: 0, train: { count: 40 } },
    { fromStep: 7, train: { count: 20 } },
  ]);
  await expect(start("a", { resume: true })).rejects.toThrow(/40 images instead of 20/);
  expect(await start("a", options)).toMatchObject({ status: "finished", resumedFrom: 9 });
  expect(stored("a").record.data).toEqual(data);
  expect(read("a", "report.html").toString()).toContain("Images from step 7");
});

test("the flag changes nothing where the data are the same", async () => {
  await start("a", { abortAt: 7 });
  const { record } = stored("a");
  await start("a", { resume: true, allowOtherData: true });
  expect(stored("a").record).toEqual(record);
});

test("a test set that comes only with a later session is stored then", async () => {
  await start("a", { abortAt: 7 });
  expect(stored("a").record.data).toMatchObject([{ fromStep: 0, train: { count: 40 } }]);
  expect(stored("a").record.data[0]).not.toHaveProperty("test");
  await start("a", { resume: true, config: { probe: true } });
  expect(stored("a").record.data).toMatchObject([
    { fromStep: 0, train: { count: 40 }, test: { count: 15 } },
  ]);
});

test("other images may be embedded all the same", async () => {
  await start("a");
  const engine = await createEngine("eager");
  try {
    const run = await openRun(folder("a"));
    const { features } = await embedRun(engine, run, stripes(5));
    expect(features).toHaveLength(5 * 128);
  } finally {
    await engine.dispose();
  }
});

describe("a run of version 0.1.0", () => {
  // See stored-run.test.ts.
  const unpack = (): void => {
    const from = join(import.meta.dirname, "stored-run");
    mkdirSync(join(folder("a"), "checkpoint"), { recursive: true });
    for (const name of ["config.json", "metrics.jsonl"])
      copyFileSync(join(from, name), join(folder("a"), name));
    for (const name of ["model.safetensors", "training.safetensors"])
      writeFileSync(
        join(folder("a"), "checkpoint", name),
        gunzipSync(readFileSync(join(from, `${name}.gz`))),
      );
  };
  /** Losses and rates with which 0.1.0 at commit 457aca6 goes on from it. */
  const straight = [
    [8, 0.16340488195419312, 0.002936186323723159],
    [9, 0.14766588807106018, 0.002068813676276842],
    [10, 0.14668577909469604, 0.0012537500000000005],
    [11, 0.145000621676445, 0.0005893040033103527],
    [12, 0.16511842608451843, 0.00015561767958719398],
  ] as const;

  test("opens, and says that its data are not known", async () => {
    unpack();
    const run = await openRun(folder("a"));
    expect(run).toMatchObject({
      step: 7,
      config: { source: "stripes", warmupSteps: 3, steps: 12 },
    });
    expect(run.record).toEqual({ inCode: [], data: [], extensions: [] });
  });

  test("goes on as it would have then, with its warm-up, and its data are known from then on", async () => {
    unpack();
    let told: TrainStart | undefined;
    const callbacks = { onStart: (it: TrainStart) => (told = it) };
    expect(await start("a", { resume: true, callbacks, abortAt: 10 })).toMatchObject({
      status: "interrupted",
      resumedFrom: 7,
    });
    expect(told!.notes).toEqual([expect.stringMatching(/has no fingerprint .* stored now/)]);
    expect(stored("a").record).toMatchObject({ data: [{ fromStep: 7, train: { count: 40 } }] });
    expect(stored("a").record.begun).toBeUndefined();
    const other = start("a", { resume: true, datasets: { train: stripes(30) } });
    await expect(other).rejects.toMatchObject({ code: "data-differs" });
    await start("a", { resume: true, callbacks });
    expect(told!.notes).toEqual([]);
    const { steps } = computed("a");
    straight.forEach(([step, loss, lr], i) => {
      const [isStep, isLoss, , , isRate] = steps[7 + i]!;
      expect(isStep).toBe(step);
      expect(isRate).toBe(lr);
      expect(isLoss).toBeCloseTo(loss, 5);
    });
  });

  test("can be extended", async () => {
    unpack();
    const more = { resume: true, extend: true, config: { steps: 14 } };
    expect(await start("a", more)).toMatchObject({ status: "finished", steps: 14 });
    expect(stored("a")).toMatchObject({
      warmupSteps: 3,
      record: { extensions: [{ fromStep: 7, from: 12, to: 14 }] },
    });
  });
});

test("a record that is damaged is named, and the run is left alone", async () => {
  await start("a", { abortAt: 7 });
  const file = join(folder("a"), "config.json");
  const whole = JSON.parse(readFileSync(file, "utf8")) as { record: { data: object[] } };
  for (const [record, where] of [
    [null, /config\.json: record is not as training writes it/],
    [{ ...whole.record, data: [{ fromStep: 0 }] }, /record\.data\.0\.train/],
    [{ ...whole.record, extensions: undefined }, /record\.extensions/],
  ] as const) {
    writeFileSync(file, JSON.stringify({ ...whole, record }));
    for (const use of [() => openRun(folder("a")), () => start("a", { resume: true })]) {
      await expect(use()).rejects.toMatchObject({ code: "invalid-config" });
      await expect(use()).rejects.toThrow(where);
    }
  }
  expect(existsSync(join(folder("a"), "result.json"))).toBe(false);
});

test.each([
  ["a list", []],
  ["an object without item", { name: "x", length: 3 }],
  ["nothing", undefined],
])("%s is no dataset to train on", async (_name, train) => {
  const run = start("a", { datasets: { train: train as never }, config: tiny });
  await expect(run).rejects.toMatchObject({ code: "invalid-option" });
  await expect(run).rejects.toThrow(/datasets\.train should be a Dataset/);
});
