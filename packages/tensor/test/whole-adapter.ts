/** The float64 adapter with the capabilities that it lacks, for planting faults in. */
import type { TensorAdapter } from "@lejepa/tensor";
import { float64Adapter, type Float64Tensor } from "@lejepa/tensor/float64";
import { checkHarmonics } from "../src/shapes.js";

type Adapter = TensorAdapter<Float64Tensor>;

/** The float64 adapter with the one capability that it could have and lacks, by definition. */
export function wholeAdapter(k: Adapter = float64Adapter(), check = checkHarmonics): Adapter {
  return {
    ...k,
    capabilities: [...k.capabilities, "characteristicMeans"],
    characteristicMeans: (x, step, harmonics) => {
      check(x.shape, harmonics);
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
export function loneAdapter(k: Adapter = wholeAdapter()): Adapter {
  return {
    ...k,
    capabilities: [...k.capabilities, "allReduceMean"],
    processes: 1,
    allReduceMean: (x) => k.mul(x, 1),
  };
}

export const isTensor = (x: unknown): x is Float64Tensor =>
  typeof x === "object" && x !== null && "data" in x && "shape" in x;

/** The tensors among arguments, also in a list of them. */
export const tensorsIn = (args: readonly unknown[]): Float64Tensor[] =>
  args.flatMap((arg) => (Array.isArray(arg) ? arg.filter(isTensor) : isTensor(arg) ? [arg] : []));

/** An adapter on which a tensor that was given up cannot be used. */
export function strict(k: Adapter): Adapter {
  const gone = new WeakSet<Float64Tensor>();
  const checked = Object.entries(k).map(([name, value]: [string, unknown]) => [
    name,
    typeof value !== "function"
      ? value
      : (...args: unknown[]): unknown => {
          if (tensorsIn(args).some((x) => gone.has(x))) throw new Error(`${name}: disposed`);
          return (value as (...args: unknown[]) => unknown)(...args);
        },
  ]);
  return {
    ...(Object.fromEntries(checked) as Adapter),
    dispose: (x) => void gone.add(x),
  };
}
