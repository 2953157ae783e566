import type { TensorAdapter } from "@lejepa/tensor";
import { float64Adapter, type Float64Tensor } from "@lejepa/tensor/float64";
import { checkHarmonics } from "../src/shapes.js";

/** The float64 adapter with the one capability that it could have and lacks, by definition. */
export function wholeAdapter(): TensorAdapter<Float64Tensor> {
  const k = float64Adapter();
  return {
    ...k,
    capabilities: [...k.capabilities, "characteristicMeans"],
    characteristicMeans: (x, step, harmonics) => {
      checkHarmonics(x.shape, harmonics);
      const mean = (y: Float64Tensor) => k.mean(y, [-1], "keep");
      const means = harmonics.flatMap((h) => {
        const angle = k.mul(x, h * step);
        return [mean(k.cos(angle)), mean(k.sin(angle))];
      });
      return k.concat(means, -1);
    },
  };
}

/** The same as one of several processes of which there is one: every capability works. */
export function loneAdapter(): TensorAdapter<Float64Tensor> {
  const k = wholeAdapter();
  return {
    ...k,
    capabilities: [...k.capabilities, "allReduceMean"],
    processes: 1,
    allReduceMean: (x) => k.mul(x, 1),
  };
}
