import { requireArgument, someFunction } from "./check-argument.js";
import { requireTensors } from "./tensor-argument.js";
import * as tf from "@tensorflow/tfjs-core";
import { compositeKernel } from "./composite-kernel.js";
import { LejepaError } from "./lejepa-error.js";

/** Kernel of `allReduceMean`: one operand x, one result y of its shape. */
export const AllReduceMean = "LejepaAllReduceMean";

/** Replaces values by their means over all processes that train together, in place, and is done when it returns. */
export type Exchange = (values: Float32Array) => void;

let exchange: Exchange | undefined;

/** Runs `body`, which is synchronous, with `how` as what `allReduceMean` does on a tfjs backend. An engine that runs
 *  steps operation by operation calls it around each; where a step is captured, the engine sees the kernel instead. */
export function exchangingBy<R>(how: Exchange, body: () => R): R {
  requireArgument("exchangingBy", "how", how, someFunction);
  requireArgument("exchangingBy", "body", body, someFunction);
  const before = exchange;
  exchange = how;
  try {
    return body();
  } finally {
    exchange = before;
  }
}

const run = compositeKernel({
  kernelName: AllReduceMean,
  outputs: ["y"],
  forward: ({ x }: { readonly x: tf.Tensor }) => {
    if (exchange === undefined) {
      throw new LejepaError(
        "no-processes",
        "allReduceMean: there is nobody to average with; run the step on an engine that was given its process group.",
      );
    }
    // dataSync may hand out the backend's own array.
    const values = Float32Array.from(x.dataSync());
    exchange(values);
    return { y: tf.tensor(values, x.shape) };
  },
  gradient: {
    saves: [],
    rule: ({ y: dy }) => ({ x: () => allReduceMean(dy) }),
  },
});

/** Mean of a float32 x over the K processes that train together, the same on each:
 *    y = 1/K sum_r x_r
 *  Shapes: x [..] -> [..]. Every process calls it in the same order with the same shapes.
 *  Gradient: the same mean of dy. It is that of the sum of all processes' losses with respect to this process's x, so
 *  that gradients of parameters, averaged over processes afterwards, are those of the mean of all losses.
 *  Throws LejepaError "bad-dtype"; "no-processes" on a backend where no engine exchanges values. */
export function allReduceMean<T extends tf.Tensor>(x: T): T {
  requireTensors("allReduceMean", { x });
  if (x.dtype !== "float32") {
    throw new LejepaError("bad-dtype", `allReduceMean: x should be float32, got ${x.dtype}.`);
  }
  return run({ x }, {})[0] as T;
}
