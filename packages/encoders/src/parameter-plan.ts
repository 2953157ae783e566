import type { ParameterSpec } from "./encoder.js";
import { constant, type InitialValue } from "./initial-value.js";

/** A parameter and how it starts. */
export interface ParameterPlan extends ParameterSpec {
  /** What it starts from. */
  readonly initial: InitialValue;
}

/** Weights of a product: decayed. */
export const weightPlan = (
  name: string,
  layout: "linear" | "conv",
  shape: readonly number[],
  initial: InitialValue,
): ParameterPlan => ({ name, shape, layout, decay: true, buffer: false, initial });

/** A bias, the scale or shift of a norm, a table of positions, a token: trained, and not decayed. */
export const undecayedPlan = (
  name: string,
  shape: readonly number[],
  initial: InitialValue,
): ParameterPlan => ({ name, shape, layout: "as-is", decay: false, buffer: false, initial });

/** Running statistics, which start as `value`. */
export const bufferPlan = (
  name: string,
  shape: readonly number[],
  value: number,
): ParameterPlan => ({
  name,
  shape,
  layout: "as-is",
  decay: false,
  buffer: true,
  initial: constant(value),
});

/** The plans without their initial values, as callers see them. */
export function specsOf(plans: readonly ParameterPlan[]): readonly ParameterSpec[] {
  return plans.map(({ name, shape, layout, decay, buffer }) => ({
    name,
    shape,
    layout,
    decay,
    buffer,
  }));
}
