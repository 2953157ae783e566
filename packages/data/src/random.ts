import { randomNormal } from "d3-random";
import seedrandom from "seedrandom";

/** Draws uniform numbers of [0, 1), each call the next one. */
export type Random = () => number;

/** The generator that belongs to a key: the same key gives the same numbers in every process.
 *  Keys are paths of what the numbers are for, e.g. "7/0/order" (seed 7, epoch 0). */
export const randomOf = (key: string): Random => seedrandom.alea(key);

/** Uniform number between low and high. */
export const uniform = (random: Random, [low, high]: readonly [number, number]): number =>
  low + (high - low) * random();

/** Number between low and high (both > 0) whose logarithm is uniform. */
export const logUniform = (random: Random, [low, high]: readonly [number, number]): number =>
  Math.exp(uniform(random, [Math.log(low), Math.log(high)]));

/** Draws from N(0, 1), each call the next one. */
export const standardNormal = (random: Random): Random => randomNormal.source(random)(0, 1);
