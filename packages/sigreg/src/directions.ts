import { randomNormal } from "d3-random";
import seedrandom from "seedrandom";
import { orthogonalBlocks } from "./orthogonal-blocks.js";
import { checkChoice, checkNames, checkNumber, refuse } from "./refuse.js";
import { sobolPoints } from "./sobol.js";
import { sobolDimensions } from "./sobol-numbers.js";
import { uniformToNormal } from "./uniform-to-normal.js";

/** Options of `directions`: how they are drawn, and when anew. */
export interface DirectionsOptions {
  /** - "gaussian" (default): independent, uniform on the sphere.
   *  - "orthogonal": the same, made orthonormal in blocks of D, so that no two of a block test the same; D² work for
   *    each direction.
   *  - "sobol": points of Sobol's sequence, scrambled, through the normal quantile: spread more evenly than independent
   *    ones, best for M a power of two. D up to 1024. */
  readonly sampler?: "gaussian" | "orthogonal" | "sobol" | undefined;
  /** When new ones are drawn: at "every-step" (default), every K steps for an integer K of 1 or more, or never: "fixed".
   *  In between, a step gets the directions of the last draw. */
  readonly resample?: "every-step" | "fixed" | number | undefined;
}

/** Random unit directions in which embeddings are sliced: columns of [D, M], each uniform on the sphere.
 *
 *  A function of its arguments alone: every process that calls it with the same ones gets the same bits, and
 *  the first M directions do not change when more are asked for. Draw new ones at each step.
 *
 *  @param dim D, the dimension of the embeddings; 1 or more.
 *  @param slices M, how many directions; 1 or more. LeJEPA uses 256 to 1024.
 *  @param seed The seed of the run; an integer.
 *  @param step The training step; an integer of 0 or more.
 *  @param options Sampler and policy of drawing anew.
 *  @returns [D, M] row-major; each column has length 1 to float32 rounding.
 *  @throws LejepaError `invalid-option` for a number out of range or an option that is not allowed. */
export function directions(
  dim: number,
  slices: number,
  seed: number,
  step = 0,
  options: DirectionsOptions = {},
): Float32Array {
  const positive = "an integer of 1 or more";
  checkNumber("directions", "dim", dim, () => Number.isInteger(dim) && dim >= 1, positive);
  checkNumber(
    "directions",
    "slices",
    slices,
    () => Number.isInteger(slices) && slices >= 1,
    positive,
  );
  checkNumber("directions", "seed", seed, () => Number.isSafeInteger(seed), "an integer");
  checkNumber(
    "directions",
    "step",
    step,
    () => Number.isSafeInteger(step) && step >= 0,
    "an integer of 0 or more",
  );
  checkNames("directions", options, ["sampler", "resample"]);
  const { sampler = "gaussian", resample = "every-step" } = options;
  checkChoice("directions", "sampler", sampler, ["gaussian", "orthogonal", "sobol"]);
  if (sampler === "sobol" && dim > sobolDimensions)
    refuse(
      "invalid-option",
      `directions: sampler "sobol" has direction numbers for ${sobolDimensions} dimensions, got dim = ${dim}. Use sampler "orthogonal" or "gaussian".`,
    );

  const random = seedrandom.alea(`${seed}/${lastDraw(step, resample)}/directions`);
  const columns = new Float32Array(dim * slices);
  let slice = 0;
  for (const direction of samplers[sampler](dim, slices, random)) {
    let squares = 0;
    for (const value of direction) squares += value * value;
    const scale = 1 / Math.sqrt(squares);
    direction.forEach((value, i) => (columns[i * slices + slice] = value * scale));
    slice++;
  }
  return columns;
}

/** The draw that a step uses, counted from 0. */
function lastDraw(step: number, resample: NonNullable<DirectionsOptions["resample"]>): number {
  if (typeof resample === "number") {
    const allowed = () => Number.isSafeInteger(resample) && resample >= 1;
    checkNumber("directions", "resample", resample, allowed, "an integer of 1 or more");
    return Math.floor(step / resample);
  }
  checkChoice("directions", "resample", resample, ["every-step", "fixed"]);
  return resample === "fixed" ? 0 : step;
}

/** M vectors whose directions are uniform, of any length. */
type Sampler = (dim: number, slices: number, random: seedrandom.PRNG) => Iterable<Float64Array>;

const samplers: Readonly<Record<NonNullable<DirectionsOptions["sampler"]>, Sampler>> = {
  gaussian: gaussianVectors,
  orthogonal: (dim, slices, random) => orthogonalBlocks(gaussianVectors(dim, slices, random)),
  sobol: sobolVectors,
};

function* gaussianVectors(
  dim: number,
  slices: number,
  random: seedrandom.PRNG,
): Generator<Float64Array> {
  const normal = randomNormal.source(random)();
  const vector = new Float64Array(dim);
  for (let slice = 0; slice < slices; slice++) {
    for (let i = 0; i < dim; i++) vector[i] = normal();
    yield vector;
  }
}

function* sobolVectors(
  dim: number,
  slices: number,
  random: seedrandom.PRNG,
): Generator<Float64Array> {
  const vector = new Float64Array(dim);
  for (const point of sobolPoints(dim, slices, () => random.int32())) {
    point.forEach((x, i) => (vector[i] = uniformToNormal(x)));
    yield vector;
  }
}
