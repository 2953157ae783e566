import type { LabelledFeatures } from "./labelled-features.js";
import type { ScaledRows, Standardisation } from "./standardise.js";

/** A fitted linear probe. */
interface LinearModel {
  readonly scaling: Standardisation;
  /** [D, K] */
  readonly weight: Float32Array;
  /** [K] */
  readonly bias: Float32Array;
  /** The labels of the K columns, ascending. */
  readonly classes: Int32Array;
}

/** Decides on classes from logits in float32 where these suffice, and in float64 where not. */
export class LinearDecision {
  readonly #model: LinearModel;
  /** Length of each column of the weight, with the bias: the largest of them. */
  readonly #longest: number;

  constructor(model: LinearModel) {
    this.#model = model;
    const { weight, bias } = model;
    const squares = Float64Array.from(bias, (b) => b * b);
    weight.forEach((w, at) => (squares[at % bias.length]! += w * w));
    this.#longest = Math.sqrt(Math.max(...squares));
  }

  /** Share of the rows whose highest logit is that of their label.
   *  @param scaled The rows as the engine had them
   *  @param logits What it made of them, [N, K], divided like the rows */
  accuracy(
    { features, labels }: LabelledFeatures,
    scaled: ScaledRows,
    logits: Float32Array,
  ): number {
    const { classes, scaling } = this.#model;
    const dim = scaling.mean.length;
    const unit = (dim + 3) * 2 ** -24 * this.#longest;
    let right = 0;
    for (let row = 0; row < labels.length; row++) {
      const at = row * classes.length;
      let best = 0;
      let second = -Infinity;
      for (let k = 1; k < classes.length; k++) {
        const logit = logits[at + k]!;
        const most = logits[at + best]!;
        if (logit > most) {
          best = k;
          second = most;
        } else if (logit > second) second = logit;
      }
      // No logit is further off than this, by Cauchy and Schwarz.
      const error = (unit * Math.hypot(scaled.length[row]!, 1)) / scaled.divisor[row]!;
      const isCertain = logits[at + best]! - second > 2 * error;
      if (classes[isCertain ? best : this.#byFloat64(features, row)] === labels[row]) right++;
    }
    return right / labels.length;
  }

  /** The column of the highest logit, of equals the first. */
  #byFloat64(features: Float32Array, row: number): number {
    const { scaling, weight, bias } = this.#model;
    const dim = scaling.mean.length;
    const logits = Float64Array.from(bias);
    for (let d = 0; d < dim; d++) {
      const value = (features[row * dim + d]! - scaling.mean[d]!) * scaling.scale[d]!;
      for (let k = 0; k < logits.length; k++) logits[k]! += value * weight[d * logits.length + k]!;
    }
    return logits.indexOf(Math.max(...logits));
  }
}
