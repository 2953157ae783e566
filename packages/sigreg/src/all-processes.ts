import type { TensorAdapter } from "@lejepa/tensor";
import { refuse } from "./refuse.js";

/** Means over the samples of all processes from those over the samples of this one:
 *    mean = sum_r N_r mean_r / sum_r N_r
 *  so parts of different size weigh as they should. Value and gradient are those of one process with the whole batch,
 *  once gradients of parameters are averaged over processes as data-parallel training does. Without the capability
 *  `allReduceMean` this process is all there is.
 *
 *  @param mean Means over this process's samples, of any shape; the same shape in every process.
 *  @param samples N_r, how many samples they are of.
 *  @returns The means over all, and of how many samples: a number, or where other processes are counted a scalar.
 *  @throws LejepaError `unsupported` when the adapter does not say how many processes there are. */
export function meanOverProcesses<T>(
  k: TensorAdapter<T>,
  mean: T,
  samples: number,
): { mean: T; samples: T | number } {
  if (!k.capabilities.includes("allReduceMean")) return { mean, samples };
  const { processes } = k;
  if (processes === undefined || !Number.isInteger(processes) || processes < 1)
    refuse(
      "unsupported",
      `allReduceMean: the ${k.name} adapter has it but says ${String(processes)} for "processes". ` +
        `Give the adapter the number of processes, 1 or more.`,
    );
  const shape = k.shape(mean);
  const size = shape.reduce((product, length) => product * length, 1);
  // The number of samples goes along in the same exchange.
  const sums = k.concat([k.reshape(k.mul(mean, samples), [size]), k.fill([1], samples)], 0);
  const shared = k.allReduceMean(sums);
  const perProcess = k.slice(shared, [size], [1]);
  return {
    mean: k.reshape(k.div(k.slice(shared, [0], [size]), perProcess), shape),
    samples: k.reshape(k.mul(perProcess, processes), []),
  };
}
