import { randomNormal } from "d3-random";
import seedrandom from "seedrandom";
import { LejepaError } from "./error.js";
import { said } from "./said.js";

/** Draws uniform numbers of [0, 1), each call the next one. */
export type Random = () => number;

/** The generator that belongs to a key: the same key gives the same numbers in every process.
 *  Keys are paths of what the numbers are for, e.g. "7/0/order" (seed 7, epoch 0).
 *  Throws `invalid-option` when the key is no text: without one the generator would be another each time. */
export function randomOf(key: string): Random {
  if (typeof key !== "string")
    throw new LejepaError(
      "invalid-option",
      `randomOf: key must be a text, got ${said(key)}. Name what the numbers are for.`,
    );
  return seedrandom.alea(key);
}

/** Uniform number between low and high. */
export const uniform = (random: Random, [low, high]: readonly [number, number]): number =>
  low + (high - low) * random();

/** Number between low and high (both > 0) whose logarithm is uniform. */
export const logUniform = (random: Random, [low, high]: readonly [number, number]): number =>
  Math.exp(uniform(random, [Math.log(low), Math.log(high)]));

/** Draws from N(0, 1), each call the next one. */
export const standardNormal = (random: Random): Random => randomNormal.source(random)(0, 1);
