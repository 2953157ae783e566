import type { TensorAdapter } from "@lejepa/tensor";
import { checkFinite, checksFinite } from "./check-finite.js";
import { eppsPulley } from "./epps-pulley.js";
import { said } from "@lejepa/tensor/error";
import { checkAdapter, checkChoice, checkNames, checkNumber, refuse, show } from "./refuse.js";
import { inChunks, type PerSlice } from "./slice-chunks.js";
import type { UnivariateTest } from "./univariate-test.js";

/** Options of `sigreg`. */
export interface SigregOptions {
  /** The test applied to each slice; default `eppsPulley()`. */
  readonly test?: UnivariateTest | undefined;
  /** What becomes of the statistics of all slices (and leading axes): their "mean" (default) or "sum", a scalar, or
   *  "none", which returns them as [..., M]. */
  readonly reduction?: "mean" | "sum" | "none" | undefined;
  /** Statistics below this value count as 0 and get no gradient: slices that are close enough to normal are left alone.
   *  Default: none. */
  readonly clip?: number | undefined;
  /** How many slices are computed at a time; an integer of 1 or more. Default: all M at once. The value and the
   *  gradient are the same; memory beside inputs and their gradients shrinks to that of one chunk, and each chunk is
   *  computed a second time for the gradient. Needs `customGradient` and `valueAndGrad` of the adapter to bound the
   *  memory of the gradient too. */
  readonly chunk?: number | undefined;
  /** "finite": NaN and infinities in the inputs and the statistics throw a `NotFiniteError` that says where. Reads
   *  values, so it needs the adapter's `readSync`, waits for the device, and has no place in a recorded step.
   *  Default: "none". */
  readonly check?: "finite" | "none" | undefined;
}

/** SIGReg: how far embeddings are from an isotropic Gaussian, by testing their slices.
 *
 *  `SIGReg(z) = mean_m test(z · a_m)`: embeddings z [..., N, D] are projected on M unit directions a [D, M], and every
 *  projection, N numbers that should look like draws from N(0, 1), is tested on its own. By Cramér and Wold a
 *  distribution is normal exactly if all its slices are. Time and memory are linear in N, D and M.
 *
 *  @param adapter The framework.
 *  @param embeddings [..., N, D]: leading axes (views) are tested apart. N at least 1; 2 or more to be of use.
 *  @param directions [D, M], unit columns, used as given: see `directions`.
 *  @param options Test, reduction, clipping, chunks and checks.
 *  @returns A scalar, or [..., M] for reduction "none".
 *  @throws LejepaError `shape-mismatch`, `invalid-option`, `unsupported` where the adapter lacks what the test or the check
 *  needs; with `check` also `not-finite`.
 *  Source: LeJEPA, arXiv 2511.08544. */
export function sigreg<T>(
  adapter: TensorAdapter<T>,
  embeddings: T,
  directions: T,
  options: SigregOptions = {},
): T {
  checkAdapter("sigreg", adapter);
  checkNames("sigreg", options, ["test", "reduction", "clip", "chunk", "check"]);
  const { test = eppsPulley(), reduction = "mean", clip, chunk } = options;
  if (typeof (test as Partial<UnivariateTest> | null)?.overLastAxis !== "function")
    refuse(
      "invalid-option",
      `sigreg: test should be a univariate test such as eppsPulley() or watson(), got ${typeof test === "function" ? "another function. Call the function that makes the test" : said(test)}.`,
    );
  checkChoice("sigreg", "reduction", reduction, ["mean", "sum", "none"]);
  if (clip !== undefined)
    checkNumber("sigreg", "clip", clip, () => Number.isFinite(clip), "a finite number");
  if (chunk !== undefined) {
    const allowed = () => Number.isInteger(chunk) && chunk >= 1;
    checkNumber("sigreg", "chunk", chunk, allowed, "an integer of 1 or more");
  }
  const isChecked = checksFinite("sigreg", options.check);

  const shape = adapter.shape(embeddings);
  const [samples, dim] = shape.slice(-2);
  if (samples === undefined || dim === undefined || samples < 1)
    refuse(
      "shape-mismatch",
      `sigreg: embeddings should have shape [..., N, D] with at least one sample, got ${show(shape)}.`,
    );
  const directionsShape = adapter.shape(directions);
  const [directionsDim, slices] = directionsShape;
  if (directionsShape.length !== 2 || directionsDim !== dim || slices === undefined || slices < 1)
    refuse(
      "shape-mismatch",
      `sigreg: directions should have shape [D, M] with D = ${dim} like embeddings ${show(shape)}, got ${show(directionsShape)}. Draw them with directions(${dim}, slices, seed, step).`,
    );

  if (isChecked) {
    checkFinite(adapter, "sigreg", "embeddings", embeddings);
    checkFinite(adapter, "sigreg", "directions", directions);
  }
  const perSlice: PerSlice = (k, z, a) => test.overLastAxis(k, projectionsOf(k, z, a));
  const statistics = // [..., M]
    chunk === undefined || chunk >= slices
      ? perSlice(adapter, embeddings, directions)
      : inChunks(adapter, perSlice, embeddings, directions, chunk);
  if (isChecked) checkFinite(adapter, "sigreg", "sigreg", statistics);
  const kept =
    clip === undefined
      ? statistics
      : adapter.mul(statistics, adapter.greaterEqual(statistics, clip));

  if (reduction === "mean") return adapter.mean(kept);
  return reduction === "sum" ? adapter.sum(kept) : kept;
}

/** Embeddings seen along each direction: [..., N, D], [D, M] -> [..., M, N]. */
function projectionsOf<T>(k: TensorAdapter<T>, embeddings: T, directions: T): T {
  // One product for all views, then the samples along the last axis, where the test wants them. Both operands of the
  // product, and of its gradient, are as they lie in memory: faster by more than the transpose takes.
  const shape = k.shape(embeddings);
  const [samples = 0, dim = 0] = shape.slice(-2);
  const slices = k.shape(directions)[1] ?? 0;
  const leading = shape.slice(0, -2);
  const axes = leading.map((_, axis) => axis);
  const rows = leading.reduce((product, size) => product * size, samples);
  const stacked = k.reshape(embeddings, [rows, dim]);
  const projected = k.reshape(k.matMul(stacked, directions), [...leading, samples, slices]);
  return k.transpose(projected, [...axes, axes.length + 1, axes.length]);
}
