import { LejepaError } from "@lejepa/ops";

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
export function checkProbeData(caller: string, { train, test }: ProbeData): void {
  checkFeatures(caller, "train", train);
  checkFeatures(caller, "test", test);
  if (train.dim !== test.dim) {
    throw new LejepaError(
      "feature-shape",
      `${caller}: train features have ${train.dim} columns and test features ${test.dim}; embed both with the same encoder.`,
    );
  }
}

function checkFeatures(caller: string, part: string, set: LabelledFeatures): void {
  const { features, dim, labels } = set;
  if (labels.length === 0) {
    throw new LejepaError(
      "no-features",
      `${caller}: the ${part} set is empty; pass at least one labelled row.`,
    );
  }
  if (!(Number.isInteger(dim) && dim > 0) || features.length !== labels.length * dim) {
    throw new LejepaError(
      "feature-shape",
      `${caller}: ${part} features should hold labels x dim = ${labels.length} x ${dim} numbers, got ${features.length}.`,
    );
  }
  // A plain loop: findIndex takes three times as long.
  let bad = 0;
  while (bad < features.length && Number.isFinite(features[bad])) bad++;
  if (bad < features.length) {
    throw new LejepaError(
      "non-finite-features",
      `${caller}: ${part} feature ${bad % dim} of row ${Math.floor(bad / dim)} is ${features[bad]}; check the encoder's parameters and the images.`,
    );
  }
}
