import {
  numberFrom,
  requireArgument,
  requireOptions,
  wholeNumber,
  type Expected,
} from "@lejepa/ops";
import type { ExtensionRecord } from "./run-record.js";

/** A learning rate that rises linearly and then falls along half a cosine.
 *    step s = 0 .. S-1 of S, w warm-up steps, f the final fraction
 *    s < w:  lr = peak (s + 1) / w
 *    else    lr = peak (f + (1 - f) (1 + cos(pi p)) / 2),   p = (s - w) / (S - w)
 *  The peak is reached at s = w; lr would reach f x peak at s = S. */
export interface WarmupCosine {
  /** Highest learning rate. */
  readonly peak: number;
  /** Steps of the rise; 0 starts at the peak. */
  readonly warmupSteps: number;
  /** Steps in all, S. */
  readonly steps: number;
  /** Share of the peak that the cosine ends at, 0 to 1. */
  readonly finalFraction: number;
}

const scheduleValues: Readonly<Record<keyof WarmupCosine, Expected>> = {
  peak: numberFrom(0),
  warmupSteps: wholeNumber(0),
  steps: wholeNumber(1),
  finalFraction: {
    text: "a number from 0 to 1",
    accepts: (value) => numberFrom(0).accepts(value) && (value as number) <= 1,
  },
};

/** The learning rate of step `step`, counted from 0.
 *  @throws LejepaError "invalid-option" for a schedule, "invalid-argument" for a step that there cannot be */
export function warmupCosine(schedule: WarmupCosine, step: number): number {
  requireOptions("warmupCosine", schedule, scheduleValues, "invalid-option");
  requireArgument("warmupCosine", "step", step, wholeNumber(0), "invalid-argument");
  const { peak, warmupSteps, steps, finalFraction } = schedule;
  if (step < warmupSteps) return (peak * (step + 1)) / warmupSteps;
  const progress = Math.min(1, (step - warmupSteps) / Math.max(1, steps - warmupSteps));
  const cosine = (1 + Math.cos(Math.PI * progress)) / 2;
  return peak * (finalFraction + (1 - finalFraction) * cosine);
}

/** The learning rate of a step of a run that may have been extended. From an extension on, it is that of the longer
 *  schedule from the start: the cosine is spread over the new length, so the rate jumps up to where that one is, and the
 *  warm-up does not begin anew. Steps before keep the rates that they had.
 *    step s, extensions (b_i, from_i, to_i) in order:   S = to_i of the last i with b_i <= s, from_1 when there is none
 *  @param schedule that of the whole run, with its steps of today */
export function extendedRate(
  schedule: WarmupCosine,
  extensions: readonly ExtensionRecord[],
  step: number,
): number {
  const inForce = extensions.findLast(({ fromStep }) => fromStep <= step);
  const steps = inForce?.to ?? extensions[0]?.from ?? schedule.steps;
  return warmupCosine({ ...schedule, steps }, step);
}
