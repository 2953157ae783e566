import type { TensorAdapter } from "@lejepa/tensor";
import { eppsPulley } from "./epps-pulley.js";
import { checkChoice, checkNames, checkNumber, refuse, show } from "./refuse.js";
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
 *  @param options Test, reduction and clipping.
 *  @returns A scalar, or [..., M] for reduction "none".
 *  @throws LejepaError `shape-mismatch`, `invalid-option`.
 *  Source: LeJEPA, arXiv 2511.08544. */
export function sigreg<T>(
  adapter: TensorAdapter<T>,
  embeddings: T,
  directions: T,
  options: SigregOptions = {},
): T {
  checkNames("sigreg", options, ["test", "reduction", "clip"]);
  const { test = eppsPulley(), reduction = "mean", clip } = options;
  checkChoice("sigreg", "reduction", reduction, ["mean", "sum", "none"]);
  if (clip !== undefined)
    checkNumber("sigreg", "clip", clip, Number.isFinite(clip), "a finite number");

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

  // One product for all views, then the samples along the last axis, where the test wants them. Both operands of the
  // product, and of its gradient, are as they lie in memory: faster by more than the transpose takes.
  const leading = shape.slice(0, -2);
  const axes = leading.map((_, axis) => axis);
  const rows = leading.reduce((product, size) => product * size, samples);
  const stacked = adapter.reshape(embeddings, [rows, dim]);
  const projected = adapter.reshape(adapter.matMul(stacked, directions), [
    ...leading,
    samples,
    slices,
  ]);
  const samplesLast = adapter.transpose(projected, [...axes, axes.length + 1, axes.length]);
  const statistics = test.overLastAxis(adapter, samplesLast); // [..., M]
  const kept =
    clip === undefined
      ? statistics
      : adapter.mul(statistics, adapter.greaterEqual(statistics, clip));

  if (reduction === "mean") return adapter.mean(kept);
  return reduction === "sum" ? adapter.sum(kept) : kept;
}
