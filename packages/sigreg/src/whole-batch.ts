import type { TensorAdapter } from "@lejepa/tensor";
import { refuse } from "./refuse.js";

/** Refuses a statistic that compares samples with one another where each process has only some of them: its means over
 *  processes would be another statistic. */
export function needWholeBatch<T>(where: string, k: TensorAdapter<T>): void {
  if (k.capabilities.includes("allReduceMean"))
    refuse(
      "unsupported",
      `${where}: compares all samples of the batch, and the ${k.name} adapter has those of one process of several. Take a test of means, such as eppsPulley or extendedJarqueBera.`,
    );
}
