/** Expected values as formulas over indices: they share nothing with the strides that an adapter walks by. */
import type { Shape } from "../contract.js";
import type { Values } from "./conformance-case.js";

export type Index = readonly number[];

/** Every index of a shape, in row-major order; the one of a scalar is []. */
export function indicesOf(shape: Shape): Index[] {
  return shape.reduce<Index[]>(
    (found, size) =>
      found.flatMap((index) => Array.from({ length: size }, (_, i) => [...index, i])),
    [[]],
  );
}

/** The tensor whose entry at each index is f of it. */
export function entries(shape: Shape, f: (index: Index) => number): Values {
  return { shape, data: indicesOf(shape).map(f) };
}

/** The entry of x at an index. */
export function entryAt(x: Values, index: Index): number {
  return x.data[positionOf(x.shape, index)] ?? NaN;
}

/** The tensor that values add up to when each is added at its index. */
export function adding(shape: Shape, values: readonly (readonly [Index, number])[]): Values {
  const data = indicesOf(shape).map(() => 0);
  const terms = [...data];
  for (const [index, value] of values) {
    const position = positionOf(shape, index);
    data[position]! += value;
    terms[position]! += Math.abs(value);
  }
  return { shape, data, terms };
}

/** Which entry of a tensor of `shape` stands at an index of the shape that it is repeated to. */
export function repeatedIndex(shape: Shape, index: Index): Index {
  const missing = index.length - shape.length;
  return shape.map((size, axis) => (size === 1 ? 0 : (index[axis + missing] ?? NaN)));
}

/** Distinct values between `from` and `to` in no order, of which few are exact in binary: up to 101 of them, and those of
 *  two seeds are distinct too. */
export function sample(shape: Shape, seed: number, from = -2, to = 2): Values {
  let n = 0;
  return entries(shape, () => {
    const step = (37 * n++ + 11 * seed) % 101;
    return from + ((to - from) * (step + 1 / (seed + 2))) / 101;
  });
}

/** Every subset of the numbers below n, from none to all of them. */
export function subsetsOf(n: number): number[][] {
  return Array.from({ length: 2 ** n }, (_, bits) =>
    Array.from({ length: n }, (_, i) => i).filter((i) => (bits >> i) % 2 === 1),
  );
}

/** An object as it is written in messages. */
export function show(list: readonly unknown[]): string {
  return JSON.stringify(list).replaceAll(",", ", ");
}

function positionOf(shape: Shape, index: Index): number {
  return index.reduce((position, i, axis) => position * (shape[axis] ?? NaN) + i, 0);
}
