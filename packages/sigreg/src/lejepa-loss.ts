import type { TensorAdapter } from "@lejepa/tensor";
import { meanOverProcesses } from "./all-processes.js";
import { checkFinite, checksFinite } from "./check-finite.js";
import { eppsPulley, eppsPulleyOptionNames, type EppsPulleyOptions } from "./epps-pulley.js";
import { checkAdapter, checkChoice, checkNames, checkNumber, refuse, show } from "./refuse.js";
import { sigreg, type SigregOptions } from "./sigreg.js";

/** Options of `lejepaLoss`: the trade-off, and those of the Epps-Pulley test. */
export interface LejepaLossOptions extends EppsPulleyOptions {
  /** λ, the weight of SIGReg; in [0, 1] for the convex combination, 0 or more for the additive one. Default 0.05. */
  readonly lambda?: number | undefined;
  /** "convex" (default): (1 - λ) prediction + λ SIGReg. "additive": prediction + λ SIGReg. */
  readonly combine?: "convex" | "additive" | undefined;
  /** "per-view" (default): the N embeddings of each view are tested apart, and the statistics averaged.
   *  "pooled": all V·N embeddings are tested together. */
  readonly sigreg?: "per-view" | "pooled" | undefined;
  /** What every view predicts: the mean of "all" views (default), or of the "global" ones. */
  readonly target?: "all" | "global" | undefined;
  /** G: with target "global", the first G views are the global ones; an integer in 1..V. */
  readonly globalViews?: number | undefined;
  /** How many slices are computed at a time, as for `sigreg`. Default: all M at once. */
  readonly chunk?: SigregOptions["chunk"];
  /** "finite": NaN and infinities in the projections, the directions and the terms throw a `NotFiniteError` that says
   *  which and where, as for `sigreg`. Default: "none". */
  readonly check?: SigregOptions["check"];
}

/** The LeJEPA loss and its two terms, each a scalar. */
export interface LejepaLoss<T> {
  /** The combination to minimise. */
  readonly loss: T;
  /** Mean squared distance of the views from their centre; 0 when all views of a sample agree. */
  readonly prediction: T;
  /** SIGReg of the embeddings; of order 1 when they are an isotropic Gaussian. */
  readonly sigreg: T;
}

/** The LeJEPA objective: views of one sample agree, all samples together are an isotropic Gaussian.
 *
 *  ```text
 *  centre[n]  = mean over the target views of z[v, n]
 *  prediction = mean over v, n, d of (z[v, n, d] - centre[n, d])²
 *  sigreg     = mean over v, m of EP(z[v] · a_m)            (pooled: over m of EP of all V·N samples)
 *  loss       = (1 - λ) prediction + λ sigreg               (additive: prediction + λ sigreg)
 *  ```
 *
 *  Gradients flow to the projections through both terms, the centre included: no stop-gradient, no teacher.
 *
 *  Where the adapter has `allReduceMean`, both terms are those of the whole batch, the samples of all processes; every
 *  process must call with the same V, D and directions, N may differ. The gradient of each process, averaged over
 *  processes, is that of the whole batch.
 *
 *  @param adapter The framework.
 *  @param projections z [V, N, D]: V views of N samples, D-dimensional.
 *  @param directions a [D, M], unit columns: see `directions`; draw new ones at each step.
 *  @param options Trade-off and variants.
 *  @returns The loss and its terms.
 *  @throws LejepaError `shape-mismatch`, `invalid-option`, `unsupported`; with `check` also `not-finite`.
 *  Source: LeJEPA, arXiv 2511.08544. Golden values: test/golden/lejepa-loss.json. */
export function lejepaLoss<T>(
  adapter: TensorAdapter<T>,
  projections: T,
  directions: T,
  options: LejepaLossOptions = {},
): LejepaLoss<T> {
  checkAdapter("lejepaLoss", adapter);
  checkNames("lejepaLoss", options, [
    "lambda",
    "combine",
    "sigreg",
    "target",
    "globalViews",
    "chunk",
    "check",
    ...eppsPulleyOptionNames,
  ]);
  const { chunk, check, ...rest } = options;
  const read = readLossOptions("lejepaLoss", rest);
  const { lambda, combine, grouping, target, testOptions } = read;
  const isChecked = checksFinite("lejepaLoss", check);

  const shape = adapter.shape(projections);
  const [views, samples, dim] = shape;
  if (
    shape.length !== 3 ||
    views === undefined ||
    samples === undefined ||
    dim === undefined ||
    views < 1 ||
    samples < 1 ||
    dim < 1
  )
    refuse(
      "shape-mismatch",
      `lejepaLoss: projections should have shape [V, N, D] with at least one view and one sample, got ${show(shape)}. Stack the views along a first axis.`,
    );
  const targeted = targetViews("lejepaLoss", read, views);

  if (isChecked) {
    checkFinite(adapter, "lejepaLoss", "projections", projections);
    checkFinite(adapter, "lejepaLoss", "directions", directions);
  }

  const targets =
    target === "all"
      ? projections
      : adapter.slice(projections, [0, 0, 0], [targeted, samples, dim]);
  const centre = adapter.mean(targets, [0], "keep"); // [1, N, D]
  const squares = adapter.square(adapter.sub(projections, centre));
  const prediction = meanOverProcesses(adapter, adapter.mean(squares), samples).mean;
  if (isChecked) {
    checkFinite(adapter, "lejepaLoss", "prediction", squares);
    checkFinite(adapter, "lejepaLoss", "prediction", prediction);
  }

  const tested =
    grouping === "per-view" ? projections : adapter.reshape(projections, [views * samples, dim]);
  const gaussianity = sigreg(adapter, tested, directions, {
    test: eppsPulley(testOptions),
    chunk,
    check,
  });

  const weighted = combine === "convex" ? adapter.mul(prediction, 1 - lambda) : prediction;
  const loss = adapter.add(weighted, adapter.mul(gaussianity, lambda));
  if (isChecked) checkFinite(adapter, "lejepaLoss", "loss", loss);
  return { loss, prediction, sigreg: gaussianity };
}

/** The options with their defaults, checked as far as they can be without the views. The test checks its own. */
export function readLossOptions(
  where: string,
  {
    lambda = 0.05,
    combine = "convex",
    sigreg: grouping = "per-view",
    target = "all",
    globalViews,
    ...testOptions
  }: Omit<LejepaLossOptions, "chunk" | "check">,
) {
  checkChoice(where, "combine", combine, ["convex", "additive"]);
  checkChoice(where, "sigreg", grouping, ["per-view", "pooled"]);
  checkChoice(where, "target", target, ["all", "global"]);
  const [isAllowed, expected]: [() => boolean, string] =
    combine === "convex"
      ? [() => lambda >= 0 && lambda <= 1, 'a number in [0, 1] when combine is "convex"']
      : [() => lambda >= 0 && lambda < Infinity, "a finite number of 0 or more"];
  checkNumber(where, "lambda", lambda, isAllowed, expected);
  return { lambda, combine, grouping, target, globalViews, testOptions };
}

/** G: how many of the first views make the centre. */
export function targetViews(
  where: string,
  { target, globalViews }: Pick<ReturnType<typeof readLossOptions>, "target" | "globalViews">,
  views: number,
): number {
  if (target === "all") {
    if (globalViews !== undefined)
      refuse(
        "invalid-option",
        `${where}: globalViews only counts with target "global". Set target: "global" or leave globalViews out.`,
      );
    return views;
  }
  const count = globalViews ?? NaN;
  const isCount = Number.isInteger(count) && count >= 1 && count <= views;
  const expected = `an integer in 1..${views}, the number of views, when target is "global"`;
  checkNumber(where, "globalViews", globalViews, () => isCount, expected);
  return count;
}
