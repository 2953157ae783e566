import { eppsPulleyOptionNames, type EppsPulleyOptions } from "../epps-pulley.js";
import { said } from "@lejepa/tensor/error";
import { checkChoice, checkNames, checkNumber, refuse } from "../refuse.js";
import { slicedGradient, type FloatArray, type Sizes } from "./sliced-gradient.js";
import { workspaceOf, type ClosedFormBuffers, type Workspace } from "./workspace.js";

/** Options of `sigregValueAndGrad`: those of `sigreg` and of its Epps-Pulley test. */
export interface SigregValueAndGradOptions extends EppsPulleyOptions {
  /** What becomes of the statistics of all slices and leading axes: their "mean" (default), their "sum", or, with "none",
   *  their sum weighted with `cotangent`. */
  readonly reduction?: "mean" | "sum" | "none" | undefined;
  /** Statistics below this value count as 0 and get no gradient. Default: none. */
  readonly clip?: number | undefined;
  /** With reduction "none": the derivative of the caller's loss by each statistic, [..., M]. */
  readonly cotangent?: FloatArray | undefined;
}

/** SIGReg with its gradient. */
export interface SigregValueAndGrad<T extends FloatArray> {
  /** The mean, sum or weighted sum of the statistics. */
  value: number;
  /** The statistic of each slice after clipping, [..., M]. */
  statistics: Float64Array;
  /** Of the value by the embeddings, [..., N, D]. */
  grad: T;
}

const optionNames = ["reduction", "clip", "cotangent", ...eppsPulleyOptionNames];
/** Results that belong to a workspace. */
const results = new WeakMap<object, SigregValueAndGrad<FloatArray>>();

/** SIGReg of embeddings and its gradient in closed form, over plain arrays: for callers whose backbone runs elsewhere.
 *
 *  ```text
 *  value = mean over leading axes and m of EP(z · a_m)        the same as sigreg(...)
 *  dz    = sum over m of dEP/dx (z · a_m) a_mᵀ
 *  ```
 *
 *  Slices are computed in blocks, so that memory beside inputs and outputs is some MB whatever M is; time is linear in N,
 *  D and M. Float32 input is computed in float32 by WebAssembly SIMD, sums over samples in float64; its sines and cosines are
 *  within 1.7e-7 for angles up to 12,000, that is |z · a| up to 64,000 with the default knots, and beyond that any
 *  number in [-1, 1]. Float64 input is computed in float64.
 *
 *  @param embeddings z, row-major.
 *  @param shape [..., N, D] of the embeddings; leading axes (views) are tested apart.
 *  @param directions a [D, M], row-major: see `directions`. M is what the length is of D. Columns of one's own have to have
 *  length 1 to 1e-3, which also tells directions of another D, or laid out as [M, D]; they are used as given.
 *  @param options Test, reduction and clipping.
 *  @param buffers Memory to use again: with both, a call allocates no array.
 *  @throws LejepaError `shape-mismatch`, `invalid-option`.
 *  Source: LeJEPA, arXiv 2511.08544. Golden values: test/golden/sigreg.json. */
export function sigregValueAndGrad<T extends FloatArray>(
  embeddings: T,
  shape: readonly number[],
  directions: FloatArray,
  options: SigregValueAndGradOptions = {},
  buffers: ClosedFormBuffers<T> = {},
): SigregValueAndGrad<T> {
  checkNames("sigregValueAndGrad", options, optionNames);
  const { reduction = "mean", clip = -Infinity, cotangent } = options;
  checkChoice("sigregValueAndGrad", "reduction", reduction, ["mean", "sum", "none"]);
  if (options.clip !== undefined)
    checkNumber("sigregValueAndGrad", "clip", clip, () => Number.isFinite(clip), "a finite number");
  const sizes = sizesOf("sigregValueAndGrad", embeddings, shape, directions);
  const count = sizes.groups * sizes.slices;
  if ((reduction === "none") !== (cotangent !== undefined))
    refuse(
      "invalid-option",
      `sigregValueAndGrad: cotangent goes with reduction "none" and with no other. Set both or neither.`,
    );
  if (cotangent !== undefined) checkFloatArray("sigregValueAndGrad", "cotangent", cotangent);
  if (cotangent !== undefined && cotangent.length !== count)
    refuse(
      "shape-mismatch",
      `sigregValueAndGrad: cotangent should have ${count} numbers, one for each of ${sizes.groups} x ${sizes.slices} statistics, got ${cotangent.length}.`,
    );

  const workspace = workspaceOf("sigregValueAndGrad", buffers);
  const test = workspace.test(options);
  checkUnitColumns("sigregValueAndGrad", directions, sizes, workspace);
  const isOwned = buffers.workspace === undefined;
  const grad = gradientOf("sigregValueAndGrad", embeddings, buffers.grad);
  const statistics = isOwned ? new Float64Array(count) : workspace.statistics(count);
  const each = cotangent ?? (reduction === "mean" ? 1 / count : 1);
  slicedGradient(
    workspace.kernelsFor(embeddings),
    test,
    embeddings,
    directions,
    sizes,
    { each, clip },
    statistics,
    grad,
    "overwrite",
  );
  let value = 0;
  for (let i = 0; i < count; i++)
    value += typeof each === "number" ? statistics[i]! : statistics[i]! * each[i]!;
  if (reduction === "mean") value /= count;

  const kept = results.get(workspace);
  if (isOwned || kept === undefined) {
    const result = { value, statistics, grad };
    if (!isOwned) results.set(workspace, result);
    return result;
  }
  kept.value = value;
  kept.statistics = statistics;
  kept.grad = grad;
  return kept as SigregValueAndGrad<T>;
}

/** Checks the arrays against the shape [..., N, D]. */
export function sizesOf(
  where: string,
  embeddings: FloatArray,
  shape: readonly number[],
  directions: FloatArray,
): Sizes {
  checkFloatArray(where, "embeddings", embeddings);
  checkFloatArray(where, "directions", directions);
  checkShape(where, shape);
  const [samples = 0, dim = 0] = [shape.at(-2), shape.at(-1)];
  let groups = 1;
  for (let axis = 0; axis < shape.length - 2; axis++) groups *= shape[axis]!;
  if (
    shape.length < 2 ||
    !shape.every((size) => Number.isInteger(size) && size >= 1) ||
    embeddings.length !== groups * samples * dim
  )
    refuse(
      "shape-mismatch",
      `${where}: the ${embeddings.length} embeddings should have shape [..., N, D] with at least one sample, got ${said(shape)}.`,
    );
  const slices = directions.length / dim;
  if (!Number.isInteger(slices) || slices < 1)
    refuse(
      "shape-mismatch",
      `${where}: directions should be [D, M] with D = ${dim}, got ${directions.length} numbers. Draw them with directions(${dim}, slices, seed, step).`,
    );
  return { groups, samples, dim, slices };
}

/** Refuses what is no list of sizes; whether they fit is for the caller to say. */
export function checkShape(where: string, shape: readonly number[]): void {
  if (!Array.isArray(shape) || shape.includes(undefined))
    refuse("shape-mismatch", `${where}: shape should be an array of sizes, got ${said(shape)}.`);
}

function checkFloatArray(where: string, name: string, value: FloatArray): void {
  if (!(value instanceof Float32Array || value instanceof Float64Array))
    refuse(
      "invalid-option",
      `${where}: ${name} should be a Float32Array or a Float64Array, got ${said(value)}.`,
    );
}

/** How far from 1 the length of a direction may be: rounding in bfloat16 is allowed, a column of another layout is not. */
const lengthTolerance = 1e-3;

/** Refuses directions whose columns, read as [D, M], have not length 1. The squares of unit columns add up to their number, so
 *  an array of them that was made for another D never passes. */
export function checkUnitColumns(
  where: string,
  directions: FloatArray,
  { dim, slices }: Sizes,
  workspace: Workspace,
): void {
  const squares = workspace.squares(slices);
  squares.fill(0, 0, slices);
  for (let d = 0, at = 0; d < dim; d++)
    for (let slice = 0; slice < slices; slice++, at++) {
      const value = directions[at]!;
      squares[slice] = squares[slice]! + value * value;
    }
  for (let slice = 0; slice < slices; slice++) {
    const length = Math.sqrt(squares[slice]!);
    if (!(Math.abs(length - 1) <= lengthTolerance))
      refuse(
        "shape-mismatch",
        `${where}: directions should be [D, M] with D = ${dim} and columns of length 1, but column ${slice} of the ${slices} that these ${directions.length} numbers make has length ${Number(length.toPrecision(4))}. Draw them with directions(${dim}, slices, seed, step), or lay your own out as [D, M] and divide each by its length.`,
      );
  }
}

/** The gradient's array: the caller's, checked, or a new one of the input's kind. */
export function gradientOf<T extends FloatArray>(where: string, embeddings: T, given?: T): T {
  if (given === undefined)
    return (
      embeddings instanceof Float32Array
        ? new Float32Array(embeddings.length)
        : new Float64Array(embeddings.length)
    ) as T;
  if (given === embeddings || overlaps(given, embeddings))
    refuse(
      "shape-mismatch",
      `${where}: grad should be memory apart from the embeddings, got the embeddings themselves or a part of them.`,
    );
  if (
    !(given instanceof (embeddings instanceof Float32Array ? Float32Array : Float64Array)) ||
    given.length !== embeddings.length
  )
    refuse(
      "shape-mismatch",
      `${where}: grad should be a ${embeddings instanceof Float32Array ? "Float32Array" : "Float64Array"} of length ${embeddings.length}, as the embeddings are, got ${said(given)}.`,
    );
  return given;
}

/** Whether two arrays share memory. */
function overlaps(a: FloatArray, b: FloatArray): boolean {
  return (
    ArrayBuffer.isView(a) &&
    a.buffer === b.buffer &&
    a.byteOffset < b.byteOffset + b.byteLength &&
    b.byteOffset < a.byteOffset + a.byteLength
  );
}
