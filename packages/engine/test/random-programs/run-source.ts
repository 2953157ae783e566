/** Runs the JavaScript of a program here. */
import { compileFunction } from "node:vm";
import * as ops from "@lejepa/ops";
import * as tf from "@tensorflow/tfjs-core";
import type { Step } from "../../src/engine.js";
import { stepSource, type Operation, type Program } from "./program.js";

/** The file that an error in the program names. */
export const fileOf = ({ seed }: Pick<Program, "seed">): string => `/program-${seed}.mjs`;

/** The step of a program. */
export function stepOf(program: Program): Step {
  const make = compileFunction(`${stepSource(program)}\nreturn step;`, ["tf", "ops"], {
    filename: fileOf(program),
  }) as (...modules: unknown[]) => Step;
  return make(tf, ops);
}

/** The loss of a program as a function of its parameters, for the inputs of its first run. */
export function lossOf(
  program: Program,
  inputs: tf.NamedTensorMap,
): (...parameters: tf.Tensor[]) => tf.Scalar {
  const make = compileFunction(`${stepSource(program)}\nreturn lossOf;`, ["tf", "ops"], {
    filename: fileOf(program),
  }) as (
    ...modules: unknown[]
  ) => (given: tf.NamedTensorMap) => (...parameters: tf.Tensor[]) => tf.Scalar;
  return make(tf, ops)(inputs);
}

/** The results of one call, given what it reads. */
export function runOperation(
  { expression, operands, gives }: Pick<Operation, "expression" | "operands" | "gives">,
  values: ReadonlyMap<string, tf.Tensor>,
): tf.Tensor[] {
  const names = [...new Set(operands)];
  const run = compileFunction(`return ${expression};`, ["tf", "ops", ...names]) as (
    ...given: unknown[]
  ) => tf.Tensor | tf.Tensor[] | Record<string, tf.Tensor>;
  const results = run(tf, ops, ...names.map((name) => values.get(name)));
  if (gives === "one") return [results as tf.Tensor];
  return Object.values(results as tf.Tensor[]);
}
