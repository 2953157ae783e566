import { convBlock, type ConvBlockOptions } from "@lejepa/ops";
import type { Tensor, Tensor4D } from "@tensorflow/tfjs-core";
import { requireFloats } from "../image-options.js";
import type { InitialValue } from "../initial-value.js";
import { weightPlan } from "../parameter-plan.js";
import { batchNormPlans, keepStatistics, normParameters } from "./batch-norm.js";
import type { ForwardPass } from "./forward-pass.js";
import { type Layer, plansWithin } from "./layer.js";

/** A convolution with batch norm. */
export interface ConvNormOptions {
  /** Names of the two: in most families they stand beside each other. */
  readonly names: readonly [convolution: string, norm: string];
  /** Channels that come in. */
  readonly inputs: number;
  /** Channels that go out. */
  readonly outputs: number;
  /** Side of the square kernel, in pixels. */
  readonly kernel: number;
  /** Step between outputs, in pixels. Default 1. */
  readonly stride?: number;
  /** Zeros around the image, in pixels. Default 0. */
  readonly padding?: number;
  /** What comes last. Default "relu". */
  readonly activation?: "relu" | "none";
  /** Of the kernel, from its shape [height, width, inputs, outputs]. */
  readonly initial: (shape: readonly [number, number, number, number]) => InitialValue;
  /** Where the norm's scale starts: 0 makes a residual branch start at zero. Default 1. */
  readonly scale?: number;
}

/** Convolution without bias, batch norm and ReLU as the one operation `convBlock`, which a sum with a shortcut is part of
 *  too.  Shapes: [N, H, W, inputs] -> [N, H', W', outputs].
 *  Throws LejepaError "bad-argument" where x is not float32. */
export function convNorm(options: ConvNormOptions): Layer {
  const { names, inputs, outputs, kernel, stride = 1, padding = 0, initial, scale } = options;
  const { activation = "relu" } = options;
  const [convolution, norm] = names;
  const shape = [kernel, kernel, inputs, outputs] as const;
  const run = (
    pass: ForwardPass,
    x: Tensor,
    rest: Pick<ConvBlockOptions, "activation" | "residual">,
  ): Tensor => {
    requireFloats(pass.owner, x);
    const weight = pass.within(convolution).parameter("weight") as Tensor4D;
    const normPass = pass.within(norm);
    const { y, updates } = convBlock(x as Tensor4D, weight, normParameters(normPass), {
      mode: pass.mode,
      stride,
      padding,
      ...rest,
    });
    keepStatistics(normPass, updates);
    return y;
  };
  return {
    plans: [
      weightPlan(`${convolution}.weight`, "conv", shape, initial(shape)),
      ...plansWithin(norm, batchNormPlans(outputs, scale)),
    ],
    apply: (pass, x) => run(pass, x, { activation }),
    ...(activation === "none" && {
      applyAndAdd: (pass, x, addend, activation) =>
        run(pass, x, { residual: addend as Tensor4D, activation }),
    }),
  };
}
