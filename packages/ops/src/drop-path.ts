import { said } from "./check-argument.js";
import { requireTensors } from "./tensor-argument.js";
import * as tf from "@tensorflow/tfjs-core";
import { compositeKernel } from "./composite-kernel.js";
import { LejepaError } from "./lejepa-error.js";
import { badShape, requireShape } from "./shape.js";

/** Kernel of `dropPath`. */
export const DropPath = "LejepaDropPath";
/** Operands of {@link DropPath}. */
export interface DropPathInputs {
  /** [N, ..] */
  readonly x: tf.Tensor;
  /** [N], uniform in [0, 1). */
  readonly draws: tf.Tensor;
}
/** Attributes of {@link DropPath}. */
export interface DropPathAttrs {
  /** Share of the samples that are kept, above 0 and at most 1. */
  readonly keep: number;
}

/** 1 / keep for each sample that is kept and 0 for the others, [N, 1, ..]. */
function factors(draws: tf.Tensor, rank: number, keep: number): tf.Tensor {
  const kept = tf.mul(tf.step(tf.sub(keep, draws)), 1 / keep);
  return tf.reshape(kept, [draws.size, ...Array<number>(rank - 1).fill(1)]);
}

const runDropPath = compositeKernel({
  kernelName: DropPath,
  outputs: ["y"],
  forward: ({ x, draws }: DropPathInputs, { keep }: DropPathAttrs) => ({
    y: tf.mul(x, factors(draws, x.shape.length, keep)),
  }),
  gradient: {
    saves: ["draws"],
    rule: ({ y: dy }, { draws }, { keep }) => ({
      x: () => tf.mul(dy, factors(draws, dy.shape.length, keep)),
      draws: () => tf.zerosLike(draws),
    }),
  },
});

/** Stochastic depth (arXiv 1603.09382), sample by sample as timm's drop_path: a residual branch is dropped for a share
 *  1 - keep of the samples and scaled for the others, so that its mean stays:
 *    y_n = x_n / keep where draws_n < keep, else 0;   dx_n likewise from dy_n.
 *  Shapes: x [N, ..], draws [N] -> [N, ..]. The draws, uniform in [0, 1), come from outside: a step draws no random
 *  numbers. A mask of ones and zeros is passed as 1 - mask. In evaluation leave the call out.
 *  Throws LejepaError "bad-shape", and "bad-keep" unless keep is above 0 and at most 1. */
export function dropPath(x: tf.Tensor, draws: tf.Tensor, keep: number): tf.Tensor {
  requireTensors("dropPath", { x, draws });
  if (!(typeof keep === "number" && keep > 0 && keep <= 1)) {
    throw new LejepaError(
      "bad-keep",
      `dropPath: keep should be above 0 and at most 1, got ${said(keep)}; it is 1 minus the rate of dropping.`,
    );
  }
  if (x.shape.length === 0) {
    throw badShape({ op: "dropPath", argument: "x", expected: "[N, ..]", got: x.shape });
  }
  requireShape("dropPath", "draws", draws.shape, [x.shape[0]]);
  return runDropPath({ x, draws }, { keep })[0]!;
}
