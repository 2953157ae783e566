import { describe, expect, test } from "vitest";
import {
  checkConfig,
  completeConfig,
  resumedConfig,
  trainViews,
  type TrainConfig,
} from "./config.js";
import { mnistPreset } from "./presets/mnist.js";
import { presetOf } from "./presets/preset-of.js";

const defaults: Omit<TrainConfig, "source"> = {
  encoder: "conv_mnist",
  imageSize: 28,
  channels: 1,
  projector: { hidden: [8], outputDim: 4 },
  steps: 100,
  batchSize: 64,
  views: 4,
  augmentation: [{ name: "normalise", mean: 0.13, std: 0.31 }],
  lambda: 0.05,
  combine: "convex",
  sigreg: "per-view",
  target: "all",
  slices: 256,
  integration: "trapezoid",
  points: 17,
  tMax: 3,
  rule: "half-range",
  learningRate: 5e-3,
  warmupSteps: 50,
  finalFraction: 1e-3,
  weightDecay: 0.05,
  seed: 0,
  engine: "auto",
  processes: 1,
  workers: 1,
  checkpointEvery: 100,
  retraceEvery: 0,
  precision: "float32",
  probe: false,
};

test("what is not given comes from the defaults", () => {
  const config = completeConfig({ source: "mnist", steps: 700, seed: undefined }, defaults, 60_000);
  expect(config).toEqual({ ...defaults, source: "mnist", steps: 700 });
});

test("epochs count whole batches of the train set", () => {
  expect(completeConfig({ source: "mnist", epochs: 2 }, defaults, 60_000).steps).toBe(2 * 937);
});

test.each([
  [1020, 50],
  [500, 50],
  [499, 49],
  [10, 1],
  [9, 0],
])("the warm-up of %i steps is %i: the preset's, but at most a tenth", (steps, warmupSteps) => {
  const config = completeConfig({ source: "mnist", steps }, mnistPreset, 60_000);
  expect(config.warmupSteps).toBe(warmupSteps);
});

test("epochs shorten the warm-up like steps, and a warm-up that is given is taken", () => {
  const config = (input: object) =>
    completeConfig({ source: "mnist", epochs: 1, ...input }, mnistPreset, 640);
  expect(config({})).toMatchObject({ steps: 10, warmupSteps: 1 });
  expect(config({ warmupSteps: 8 })).toMatchObject({ steps: 10, warmupSteps: 8 });
});

test("a source without a preset has no defaults that depend on its images, and they are named at once", () => {
  const complete = (input: object): unknown =>
    completeConfig({ source: "photos", ...input }, presetOf("photos", undefined), 100);
  expect(() => complete({ channels: 3 })).toThrow(
    expect.objectContaining({
      code: "invalid-config",
      message: expect.stringContaining(
        'the source "photos" has no preset, so encoder, imageSize, projector, steps (or epochs), batchSize, views, augmentation, learningRate have no default',
      ) as string,
    }),
  );
  const rest = {
    encoder: "resnet18",
    imageSize: 32,
    channels: 3,
    projector: { hidden: [64], outputDim: 16 },
    batchSize: 10,
    views: 2,
    augmentation: [{ name: "horizontal-flip" }],
  };
  expect(() => complete({ ...rest, epochs: 2 })).toThrow(
    /so learningRate has no default; give it,/,
  );
  expect(complete({ ...rest, epochs: 2, learningRate: 1e-3 })).toMatchObject({
    ...rest,
    steps: 20,
    warmupSteps: 2,
    learningRate: 1e-3,
    // Of the method.
    lambda: 0.05,
    slices: 256,
    points: 17,
    engine: "auto",
  });
});

test("another source takes the settings of mnist when they are asked for by name", () => {
  const input = { source: "drawings", preset: "mnist" } as const;
  const config = completeConfig(input, presetOf(input.source, input.preset), 60_000);
  expect(config).toEqual({ ...mnistPreset, source: "drawings" });
  expect(() => presetOf("drawings", "mnits")).toThrow(
    expect.objectContaining({ code: "invalid-config" }),
  );
  expect(() => presetOf("drawings", "mnits")).toThrow(/preset should be one of mnist, got "mnits"/);
});

const begun: TrainConfig = { ...defaults, source: "mnist", steps: 60, warmupSteps: 50 };
const resume = (input: object, extend = false, trainImages = 1280): TrainConfig =>
  resumedConfig("runs/a", begun, { source: "mnist", ...input }, { trainImages, extend });

test("a run is resumed with its own settings, warm-up included, and with those that may change", () => {
  expect(resume({})).toEqual(begun);
  expect(resume({ steps: 60, workers: 3, folder: "/moved" })).toEqual({
    ...begun,
    workers: 3,
    folder: "/moved",
  });
  // 3 epochs of 20 batches.
  expect(resume({ epochs: 3 })).toEqual(begun);
});

test.each([
  [{ steps: 80 }, /a run of 60 steps, and 80 steps; to train longer, extend .*leave steps out/],
  [{ steps: 40 }, /and 40 steps: a run cannot become shorter, as .* step 60; leave steps out/],
  [
    { epochs: 2 },
    /a run of 60 steps, and 2 epochs of 1280 images are 40 steps: a run cannot become shorter.*leave epochs out/,
  ],
  [{ epochs: 4 }, /4 epochs of 1280 images are 80 steps; to train longer, .*leave epochs out/],
  [{ epochs: 1 }, /1 epoch of 1280 images are 20 steps/],
])("other steps are refused in the words that were typed: %j", (input, says) => {
  expect(() => resume(input)).toThrow(expect.objectContaining({ code: "config-differs" }));
  expect(() => resume(input)).toThrow(says);
  const typed = "steps" in input ? "epoch" : "leave steps";
  expect(() => resume(input)).not.toThrow(new RegExp(typed));
});

test("with extend the steps may become more, not fewer, and the warm-up stays", () => {
  expect(resume({ steps: 80 }, true)).toEqual({ ...begun, steps: 80 });
  expect(resume({ epochs: 4 }, true)).toEqual({ ...begun, steps: 80 });
  // As when the command is repeated after a crash.
  expect(resume({ steps: 60 }, true)).toEqual(begun);
  expect(() => resume({ steps: 59 }, true)).toThrow(/cannot become shorter/);
  expect(() => resume({}, true)).toThrow(/say how long it shall be: give steps or epochs/);
});

test("a batch larger than the train set is refused", () => {
  expect(() => completeConfig({ source: "few" }, defaults, 10)).toThrow(
    /batchSize should be at most the 10 images there are, got 64/,
  );
});

test.each<[key: string, value: unknown, allowed: RegExp]>([
  ["steps", 0, /whole number of at least 1, got 0/],
  ["steps", 2.5, /whole number of at least 1, got 2\.5/],
  ["epochs", -1, /whole number of at least 1, got -1/],
  ["batchSize", "64", /whole number of at least 2, got "64"/],
  ["lambda", 1.5, /number from 0 to 1 when combine is "convex", got 1\.5/],
  ["lambda", Number.NaN, /number of at least 0, got NaN/],
  ["learningRate", 0, /number above 0, got 0/],
  ["learningRate", Infinity, /number above 0/],
  ["engine", "cuda", /one of auto, onnx, tensorflow, eager, got "cuda"/],
  ["channels", 2, /1 or 3, got 2/],
  ["integration", "romberg", /one of trapezoid, simpson, gauss-hermite, got "romberg"/],
  ["points", 1, /whole number of at least 2, got 1/],
  ["tMax", 0, /number above 0, got 0/],
  ["rule", "exact", /one of half-range, full-range, got "exact"/],
  ["projector", { hidden: [0], outputDim: 4 }, /projector\.hidden\.0 .*at least 1, got 0/],
  ["projector", { hidden: [8], outputDim: 4, depth: 2 }, /no key "depth"; .*hidden, outputDim/],
  ["projector", 3, /\{ hidden: \[widths\], outputDim: width \}, got 3/],
  ["augmentation", "crop", /list of transforms/],
  ["probe", 1, /true or false, got 1/],
  ["stepz", 10, /no key "stepz"; the keys are source, .*epochs/],
])("%s = %j is refused with the allowed values", (key, value, allowed) => {
  const complete = (): unknown =>
    completeConfig({ source: "mnist", [key]: value }, defaults, 60_000);
  expect(complete).toThrow(expect.objectContaining({ code: "invalid-config" }));
  expect(complete).toThrow(allowed);
  expect(complete).toThrow(new RegExp(key));
});

test("steps and epochs together are refused", () => {
  expect(() => completeConfig({ source: "mnist", steps: 1, epochs: 1 }, defaults, 100)).toThrow(
    /either steps or epochs/,
  );
});

test("an augmentation is checked by the package that applies it", () => {
  const augmentation = [{ name: "affine", degrees: "many" }] as never;
  expect(() => completeConfig({ source: "mnist", augmentation }, defaults, 100)).toThrow(
    expect.objectContaining({
      code: "invalid-config",
      message: expect.stringMatching(/^config: augmentation: .*degrees/) as string,
      cause: expect.objectContaining({ code: "invalid-views" }) as unknown,
    }),
  );
});

test("the integral is checked by the package that computes it", () => {
  const complete = (integral: Partial<TrainConfig>) =>
    completeConfig({ source: "mnist", ...integral }, defaults, 60_000);
  expect(complete({ integration: "simpson" })).toMatchObject({ tMax: 3, rule: "half-range" });
  for (const integral of [
    { integration: "simpson", points: 16 },
    { integration: "gauss-hermite", tMax: 5 },
    { integration: "gauss-hermite", points: 257 },
  ] as const)
    expect(() => complete(integral)).toThrow(
      expect.objectContaining({
        code: "invalid-config",
        message: expect.stringMatching(/^config: eppsPulley: .*\.$/) as string,
        cause: expect.objectContaining({ code: "invalid-option" }) as unknown,
      }),
    );
});

test("Gauss-Hermite leaves the range of the defaults out, and can be stored", () => {
  const config = completeConfig({ source: "mnist", integration: "gauss-hermite" }, defaults, 100);
  expect(config).toMatchObject({ integration: "gauss-hermite", points: 17 });
  expect(Object.keys(config)).not.toContain("tMax");
  expect(Object.keys(config)).not.toContain("rule");
  expect(checkConfig(JSON.parse(JSON.stringify(config)), "x")).toEqual(config);
});

test("a stored config without an integration is of the trapezoid rule", () => {
  const older = Object.entries(defaults).filter(([key]) => key !== "integration");
  expect(checkConfig({ source: "mnist", ...Object.fromEntries(older) }, "x").integration).toBe(
    "trapezoid",
  );
});

test("a config that is no object is refused", () => {
  expect(() => checkConfig([], "runs/a/config.json")).toThrow(
    /runs\/a\/config\.json: it should be/,
  );
  expect(() => checkConfig({ source: "mnist" }, "x")).toThrow(
    /encoder should be text, got nothing/,
  );
});

test("a stored config has steps, and no epochs", () => {
  const check = (): unknown => checkConfig({ source: "mnist", ...defaults, epochs: 2 }, "x");
  expect(check).toThrow(/no key "epochs"; the keys are source,.*steps/);
  expect(check).not.toThrow(/keys are .*epochs/);
});

describe("a second group of views", () => {
  const localViews = {
    count: 3,
    transforms: [{ name: "normalise", mean: 0.5, std: 0.5 }],
  } as const;
  const complete = (input: object) =>
    completeConfig({ source: "mnist", ...input }, mnistPreset, 60_000);

  test("comes after the first, of its size unless it has one of its own", () => {
    expect(trainViews(complete({}))).toHaveLength(1);
    expect(trainViews(complete({ localViews }))[1]).toEqual({ ...localViews, size: [28, 28] });
    const sized = { ...localViews, size: [14, 14] };
    expect(trainViews(complete({ localViews: sized }))[1]).toEqual(sized);
  });

  test("decides with the first how many views can be global", () => {
    const global = { target: "global", globalViews: 7 };
    expect(complete({ localViews, ...global })).toMatchObject(global);
    expect(complete({ localViews, target: "global" }).globalViews).toBeUndefined();
    expect(() => complete(global)).toThrow(/globalViews should be at most the 4 views there are/);
    expect(() => complete({ localViews, globalViews: 2 })).toThrow(/target is "global"/);
    expect(() => complete({ target: "some" })).toThrow(/target should be one of all, global/);
  });

  test("is checked by the package that makes it", () => {
    expect(() => complete({ localViews: { count: 0, transforms: [] } })).toThrow(
      expect.objectContaining({
        code: "invalid-config",
        message: expect.stringMatching(/config: localViews: views.count/) as string,
      }),
    );
    expect(() => complete({ localViews: 3 })).toThrow(/config: localViews/);
  });
});

test("a run from before there was a target goes on with all views", () => {
  const { target, ...before } = { ...defaults, source: "mnist" };
  expect(target).toBe("all");
  expect(checkConfig(before, "config").target).toBe("all");
});
