import { resolve } from "node:path";
import { engineNames, type EngineName } from "@lejepa/engine";
import { LejepaError, said } from "@lejepa/ops";
import { checkViewSpec, type TransformSpec, type ViewGroup } from "@lejepa/data";
import { eppsPulley, type EppsPulleyOptions } from "@lejepa/sigreg";
import { z } from "zod";
import { methodDefaults } from "./presets/method-defaults.js";
import { presetNames, type PresetName } from "./presets/preset-of.js";

/** Everything that decides what a run computes, and how. Stored as `config.json` in its folder. */
export interface TrainConfig {
  /** Name of the dataset, as `openDataset` knows it; only a label when the datasets are passed to `train`. */
  readonly source: string;
  /** Folder with the dataset's files, absolute; left out, the installed data package. */
  readonly folder?: string | undefined;
  /** Name of the encoder, as `createEncoder` knows it; only a label when the encoder is passed to `train`. */
  readonly encoder: string;
  /** Side of the square images that the encoder sees, pixels. */
  readonly imageSize: number;
  /** Channels of the images. */
  readonly channels: 1 | 3;
  /** The head that the loss is taken on: widths of its hidden layers, and of its output. */
  readonly projector: { readonly hidden: readonly number[]; readonly outputDim: number };
  /** Steps in all. */
  readonly steps: number;
  /** N, images in a step. */
  readonly batchSize: number;
  /** V, views of each image. */
  readonly views: number;
  /** How a view is made of an image, normalisation included; in this order. */
  readonly augmentation: readonly TransformSpec[];
  /** A second group of views of each image, made in a way of its own: smaller crops, say, of a size that the encoder
   *  takes (imageSize when left out). They come after the V others, which are the global ones. */
  readonly localViews?: ViewGroup | undefined;
  /** Weight of SIGReg against the prediction: 0 to 1 in the convex combination. */
  readonly lambda: number;
  /** How the two terms are combined: see `lejepaLoss`. */
  readonly combine: "convex" | "additive";
  /** Whether SIGReg tests each view apart or all of them together. */
  readonly sigreg: "per-view" | "pooled";
  /** What every view predicts: the mean of "all" views, or of the "global" ones. */
  readonly target: "all" | "global";
  /** G, with target "global": the first G of all views are the global ones. Left out, the V that are not local. */
  readonly globalViews?: number | undefined;
  /** M, random directions in a step. */
  readonly slices: number;
  /** How values at the knots become the Epps-Pulley integral: see `eppsPulley`. */
  readonly integration: "trapezoid" | "simpson" | "gauss-hermite";
  /** T, knots of the integral. */
  readonly points: number;
  /** Last knot; not with "gauss-hermite", which is over the whole line. */
  readonly tMax?: number | undefined;
  /** Where the knots are: see `eppsPulley`; not with "gauss-hermite". */
  readonly rule?: "half-range" | "full-range" | undefined;
  /** Highest learning rate. */
  readonly learningRate: number;
  /** Steps of linear rise. Left out, the preset's, but at most a tenth of the steps. */
  readonly warmupSteps: number;
  /** Share of the highest learning rate that the cosine ends at. */
  readonly finalFraction: number;
  /** Decoupled decay, on matrices only. */
  readonly weightDecay: number;
  /** Every random draw of the run follows from it. */
  readonly seed: number;
  /** Which engine computes the steps. */
  readonly engine: "auto" | EngineName;
  /** Processes that share the images of every batch, each with an engine of its own; threads of one process. What is
   *  computed is the same up to rounding. */
  readonly processes: number;
  /** Of the products in the network's layers: "float32", or on the tensorflow engine "bfloat16"; weights, their updates,
   *  normalisations, the loss and SIGReg are float32 either way. */
  readonly precision: "float32" | "bfloat16";
  /** Threads that make views beside the main one; 0 makes them in the main one. At most as many as `createLoader` of
   *  @lejepa/data takes, 256, which refuses more before a run begins. */
  readonly workers: number;
  /** Steps between checkpoints; the last step always writes one. */
  readonly checkpointEvery: number;
  /** Steps after which the training step is traced again and compared with what was compiled, for code that may change a
   *  number behind the compiled step's back; the last step is then checked too. 0: never. */
  readonly retraceEvery: number;
  /** Whether linear probe and kNN of the untrained and the trained encoder are measured at the end. */
  readonly probe: boolean;
}

/** A config to be completed. Of a source with a preset (mnist) everything has a default. Of any other one, what depends
 *  on the images has none: encoder, imageSize and channels (an encoder that is passed to `train` brings these three),
 *  projector, steps, batchSize, views, augmentation and learningRate. */
export type TrainConfigInput = { readonly source: string } & {
  readonly [Key in Exclude<keyof TrainConfig, "source">]?: TrainConfig[Key] | undefined;
} & {
  /** Instead of `steps`: whole passes over the train images. */
  readonly epochs?: number | undefined;
  /** Takes the settings found for another source: "mnist" suits small grey drawings of one's own. Of a run that is
   *  resumed the stored settings count. */
  readonly preset?: PresetName | undefined;
};

const whole = (least: number) => {
  const error = `a whole number of at least ${least}`;
  return z.int({ error }).min(least, { error });
};
const between = (least: number, most: number) => {
  const error =
    most < Infinity ? `a number from ${least} to ${most}` : `a number of at least ${least}`;
  return z.number({ error }).min(least, { error }).max(most, { error });
};
const above0 = () => {
  const error = "a number above 0";
  return z.number({ error }).gt(0, { error });
};
const text = () => z.string({ error: "text" }).min(1, { error: "text of at least one letter" });
const oneOf = <const T extends string>(...names: T[]) =>
  z.enum(names, { error: `one of ${names.join(", ")}` });

const fields = {
  source: text(),
  folder: text().optional(),
  encoder: text(),
  imageSize: whole(1),
  channels: z.union([z.literal(1), z.literal(3)], { error: "1 or 3" }),
  projector: z.strictObject(
    { hidden: z.array(whole(1), { error: "a list of widths" }), outputDim: whole(1) },
    { error: "{ hidden: [widths], outputDim: width }" },
  ),
  steps: whole(1),
  batchSize: whole(2),
  views: whole(1),
  // What a transform may be is the data package's to say: see checkConfig.
  augmentation: z.array(z.custom<TransformSpec>(), { error: "a list of transforms" }),
  localViews: z.custom<ViewGroup>().optional(),
  lambda: between(0, Infinity),
  combine: oneOf("convex", "additive"),
  sigreg: oneOf("per-view", "pooled"),
  // Runs that were begun without it go on without it.
  target: oneOf("all", "global").default("all"),
  globalViews: whole(1).optional(),
  slices: whole(1),
  // Run folders from before there was a choice do not name it.
  integration: oneOf("trapezoid", "simpson", "gauss-hermite").default("trapezoid"),
  points: whole(2),
  tMax: above0().optional(),
  rule: oneOf("half-range", "full-range").optional(),
  learningRate: above0(),
  warmupSteps: whole(0),
  finalFraction: between(0, 1),
  weightDecay: between(0, Infinity),
  seed: z.int({ error: "a whole number" }),
  engine: oneOf("auto", ...engineNames),
  // Runs that were begun without it go on without it.
  precision: oneOf("float32", "bfloat16").default("float32"),
  // Runs from before there were several have none.
  processes: whole(1).default(1),
  workers: whole(0),
  checkpointEvery: whole(1),
  // Runs that were begun without it go on without it.
  retraceEvery: whole(0).default(0),
  probe: z.boolean({ error: "true or false" }),
};

const stored = Object.keys(fields);
/** Settings that only presets have a default for. */
const required = stored.filter(
  (key) =>
    !(key in methodDefaults) && !["source", "folder", "localViews", "globalViews"].includes(key),
);
const complete: z.ZodType<TrainConfig> = z.strictObject(fields, {
  error: `an object with the keys ${stored.join(", ")}`,
});

/** What a caller gives as a config, with its folder as an absolute path: a resumed run may start in another working
 *  folder. Of the rest, values are checked once there are defaults.
 *  @param run of a run that is resumed, the source is known
 *  @throws LejepaError "invalid-config" */
export function readInput(value: unknown, run: "new" | "resumed"): TrainConfigInput {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw invalid("config", "", `an object such as { source: "mnist" }`, value);
  const input = value as TrainConfigInput;
  const isText = (it: unknown): boolean => typeof it === "string" && it !== "";
  if (!(isText(input.source) || (run === "resumed" && input.source === undefined)))
    throw invalid("config", "source", "the name of a dataset, a text", input.source);
  if (input.folder === undefined) return input;
  if (!isText(input.folder)) throw invalid("config", "folder", "a path, a text", input.folder);
  return { ...input, folder: resolve(input.folder) };
}

/** Fills in the defaults of a new run and checks every value.
 *  @param defaults see `presetOf`
 *  @param trainImages images in the train set, which `epochs` counts in and a batch is drawn from
 *  @throws LejepaError "invalid-config" that names the key and its allowed values, or all keys that have no default */
export function completeConfig(
  input: TrainConfigInput,
  defaults: ConfigDefaults,
  trainImages: number,
): TrainConfig {
  const given = { ...defaults, ...withoutUndefined(input) };
  const missing = required.filter(
    (key) => !(key in given) && !(key === "steps" && input.epochs !== undefined),
  );
  if (missing.length > 0) {
    const names = missing.map((key) => (key === "steps" ? "steps (or epochs)" : key)).join(", ");
    const plural = missing.length > 1;
    throw new LejepaError(
      "invalid-config",
      `config: the source ${JSON.stringify(input.source)} has no preset, so ${names} ${plural ? "have" : "has"} no default; give ${plural ? "them" : "it"}, or name a preset whose settings suit the images: ${presetNames.map((name) => `preset: "${name}"`).join(", ")}.`,
    );
  }
  const config = merged(input, defaults, trainImages);
  // Of a few steps, a warm-up that suits many would be all.
  const warmupSteps =
    input.warmupSteps ?? Math.min(config.warmupSteps, Math.floor(config.steps / 10));
  return { ...config, warmupSteps };
}

/** Settings that may change when a run is resumed. Where the images lie may: that they are the same is checked by
 *  themselves. */
const changeable = new Set([
  "folder",
  "engine",
  "processes",
  "workers",
  "checkpointEvery",
  "retraceEvery",
  "probe",
]);

/** The settings that a stored run goes on with: its own, but those given that may change. With `extend` the steps may
 *  become more.
 *  @param trainImages as for {@link completeConfig}
 *  @throws LejepaError "invalid-config"; "config-differs" for a setting that may not change */
export function resumedConfig(
  folder: string,
  stored: TrainConfig,
  input: TrainConfigInput,
  { trainImages, extend }: { readonly trainImages: number; readonly extend: boolean },
): TrainConfig {
  const { steps, epochs } = input;
  const typed = epochs === undefined ? "steps" : "epochs";
  if (extend && steps === undefined && epochs === undefined) {
    throw new LejepaError(
      "invalid-config",
      `config: to extend ${folder}, a run of ${counted(stored.steps, "step")}, say how long it shall be: give steps or epochs.`,
    );
  }
  const config = merged(input, stored, trainImages);
  for (const [key, value] of Object.entries(config)) {
    const [was, is] = [stored[key as keyof TrainConfig], value].map((v) => JSON.stringify(v));
    if (key === "steps" || was === is || changeable.has(key)) continue;
    throw new LejepaError(
      "config-differs",
      `${folder} was begun with ${key} ${was}, not ${is}; leave ${key} out to resume, or start a new run.`,
    );
  }
  const length = `${folder} is a run of ${counted(stored.steps, "step")}, and ${
    epochs === undefined
      ? counted(config.steps, "step")
      : `${counted(epochs, "epoch")} of ${counted(trainImages, "image")} are ${counted(config.steps, "step")}`
  }`;
  if (config.steps < stored.steps) {
    throw new LejepaError(
      "config-differs",
      `${length}: a run cannot become shorter, as the learning rates of the steps done were on the way to step ${stored.steps}; leave ${typed} out, or start a new run.`,
    );
  }
  if (config.steps > stored.steps && !extend) {
    throw new LejepaError(
      "config-differs",
      `${length}; to train longer, extend the run (--extend, in code extend: true), or leave ${typed} out.`,
    );
  }
  return config;
}

const counted = (count: number, thing: string): string =>
  `${count} ${thing}${count === 1 ? "" : "s"}`;

type ConfigDefaults = Partial<Omit<TrainConfig, "source">>;

const withoutUndefined = (value: object): Record<string, unknown> =>
  Object.fromEntries(Object.entries(value).filter(([, each]) => each !== undefined));

/** The input on top of the defaults, checked, with its epochs as steps. */
function merged(
  { epochs, ...input }: TrainConfigInput,
  defaults: ConfigDefaults,
  trainImages: number,
): TrainConfig {
  if (epochs !== undefined && input.steps !== undefined) {
    throw new LejepaError("invalid-config", "config: give either steps or epochs, not both.");
  }
  const given = withoutUndefined({ ...input, preset: undefined });
  // A range of knots is no default of an integral over the whole line.
  const unused = given["integration"] === "gauss-hermite" ? ["tMax", "rule"] : [];
  const beside = Object.entries(defaults).filter(([key]) => !unused.includes(key));
  // Steps that epochs will replace may have no default.
  const placeholder = epochs === undefined ? {} : { steps: 1 };
  const config = check({ ...placeholder, ...Object.fromEntries(beside), ...given }, "config", [
    ...stored,
    "epochs",
    "preset",
  ]);
  if (config.batchSize > trainImages) {
    throw invalid(
      "config",
      "batchSize",
      `at most the ${trainImages} images there are`,
      config.batchSize,
    );
  }
  if (epochs === undefined) return config;
  if (!(Number.isInteger(epochs) && epochs >= 1)) {
    throw invalid("config", "epochs", "a whole number of at least 1", epochs);
  }
  return { ...config, steps: epochs * Math.floor(trainImages / config.batchSize) };
}

/** The options of `eppsPulley` in a config. */
export function integralOf({ integration, points, tMax, rule }: TrainConfig): EppsPulleyOptions {
  return { integration, points, tMax, rule };
}

/** A complete config, checked; `where` names it in errors.
 *  Throws "invalid-config"; for an augmentation or an integral its cause is what the package that has it throws. */
export function checkConfig(value: unknown, where: string): TrainConfig {
  return check(value, where, stored);
}

function check(value: unknown, where: string, known: readonly string[]): TrainConfig {
  const result = complete.safeParse(value);
  if (result.success) {
    const config = result.data;
    if (config.processes > config.batchSize) {
      const allowed = `at most the ${config.batchSize} images of a batch`;
      throw invalid(where, "processes", allowed, config.processes);
    }
    if (config.combine === "convex" && config.lambda > 1) {
      throw invalid(
        where,
        "lambda",
        'a number from 0 to 1 when combine is "convex"',
        config.lambda,
      );
    }
    const { localViews } = config;
    if (localViews !== undefined) checkBy(() => checkViewSpec(localViews), `${where}: localViews`);
    const [first, local] = trainViews(config);
    checkBy(() => checkViewSpec(first), `${where}: augmentation`);
    // Of the size that it will have.
    if (local !== undefined) checkBy(() => checkViewSpec(local), `${where}: localViews`);
    checkGlobalViews(config, where, first.count + (local?.count ?? 0));
    checkBy(() => eppsPulley(integralOf(config)), where);
    return config;
  }
  const issue = result.error.issues[0]!;
  if (issue.code === "unrecognized_keys") {
    const keys = issue.keys.map((key) => `"${key}"`).join(", ");
    const [inside, allowed] =
      issue.path.length > 0
        ? ["projector has", "hidden, outputDim"]
        : ["there is", known.join(", ")];
    throw new LejepaError(
      "invalid-config",
      `${where}: ${inside} no key ${keys}; the keys are ${allowed}.`,
    );
  }
  const got = issue.path.reduce<unknown>(
    (at, key) => (at as Record<PropertyKey, unknown> | undefined)?.[key],
    value,
  );
  throw invalid(where, issue.path.join("."), issue.message, got);
}

/** What another package checks, in its words. */
function checkBy(call: () => unknown, where: string): void {
  try {
    call();
  } catch (error) {
    const { message } = error as Error;
    throw new LejepaError("invalid-config", `${where}: ${message}`, { cause: error });
  }
}

/** The views that a run trains on. */
export function trainViews(
  config: TrainConfig,
): readonly [global: ViewGroup, ...local: ViewGroup[]] {
  const { views, imageSize, augmentation, localViews } = config;
  const size = [imageSize, imageSize] as const;
  return [
    { count: views, size, transforms: augmentation },
    ...(localViews === undefined ? [] : [{ ...localViews, size: localViews.size ?? size }]),
  ];
}

function checkGlobalViews(
  { target, globalViews }: TrainConfig,
  where: string,
  views: number,
): void {
  if (globalViews === undefined) return;
  if (target === "all")
    throw invalid(where, "globalViews", 'left out unless target is "global"', globalViews);
  if (globalViews > views)
    throw invalid(where, "globalViews", `at most the ${views} views there are`, globalViews);
}

function invalid(where: string, key: string, allowed: string, got: unknown): LejepaError {
  return new LejepaError(
    "invalid-config",
    `${where}: ${key === "" ? "it" : key} should be ${allowed}, got ${shown(got)}.`,
  );
}

/** A value of a config as messages show it: as JSON where it is an object that JSON can hold. */
export function shown(value: unknown): string {
  if (typeof value !== "object" || value === null) return said(value);
  try {
    return JSON.stringify(value);
  } catch {
    // It is a cycle, or has a bigint in it.
    return said(value);
  }
}
