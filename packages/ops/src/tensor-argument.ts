import * as tf from "@tensorflow/tfjs-core";
import { type Expected, numberFrom, oneOf, optional, requireArgument } from "./check-argument.js";

/** A tensor of tfjs-core. */
export const someTensor: Expected = {
  text: "a tensor",
  accepts: (value) => value instanceof tf.Tensor,
};

/** An order of the axes of tokens. */
export const tokenLayout = optional(oneOf(["NLD", "LND"]));

/** What is added to a variance. */
export const epsilonArgument = numberFrom(0);

/** Throws LejepaError "bad-argument" unless each of the arguments is a tensor. */
export function requireTensors(op: string, tensors: Readonly<Record<string, unknown>>): void {
  for (const [name, value] of Object.entries(tensors)) {
    requireArgument(op, name, value, someTensor);
  }
}

/** The same for tensors that may be left out. */
export function requireOptionalTensors(
  op: string,
  tensors: Readonly<Record<string, unknown>>,
): void {
  for (const [name, value] of Object.entries(tensors)) {
    requireArgument(op, name, value, optional(someTensor));
  }
}
