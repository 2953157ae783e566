import type { EngineName } from "@lejepa/engine";

/** Accuracies of a frozen encoder on the test set, fractions 0 to 1. */
export interface ProbeAccuracies {
  /** Linear probe: see `linearProbe` of @lejepa/eval. */
  readonly linear: number;
  /** Nearest neighbours: see `knnProbe` of @lejepa/eval. */
  readonly knn: number;
}

/** Wall time by phase, seconds. */
export interface PhaseSeconds {
  /** Opening datasets and starting the engine. */
  readonly load: number;
  /** Making the step ready to run. */
  readonly compile: number;
  /** The training loop, checkpoints included. */
  readonly train: number;
  /** Embedding, probes and the report; of a few milliseconds without probes. */
  readonly probe: number;
}

/** What `train` did. */
export interface TrainResult {
  /** "finished": all steps are done. "interrupted": the signal ended it early; resume goes on from its checkpoint.
   *  "already-finished": resume found nothing left to do, and the rest is what the run had reported. */
  readonly status: "finished" | "interrupted" | "already-finished";
  /** Absolute path of the run folder. */
  readonly run: string;
  /** Steps done in all. */
  readonly steps: number;
  /** Wall time of this session. */
  readonly seconds: number;
  /** Which engine ran. */
  readonly engine: EngineName;
  /** What it ran on, for a person. */
  readonly engineDescription: string;
  /** The step of the checkpoint that this session began at; null for a new run. */
  readonly resumedFrom: number | null;
  /** Wall time of this session by phase. */
  readonly phases: PhaseSeconds;
  /** Part of `phases.train` in which a step waited for its images; with `workers: 0`, in which it made them. */
  readonly dataWaitSeconds: number;
  /** Accuracies of the encoder as it initialised and as trained; null when not probed. */
  readonly probes: {
    readonly untrained: ProbeAccuracies;
    readonly trained: ProbeAccuracies;
  } | null;
}
