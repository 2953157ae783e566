/** @packageDocumentation
 *  For adapter authors: the shape rules of the contract, shared by the adapters so that each refuses the same calls.
 *  Every function returns the shape or axes to use, or throws: `shape-mismatch` for what does not fit, `invalid-argument`
 *  for what is no shape, axis or count at all. */
import type { Shape } from "./contract.js";
import { LejepaError, said } from "./error.js";
import {
  requireArrayLike,
  requireBoolean,
  requireCount,
  requireDims,
  requireNumbers,
  requireShapes,
} from "./shape-arguments.js";

/** Throws `shape-mismatch` with a message that starts with the operation's name. */
function mismatch(operation: string, message: string): never {
  throw new LejepaError("shape-mismatch", `${operation}: ${message}`);
}

/** A shape as it is written in messages. */
function show(shape: Shape): string {
  return `[${shape.join(", ")}]`;
}

/** Number of entries of a shape; 1 for a scalar. */
export function sizeOf(shape: Shape): number {
  requireNumbers("sizeOf", "shape", shape);
  return shape.reduce((product, size) => product * size, 1);
}

/** Checks that a shape is one. */
export function checkShape(operation: string, shape: Shape): void {
  requireNumbers(operation, "shape", shape);
  if (!shape.every((size) => Number.isInteger(size) && size >= 0))
    mismatch(operation, `a shape is made of non-negative integers, got ${show(shape)}.`);
}

/** Checks that `count` values fill `shape`. */
export function checkCount(operation: string, count: number, shape: Shape): void {
  requireCount(operation, "count", count);
  checkShape(operation, shape);
  if (sizeOf(shape) !== count)
    mismatch(
      operation,
      `${count} values do not fill shape ${show(shape)}, which has ${sizeOf(shape)}.`,
    );
}

/** The common shape of operands, aligned at the last axis; size 1 stretches. */
export function broadcastShape(operation: string, ...shapes: Shape[]): number[] {
  requireShapes(operation, "shapes", shapes);
  const rank = Math.max(0, ...shapes.map((shape) => shape.length));
  return Array.from({ length: rank }, (_, i) => {
    const sizes = shapes.map((shape) => shape[i - rank + shape.length] ?? 1);
    const size = sizes.find((s) => s !== 1) ?? 1;
    if (!sizes.every((s) => s === 1 || s === size))
      mismatch(
        operation,
        `shapes ${shapes.map(show).join(" and ")} do not broadcast. Reshape one of them so that the axes align at the end.`,
      );
    return size;
  });
}

/** An axis counted from the start. */
export function resolveAxis(operation: string, axis: number, rank: number): number {
  requireCount(operation, "rank", rank);
  if (!Number.isInteger(axis) || axis < -rank || axis >= rank)
    mismatch(
      operation,
      `axis ${said(axis)} is outside a tensor of rank ${rank}. Use an axis from ${-rank} to ${rank - 1}.`,
    );
  return axis < 0 ? axis + rank : axis;
}

/** Axes counted from the start, in ascending order; all of them by default. */
export function resolveAxes(
  operation: string,
  axes: readonly number[] | undefined,
  rank: number,
): number[] {
  requireCount(operation, "rank", rank);
  if (axes === undefined) return Array.from({ length: rank }, (_, i) => i);
  requireNumbers(operation, "axes", axes);
  const resolved = axes.map((axis) => resolveAxis(operation, axis, rank)).sort((a, b) => a - b);
  if (new Set(resolved).size !== resolved.length)
    mismatch(operation, `axes ${show(axes)} name an axis twice.`);
  return resolved;
}

/** Checks that the axes of `max` and `min` have entries. */
export function checkNotEmpty(operation: string, shape: Shape, axes: readonly number[]): void {
  requireNumbers(operation, "shape", shape);
  requireNumbers(operation, "axes", axes);
  if (axes.some((axis) => shape[axis] === 0))
    mismatch(operation, `shape ${show(shape)} has no entries along axes ${show(axes)}.`);
}

/** The shape left by a reduction over resolved axes. */
export function reducedShape(
  shape: Shape,
  axes: readonly number[],
  dims: "keep" | "drop",
): number[] {
  requireNumbers("reducedShape", "shape", shape);
  requireNumbers("reducedShape", "axes", axes);
  requireDims("reducedShape", dims);
  const kept = shape.map((size, i) => (axes.includes(i) ? 1 : size));
  return dims === "keep" ? kept : kept.filter((_, i) => !axes.includes(i));
}

/** The sizes of a matrix product, [...batch, I, K] x [...batch, K, J]. */
export function matMulSizes(
  a: Shape,
  b: Shape,
  transposeA: boolean,
  transposeB: boolean,
): { batch: number[]; rows: number; inner: number; columns: number } {
  requireNumbers("matMul", "a", a);
  requireNumbers("matMul", "b", b);
  requireBoolean("matMul", "transposeA", transposeA);
  requireBoolean("matMul", "transposeB", transposeB);
  if (a.length < 2 || b.length < 2)
    mismatch(
      "matMul",
      `both operands need rank 2 or more, got ${show(a)} and ${show(b)}. Reshape a vector to one row or one column.`,
    );
  const [rows, innerA] = lastTwo(a, transposeA);
  const [innerB, columns] = lastTwo(b, transposeB);
  if (innerA !== innerB)
    mismatch(
      "matMul",
      `inner sizes ${innerA} and ${innerB} differ for ${show(a)}${transposeA ? " transposed" : ""} x ${show(b)}${transposeB ? " transposed" : ""}.`,
    );
  const batch = broadcastShape("matMul", a.slice(0, -2), b.slice(0, -2));
  return { batch, rows, inner: innerA, columns };
}

function lastTwo(shape: Shape, transposed: boolean): [number, number] {
  const [first = 1, second = 1] = shape.slice(-2);
  return transposed ? [second, first] : [first, second];
}

/** A full permutation of the axes; reversed by default. */
export function resolvePermutation(
  permutation: readonly number[] | undefined,
  rank: number,
): number[] {
  requireCount("transpose", "rank", rank);
  const given =
    permutation === undefined ? Array.from({ length: rank }, (_, i) => rank - 1 - i) : permutation;
  requireNumbers("transpose", "permutation", given);
  const resolved = given.map((axis) => resolveAxis("transpose", axis, rank));
  if (resolved.length !== rank || new Set(resolved).size !== rank)
    mismatch("transpose", `${show(given)} is not a permutation of the ${rank} axes.`);
  return resolved;
}

/** Checks a block of `slice`. */
export function checkSlice(shape: Shape, begin: readonly number[], size: readonly number[]): void {
  requireNumbers("slice", "shape", shape);
  requireNumbers("slice", "begin", begin);
  requireNumbers("slice", "size", size);
  const fits =
    begin.length === shape.length &&
    size.length === shape.length &&
    shape.every((whole, i) => {
      const [from = 0, count = 0] = [begin[i], size[i]];
      return (
        Number.isInteger(from) &&
        Number.isInteger(count) &&
        from >= 0 &&
        count >= 0 &&
        from + count <= whole
      );
    });
  if (!fits)
    mismatch(
      "slice",
      `a block of size ${show(size)} at ${show(begin)} is not inside shape ${show(shape)}.`,
    );
}

/** The axis and shape of a `concat`. */
export function concatShape(
  shapes: readonly Shape[],
  axis: number,
): { axis: number; shape: number[] } {
  requireShapes("concat", "shapes", shapes);
  const [first] = shapes;
  if (first === undefined)
    throw new LejepaError("invalid-argument", "concat: needs at least one tensor, got none.");
  const along = resolveAxis("concat", axis, first.length);
  for (const shape of shapes)
    if (shape.length !== first.length || shape.some((size, i) => i !== along && size !== first[i]))
      mismatch("concat", `shapes ${shapes.map(show).join(", ")} differ outside axis ${along}.`);
  const total = shapes.reduce((sum, shape) => sum + (shape[along] ?? 0), 0);
  return { axis: along, shape: first.map((size, i) => (i === along ? total : size)) };
}

/** Checks the indices of `gather` against the size of the axis. */
export function checkIndices(indices: ArrayLike<number>, size: number): void {
  requireCount("gather", "size", size);
  requireArrayLike("gather", "indices", indices);
  for (const index of Array.from(indices))
    if (!Number.isInteger(index) || index < 0 || index >= size)
      throw new LejepaError(
        "invalid-argument",
        `gather: index ${said(index)} is outside an axis of size ${size}. Use integers from 0 to ${size - 1}.`,
      );
}

/** Checks the operands of `characteristicMeans`. */
export function checkHarmonics(shape: Shape, harmonics: readonly number[]): void {
  requireNumbers("characteristicMeans", "shape", shape);
  requireNumbers("characteristicMeans", "harmonics", harmonics);
  if ((shape.at(-1) ?? 0) === 0)
    mismatch(
      "characteristicMeans",
      `needs at least one sample along the last axis, got shape ${show(shape)}.`,
    );
  if (harmonics.length === 0 || !harmonics.every((h) => Number.isInteger(h) && h > 0))
    throw new LejepaError(
      "invalid-argument",
      `characteristicMeans: harmonics are positive integers, at least one, got ${show(harmonics)}.`,
    );
}

/** Checks that a function to be differentiated returned a scalar. */
export function checkScalar(shape: Shape): void {
  requireNumbers("valueAndGrad", "the shape of its value", shape);
  if (shape.length !== 0)
    mismatch(
      "valueAndGrad",
      `the function must return a scalar, got shape ${show(shape)}. Reduce it with sum or mean.`,
    );
}

/** Checks that a `GradientRule` returned one gradient for each input, of its shape. */
export function checkGradients(gradients: readonly Shape[], inputs: readonly Shape[]): void {
  requireShapes("customGradient", "gradients", gradients);
  requireShapes("customGradient", "inputs", inputs);
  if (
    gradients.length !== inputs.length ||
    gradients.some((shape, i) => show(shape) !== show(inputs[i] ?? []))
  )
    mismatch(
      "customGradient",
      `backward returned shapes ${gradients.map(show).join(", ")} for inputs ${inputs.map(show).join(", ")}.`,
    );
}
