import { type Expected, type HostTensors, requireArgument } from "@lejepa/ops";
import { randomNormal } from "d3-random";
import seedrandom from "seedrandom";
import type { ParameterPlan } from "./parameter-plan.js";

/** The distribution a parameter starts from. */
export type InitialValue =
  | { readonly kind: "constant"; readonly value: number }
  /** N(0, std^2). timm truncates its normals at -2 and 2, which is a hundred deviations at its std of 0.02. */
  | { readonly kind: "normal"; readonly std: number }
  /** Uniform in [-limit, limit). */
  | { readonly kind: "uniform"; readonly limit: number };

/** Every element equal to `value`. */
export const constant = (value: number): InitialValue => ({ kind: "constant", value });

/** N(0, std^2). */
export const normal = (std: number): InitialValue => ({ kind: "normal", std });

/** torch.nn.init.kaiming_normal_(mode="fan_out", nonlinearity="relu"), which timm's ResNets use for convolutions:
 *  N(0, 2 / (out height width)). */
export function kaimingFanOut([height, width, , out]: readonly [
  number,
  number,
  number,
  number,
]): InitialValue {
  return normal(Math.sqrt(2 / (out * height * width)));
}

/** The default of torch.nn.Linear and torch.nn.Conv2d, weight and bias alike: kaiming_uniform_(a = sqrt 5), which is
 *  uniform within 1 / sqrt(fan in). */
export function torchDefault(fanIn: number): InitialValue {
  return { kind: "uniform", limit: 1 / Math.sqrt(fanIn) };
}

const wholeSeed: Expected = {
  text: "a whole number",
  accepts: (value) => Number.isSafeInteger(value),
};

/** Draws every parameter from a stream of its own, so that its value depends on (seed, name, shape) alone. */
export function drawInitialValues(plans: readonly ParameterPlan[], seed: number): HostTensors {
  requireArgument("init", "seed", seed, wholeSeed);
  return Object.fromEntries(
    plans.map(({ name, shape, initial }) => {
      const data = new Float32Array(shape.reduce((product, length) => product * length, 1));
      fill(data, initial, `${seed}/0/${name}`);
      return [name, { shape: [...shape], data }];
    }),
  );
}

function fill(data: Float32Array, initial: InitialValue, key: string): void {
  if (initial.kind === "constant") {
    data.fill(initial.value);
    return;
  }
  const random = seedrandom.alea(key);
  const draw =
    initial.kind === "normal"
      ? randomNormal.source(random)(0, initial.std)
      : () => (2 * random() - 1) * initial.limit;
  for (let i = 0; i < data.length; i++) {
    data[i] = draw();
  }
}
