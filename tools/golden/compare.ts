import type { GoldenCase, StoredTensor, Tolerance } from "./golden-file.js";

/** A tensor that was computed. */
export interface Computed {
  readonly shape: readonly number[];
  readonly data: ArrayLike<number>;
}

/** What a case computes to. */
export interface Outputs {
  readonly values: Readonly<Record<string, Computed>>;
  readonly gradients: Readonly<Record<string, Computed>>;
}

/** Compares outputs with the case; every expected value and gradient must be there.
 *  @returns What differs, in words; empty when the case passes. */
export function compareCase(
  golden: GoldenCase,
  outputs: Outputs,
  precision: "float32" | "float64",
): string[] {
  const tolerance = golden.tolerance[precision];
  const values = Object.entries(golden.values).map(([name, expected]) =>
    compareTensor(name, outputs.values[name], expected, tolerance.values),
  );
  const gradients = Object.entries(golden.gradient?.byInput ?? {}).map(([name, expected]) =>
    compareTensor(`gradient of ${name}`, outputs.gradients[name], expected, tolerance.gradient),
  );
  return [...values, ...gradients].filter((problem) => problem !== undefined);
}

function compareTensor(
  name: string,
  got: Computed | undefined,
  expected: StoredTensor,
  tolerance: Tolerance,
): string | undefined {
  if (got === undefined) return `${name} was not computed`;
  const [shape, wanted] = [got.shape.join(", "), expected.shape.join(", ")];
  if (shape !== wanted) return `${name} has shape [${shape}] instead of [${wanted}]`;
  const wrong = expected.data
    .map((value, j) => ({ value, position: expected.index?.[j] ?? j }))
    .filter(({ value, position }) => !isClose(got.data[position], value, tolerance));
  const [first] = wrong;
  if (first === undefined) return undefined;
  const others =
    wrong.length > 1 ? `, and ${wrong.length - 1} more of ${expected.data.length}` : "";
  return `${name}[${first.position}] is ${got.data[first.position]} instead of ${first.value}${others}`;
}

/** NaN equals NaN and an infinity itself; a missing or NaN number is never close. */
function isClose(got: number | undefined, expected: number, { rtol, atol }: Tolerance): boolean {
  if (got === undefined) return false;
  if (!Number.isFinite(expected)) return Object.is(got, expected);
  return Math.abs(got - expected) <= atol + rtol * Math.abs(expected);
}
