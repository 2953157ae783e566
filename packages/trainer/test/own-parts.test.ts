import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createEncoder } from "@lejepa/encoders";
import { createEngine } from "@lejepa/engine";
import { linearProbe } from "@lejepa/eval";
import { decodeSafetensors, embedRun, labelled, openRun, train } from "@lejepa/trainer";
import { describe, expect, test } from "vitest";
import { needs } from "../../../tools/backends.js";
import { linearEncoder } from "./own-encoder.js";
import { runScratch } from "./run-scratch.js";
import { stripes } from "./toy-dataset.js";

const { start, computed, stored, folder, read } = runScratch();
const encoder = linearEncoder();
/** `tiny` without what the encoder brings. */
const config = { imageSize: undefined };

describe.each(["eager", "onnx"] as const)("an encoder passed in code, on %s", (engine) => {
  test("is trained, probed, stopped and resumed bit for bit, opened and embedded", async (context) => {
    needs(engine, context);
    const settings = { ...config, engine, probe: true };
    const result = await start("straight", { encoder, config: settings });
    expect(result).toMatchObject({ status: "finished", probes: { trained: {} } });
    expect(stored("straight")).toMatchObject({
      encoder: "linear",
      imageSize: 8,
      channels: 1,
      record: { inCode: ["encoder", "datasets"] },
    });
    await start("parts", { encoder, config: settings, abortAt: 7 });
    await start("parts", { encoder: linearEncoder(), config: settings, resume: true });
    expect(computed("parts")).toEqual(computed("straight"));

    const run = await openRun(folder("parts"), { encoder });
    expect(run.encoder).toBe(encoder);
    expect(Object.keys(run.parameters)).toEqual(["fc.weight", "fc.bias"]);
    const { tensors } = decodeSafetensors(read("parts", "checkpoint/model.safetensors"), "model");
    expect(tensors["fc.weight"]!.shape).toEqual([6, 64]);
    const runs = await createEngine(engine);
    try {
      const sets = [stripes(), stripes(15)] as const;
      const [trainSet, test] = await Promise.all(
        sets.map(async (set) => labelled(await embedRun(runs, run, set), set)),
      );
      const { accuracy } = await linearProbe(runs, { train: trainSet!, test: test! });
      expect(accuracy).toBe(result.probes!.trained.linear);
    } finally {
      await runs.dispose();
    }
    const html = read("parts", "report.html").toString();
    // 64 x 6 weights and 6 biases.
    expect(html).toContain("390 parameters");
  });
});

test("a run with parts of one's own asks for them by name", async () => {
  await start("a", { encoder, config, abortAt: 7 });
  const opened = openRun(folder("a"));
  await expect(opened).rejects.toMatchObject({ code: "passed-in-code" });
  await expect(opened).rejects.toThrow(/the encoder "linear" passed in code.*openRun\(run, \{ enc/);
  const resume = (options: object) =>
    train({ source: "stripes" }, { run: folder("a"), resume: true, ...options });
  const datasets = { train: stripes() };
  for (const [options, lacks] of [
    [{}, /the encoder "linear" and the images "stripes" passed in code, which have/],
    [{ encoder }, /with the images "stripes" passed in code, which has/],
    [{ datasets }, /with the encoder "linear" passed in code, which has/],
  ] as const) {
    await expect(resume(options)).rejects.toMatchObject({ code: "passed-in-code" });
    await expect(resume(options)).rejects.toThrow(lacks);
  }
  expect(await resume({ encoder, datasets })).toMatchObject({ status: "finished" });
});

test("another encoder than the one that was trained is refused, and says how it differs", async () => {
  await start("a", { encoder, config, abortAt: 7 });
  const before = computed("a");
  const undecayed = encoder.parameters.map((each) => ({ ...each, decay: false }));
  for (const [other, says] of [
    [linearEncoder({ name: "other" }), /encoder of name "linear", and the one passed has "other"/],
    [{ ...encoder, imageSize: 16 }, /imageSize 8, and the one passed has 16/],
    [linearEncoder({ dim: 7 }), /parameters have other names, shapes, layouts or decay/],
    [
      { ...encoder, parameters: undecayed },
      /parameters have other names, shapes, layouts or decay/,
    ],
    [linearEncoder({ bias: "fc.b" }), /parameters have other names, shapes, layouts or decay/],
  ] as const) {
    for (const use of [
      () => start("a", { encoder: other, config, resume: true }),
      () => openRun(folder("a"), { encoder: other }),
    ]) {
      await expect(use()).rejects.toMatchObject({ code: "encoder-differs" });
      await expect(use()).rejects.toThrow(says);
    }
  }
  expect(computed("a")).toEqual(before);
});

test("a run that recorded the roles of its parameters goes on, and its checkpoint knows another encoder", async () => {
  await start("straight", { encoder, config });
  await start("a", { encoder, config, abortAt: 7 });
  const file = join(folder("a"), "config.json");
  const written = JSON.parse(readFileSync(file, "utf8")) as {
    record: { encoderParameters?: string };
  };
  expect(written.record.encoderParameters).toMatch(/^[0-9a-f]{16}$/);
  const record = { ...written.record, encoderLayout: "0123456789abcdef" };
  delete record.encoderParameters;
  writeFileSync(file, JSON.stringify({ ...written, record }));
  const other = openRun(folder("a"), { encoder: linearEncoder({ dim: 7 }) });
  await expect(other).rejects.toMatchObject({ name: "LejepaError" });
  await start("a", { encoder, config, resume: true });
  expect(computed("a")).toEqual(computed("straight"));
});

test("an encoder for a run that names its own is refused", async () => {
  await start("a", { abortAt: 7 });
  const known = createEncoder("conv_mnist", { imageSize: 8, channels: 1 });
  for (const use of [
    () => openRun(folder("a"), { encoder: known }),
    () => start("a", { encoder: known, resume: true }),
  ]) {
    await expect(use()).rejects.toMatchObject({ code: "encoder-differs" });
    await expect(use()).rejects.toThrow(/trained with the encoder "conv_mnist" by its name/);
  }
});

describe("refused before anything is made:", () => {
  test.each([
    ["a name besides", { encoder: "conv_mnist" }, /encoder should be "linear".*got "conv_mnist"/],
    ["another size", { imageSize: 28 }, /imageSize should be 8.*got 28/],
    ["other channels", { channels: 3 as const }, /channels should be 1.*got 3/],
    ["several processes", { processes: 2 }, /processes should be 1 with an encoder passed in code/],
  ])("%s", async (_name, besides, says) => {
    const run = start("a", { encoder, config: { ...config, ...besides } });
    await expect(run).rejects.toMatchObject({ code: "invalid-config" });
    await expect(run).rejects.toThrow(says);
    expect(existsSync(folder("a"))).toBe(false);
  });

  test.each([
    ["a name in the place of an encoder", "conv_mnist", /should have name/],
    [
      "an encoder whose parameters have roles, as in version 0.1.0",
      { ...encoder, parameters: [{ name: "fc.weight", shape: [64, 6], role: "matrix" }] },
      /parameters, a list of \{ name, shape, layout, decay, buffer \}/,
    ],
    ["an encoder without apply", { ...encoder, apply: undefined }, /functions init.* and apply/],
    ["an encoder of two channels", { ...encoder, channels: 2 }, /channels, 1 or 3/],
    ["nothing", null, /should have name/],
  ])("%s", async (_name, value, says) => {
    const run = start("a", { encoder: value as never, config });
    await expect(run).rejects.toMatchObject({ code: "invalid-option" });
    await expect(run).rejects.toThrow(says);
    expect(existsSync(folder("a"))).toBe(false);
  });

  test("images of one's own without the settings that depend on them", async () => {
    const run = train(
      { source: "photos", channels: 3 },
      { run: folder("a"), datasets: { train: stripes() } },
    );
    await expect(run).rejects.toMatchObject({ code: "invalid-config" });
    await expect(run).rejects.toThrow(/"photos" has no preset, so encoder, imageSize, projector,/);
    expect(existsSync(folder("a"))).toBe(false);
  });

  test("an unknown source, with the sources that there are and the way in for one's own", async () => {
    const run = train({ source: "photos" }, { run: folder("a") });
    await expect(run).rejects.toMatchObject({ code: "unknown-dataset" });
    await expect(run).rejects.toThrow(/no dataset "photos".*Known: mnist\..*datasets: \{ train/);
    expect(existsSync(folder("a"))).toBe(false);
  });
});

test("an encoder of one's own on images of one's own needs no preset", async () => {
  const settings = {
    source: "stripes",
    projector: { hidden: [8], outputDim: 4 },
    steps: 10,
    batchSize: 8,
    views: 2,
    augmentation: [{ name: "normalise", mean: 0.5, std: 0.3 }],
    learningRate: 1e-3,
    workers: 0,
    engine: "eager",
  } as const;
  const options = { run: folder("a"), encoder, datasets: { train: stripes() } };
  expect(await train(settings, options)).toMatchObject({ status: "finished" });
  expect(stored("a")).toMatchObject({
    encoder: "linear",
    imageSize: 8,
    channels: 1,
    warmupSteps: 1,
  });
});
