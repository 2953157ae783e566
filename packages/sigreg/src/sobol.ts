/** Points of Sobol's sequence, scrambled: points that fill the unit cube more evenly than random ones.
 *
 *  Coordinate j of point n is the exclusive or of the direction numbers v_jk over the bits k of n. Scrambled by a random
 *  matrix for each coordinate, lower triangular over bits, and a random shift: each point is then uniform on its own, while the
 *  first 2^m points still fall one into each of the equal boxes that the sequence promises.
 *  Sources: Sobol (1967); recurrence as in Bratley and Fox, ACM TOMS 14 (1988); direction numbers of Joe and Kuo (2008);
 *  scrambling of Matousek, J. Complexity 14 (1998). */
import { packedSobolNumbers, sobolDimensions } from "./sobol-numbers.js";

const bits = 32;

/** A source of random 32-bit integers, signed or not. */
export type RandomBits = () => number;

/** The first `count` points: for each its coordinates as integers in [0, 2^32). Each array is overwritten by the next.
 *  @param dim How many coordinates, from 1 to `sobolDimensions`.
 *  @param random Scrambles; without it the sequence is as published, its first point 0. */
export function* sobolPoints(
  dim: number,
  count: number,
  random?: RandomBits,
): Generator<Uint32Array> {
  // Point n + 1 differs from n by the bits up to its lowest one, so their direction numbers are joined in advance.
  const steps = directionNumbers(dim);
  const point = new Uint32Array(dim);
  for (const [j, numbers] of steps.entries()) {
    if (random !== undefined) {
      scramble(numbers, random);
      point[j] = random();
    }
    for (let k = 1; k < bits; k++) numbers[k] = at(numbers, k) ^ at(numbers, k - 1);
  }
  for (let n = 0; n < count; n++) {
    if (n > 0) {
      const lowest = 31 - Math.clz32(n & -n);
      for (const [j, numbers] of steps.entries()) point[j] = at(point, j) ^ at(numbers, lowest);
    }
    yield point;
  }
}

/** v_jk for bits k = 0..31 of the number of the point. */
function directionNumbers(dim: number): Uint32Array[] {
  const first = Uint32Array.from({ length: bits }, (_, k) => 2 ** (bits - 1 - k));
  const read = bitReader(packedSobolNumbers);
  const all = [first];
  while (all.length < Math.min(dim, sobolDimensions)) {
    const degree = read(4);
    const coefficients = read(degree - 1);
    const v = new Uint32Array(bits);
    for (let k = 0; k < degree; k++) v[k] = (2 * read(k) + 1) << (bits - 1 - k);
    for (let k = degree; k < bits; k++) {
      let value = at(v, k - degree) ^ (at(v, k - degree) >>> degree);
      for (let i = 1; i < degree; i++)
        if ((coefficients >>> (degree - 1 - i)) & 1) value ^= at(v, k - i);
      v[k] = value;
    }
    all.push(v);
  }
  return all;
}

/** Multiplies each number by the same random matrix over bits: bit i of the result depends on the bits above it. */
function scramble(numbers: Uint32Array, random: RandomBits): void {
  const columns = Uint32Array.from({ length: bits }, (_, i) => {
    const own = 2 ** (bits - 1 - i);
    return own | (random() & (own - 1));
  });
  numbers.forEach((number, k) => {
    let product = 0;
    for (let i = 0; i < bits; i++) if ((number << i) & 0x80000000) product ^= at(columns, i);
    numbers[k] = product;
  });
}

/** Reads numbers of so many bits from base64, most significant bit first. */
function bitReader(base64: string): (count: number) => number {
  const bytes = atob(base64.replace(/\s/g, ""));
  let position = 0;
  return (count) => {
    let value = 0;
    for (let i = 0; i < count; i++, position++)
      value = 2 * value + ((bytes.charCodeAt(position >> 3) >> (7 - (position & 7))) & 1);
    return value;
  };
}

/** An entry that is there. */
function at(array: Uint32Array, index: number): number {
  return array[index] as number;
}
