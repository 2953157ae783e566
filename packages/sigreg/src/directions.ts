import { randomNormal } from "d3-random";
import seedrandom from "seedrandom";
import { checkNumber } from "./refuse.js";

/** Random unit directions in which embeddings are sliced: columns of [D, M], uniform on the sphere.
 *
 *  A function of its arguments alone: every process that calls it with the same ones gets the same bits, and
 *  the first M directions do not change when more are asked for. Draw new ones at each step.
 *
 *  @param dim D, the dimension of the embeddings; 1 or more.
 *  @param slices M, how many directions; 1 or more. LeJEPA uses 256 to 1024.
 *  @param seed The seed of the run; an integer.
 *  @param step The training step; an integer of 0 or more.
 *  @returns [D, M] row-major; each column has length 1 to float32 rounding.
 *  @throws LejepaError `invalid-option` for a number out of range. */
export function directions(dim: number, slices: number, seed: number, step = 0): Float32Array {
  const positive = "an integer of 1 or more";
  checkNumber("directions", "dim", dim, Number.isInteger(dim) && dim >= 1, positive);
  checkNumber("directions", "slices", slices, Number.isInteger(slices) && slices >= 1, positive);
  checkNumber("directions", "seed", seed, Number.isSafeInteger(seed), "an integer");
  checkNumber(
    "directions",
    "step",
    step,
    Number.isSafeInteger(step) && step >= 0,
    "an integer of 0 or more",
  );

  const normal = randomNormal.source(seedrandom.alea(`${seed}/${step}/directions`))();
  const columns = new Float32Array(dim * slices);
  const direction = new Float64Array(dim);
  for (let slice = 0; slice < slices; slice++) {
    let squares = 0;
    for (let i = 0; i < dim; i++) {
      const value = normal();
      direction[i] = value;
      squares += value * value;
    }
    const scale = 1 / Math.sqrt(squares);
    direction.forEach((value, i) => (columns[i * slices + slice] = value * scale));
  }
  return columns;
}
