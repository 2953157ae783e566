import type { Engine } from "@lejepa/engine";
import {
  LejepaError,
  requireArgument,
  someFunction,
  someObject,
  typedArray,
  wholeNumber,
} from "@lejepa/ops";

/** Features of images with their class labels: what the probes train and test on. */
export interface LabelledFeatures {
  /** Row-major, N x `dim`: row n is the feature vector of image n. */
  readonly features: Float32Array;
  /** Length D of a feature vector. */
  readonly dim: number;
  /** One class for each row: any integers, gaps and negative numbers included. */
  readonly labels: Int32Array;
}

/** A train and a test set of features from the same encoder. */
export interface ProbeData {
  /** What the probe learns from. */
  readonly train: LabelledFeatures;
  /** What its accuracy is measured on. */
  readonly test: LabelledFeatures;
}

/** Number of rows. */
export function rowCount({ labels }: LabelledFeatures): number {
  return labels.length;
}

/** Refuses what no probe can use, before anything is computed. */
export function checkProbeData(caller: string, engine: Engine, data: ProbeData): void {
  requireArgument(caller, "data", data, someObject, "invalid-features", "pass { train, test }");
  const { train, test } = data;
  checkLabelled(caller, "train", train);
  checkLabelled(caller, "test", test);
  if (train.dim !== test.dim) {
    throw new LejepaError(
      "feature-shape",
      `${caller}: train features have ${train.dim} columns and test features ${test.dim}; embed both with the same encoder.`,
    );
  }
  checkEngine(caller, engine);
}

/** Refuses what is no engine. */
export function checkEngine(caller: string, engine: Engine): void {
  requireArgument(
    caller,
    "engine.compile",
    (engine as Partial<Engine> | null | undefined)?.compile,
    someFunction,
    "invalid-argument",
    "pass what createEngine of @lejepa/engine gives",
  );
}

/** Refuses what an engine gives for a compiled step where it is none: an engine of the caller's own may forget to. */
export function checkCompiled(caller: string, compiled: unknown, parts: readonly string[]): void {
  for (const part of parts) {
    const value = part
      .split(".")
      .reduce<unknown>(
        (within, name) => (within as Record<string, unknown> | null | undefined)?.[name],
        compiled,
      );
    requireArgument(
      caller,
      `${part} of what engine.compile gives`,
      value,
      someFunction,
      "invalid-argument",
      "pass what createEngine of @lejepa/engine gives",
    );
  }
}

function checkLabelled(caller: string, part: string, set: LabelledFeatures): void {
  const what = "pass { features, dim, labels }";
  requireArgument(caller, part, set, someObject, "invalid-features", what);
  const { features, dim, labels } = set;
  requireArgument(
    caller,
    `${part}.labels`,
    labels,
    typedArray(Int32Array),
    "invalid-labels",
    "Int32Array.from makes one of whole numbers",
  );
  if (labels.length === 0) {
    throw new LejepaError(
      "no-features",
      `${caller}: the ${part} set is empty; pass at least one labelled row.`,
    );
  }
  checkFeatures(caller, part, features, dim);
  if (features.length !== labels.length * dim) {
    throw new LejepaError(
      "feature-shape",
      `${caller}: ${part} features should hold labels x dim = ${labels.length} x ${dim} numbers, got ${features.length}.`,
    );
  }
}

/** Refuses what is no array of whole rows of finite numbers. */
export function checkFeatures(
  caller: string,
  part: string,
  features: Float32Array,
  dim: number,
): void {
  const name = part === "" ? "features" : `${part}.features`;
  requireArgument(
    caller,
    name,
    features,
    typedArray(Float32Array),
    "invalid-features",
    "Float32Array.from makes one of numbers, row after row",
  );
  requireArgument(caller, "dim", dim, wholeNumber(1), "feature-shape");
  if (features.length % dim !== 0) {
    throw new LejepaError(
      "feature-shape",
      `${caller}: ${name} should be rows of dim = ${dim} numbers, got ${features.length} numbers in all.`,
    );
  }
  // A plain loop: findIndex takes three times as long.
  let bad = 0;
  while (bad < features.length && Number.isFinite(features[bad])) bad++;
  if (bad < features.length) {
    throw new LejepaError(
      "non-finite-features",
      `${caller}: ${part === "" ? "" : `${part} `}feature ${bad % dim} of row ${Math.floor(bad / dim)} is ${features[bad]}; check the encoder's parameters and the images.`,
    );
  }
}
