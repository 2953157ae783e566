import { readLossOptions, targetViews, type LejepaLossOptions } from "../lejepa-loss.js";
import { eppsPulleyOptionNames } from "../epps-pulley.js";
import { said } from "@lejepa/tensor/error";
import { checkNames, refuse } from "../refuse.js";
import { checkShape, checkUnitColumns, gradientOf, sizesOf } from "./sigreg-value-and-grad.js";
import { slicedGradient, type FloatArray } from "./sliced-gradient.js";
import { workspaceOf, type ClosedFormBuffers, type Workspace } from "./workspace.js";

/** Options of `lejepaValueAndGrad`: those of `lejepaLoss` but for chunks (slices are always computed in blocks) and checks. */
export type LejepaValueAndGradOptions = Omit<LejepaLossOptions, "chunk" | "check">;

/** The LeJEPA loss, its two terms and its gradient. */
export interface LejepaValueAndGrad<T extends FloatArray> {
  /** The combination to minimise. */
  loss: number;
  /** Mean squared distance of the views from their centre. */
  prediction: number;
  /** SIGReg of the embeddings. */
  sigreg: number;
  /** Of the loss by the projections, [V, N, D]. */
  grad: T;
}

const optionNames = [
  "lambda",
  "combine",
  "sigreg",
  "target",
  "globalViews",
  ...eppsPulleyOptionNames,
];
/** Results that belong to a workspace. */
const results = new WeakMap<object, LejepaValueAndGrad<FloatArray>>();

/** The LeJEPA objective and its gradient in closed form, over plain arrays: for callers whose backbone runs elsewhere.
 *
 *  ```text
 *  loss = (1 - λ) prediction + λ sigreg                    the same as lejepaLoss(...)
 *  dprediction/dz[v] = 2 / (V N D) (z[v] - centre - [v < G] / G sum over w of (z[w] - centre))
 *  ```
 *
 *  G being the number of target views; the sum is 0 when all views are targets. Precision, memory and time are those of
 *  `sigregValueAndGrad`.
 *
 *  @param projections z, row-major.
 *  @param shape [V, N, D] of the projections.
 *  @param directions a [D, M], columns of length 1, checked as in `sigregValueAndGrad`: see `directions`; draw new ones at
 *  each step.
 *  @param options Trade-off and variants.
 *  @param buffers Memory to use again: with both, a call allocates no array.
 *  @throws LejepaError `shape-mismatch`, `invalid-option`.
 *  Source: LeJEPA, arXiv 2511.08544. Golden values: test/golden/lejepa-loss.json. */
export function lejepaValueAndGrad<T extends FloatArray>(
  projections: T,
  shape: readonly number[],
  directions: FloatArray,
  options: LejepaValueAndGradOptions = {},
  buffers: ClosedFormBuffers<T> = {},
): LejepaValueAndGrad<T> {
  const where = "lejepaValueAndGrad";
  checkNames(where, options, optionNames);
  const read = readLossOptions(where, options);
  const { lambda, combine, grouping, testOptions } = read;
  checkShape(where, shape);
  if (shape.length !== 3)
    refuse(
      "shape-mismatch",
      `${where}: projections should have shape [V, N, D], got ${said(shape)}. Stack the views along a first axis.`,
    );
  const perView = sizesOf(where, projections, shape, directions);
  const targets = targetViews(where, read, perView.groups);

  const workspace = workspaceOf(where, buffers);
  const test = workspace.test(testOptions);
  checkUnitColumns(where, directions, perView, workspace);
  const isOwned = buffers.workspace === undefined;
  const grad = gradientOf(where, projections, buffers.grad);
  const share = combine === "convex" ? 1 - lambda : 1;
  const prediction = addPrediction(workspace, projections, perView.groups, targets, share, grad);

  const sizes =
    grouping === "per-view"
      ? perView
      : { ...perView, groups: 1, samples: perView.groups * perView.samples };
  const count = sizes.groups * sizes.slices;
  const statistics = workspace.statistics(count);
  slicedGradient(
    workspace.kernelsFor(projections),
    test,
    projections,
    directions,
    sizes,
    { each: lambda / count, clip: -Infinity },
    statistics,
    grad,
    "add",
  );
  let sigreg = 0;
  for (let i = 0; i < count; i++) sigreg += statistics[i]!;
  sigreg /= count;
  const loss = share * prediction + lambda * sigreg;

  const kept = results.get(workspace);
  if (isOwned || kept === undefined) {
    const result = { loss, prediction, sigreg, grad };
    if (!isOwned) results.set(workspace, result);
    return result;
  }
  kept.loss = loss;
  kept.prediction = prediction;
  kept.sigreg = sigreg;
  kept.grad = grad;
  return kept as LejepaValueAndGrad<T>;
}

/** The prediction term; overwrites the gradient with `share` times that of the term. */
function addPrediction(
  workspace: Workspace,
  projections: FloatArray,
  views: number,
  targets: number,
  share: number,
  grad: FloatArray,
): number {
  const size = projections.length / views;
  const centre = workspace.centre(size);
  const scale = (2 * share) / projections.length;
  let squares = 0;
  for (let i = 0; i < size; i++) {
    let sum = 0;
    for (let v = 0; v < targets; v++) sum += projections[v * size + i]!;
    centre[i] = sum / targets;
  }
  for (let v = 0; v < views; v++)
    for (let i = 0; i < size; i++) {
      const distance = projections[v * size + i]! - centre[i]!;
      squares += distance * distance;
      grad[v * size + i] = scale * distance;
    }
  if (targets < views)
    for (let i = 0; i < size; i++) {
      // What moves the centre moves all distances.
      let all = 0;
      for (let v = 0; v < views; v++) all += projections[v * size + i]! - centre[i]!;
      for (let v = 0; v < targets; v++)
        grad[v * size + i] = grad[v * size + i]! - (scale * all) / targets;
    }
  return squares / projections.length;
}
