import { oneOf, requireArgument } from "./check-argument.js";
import { requireTensors } from "./tensor-argument.js";
import * as tf from "@tensorflow/tfjs-core";
import { compositeKernel } from "./composite-kernel.js";

/** An activation by name; "gelu" is the exact form, as everywhere in timm. */
export type Activation = "relu" | "gelu" | "gelu_tanh" | "quick_gelu" | "silu";

/** Applies the named activation elementwise. */
export function activate(x: tf.Tensor, activation: Activation): tf.Tensor {
  requireTensors("activate", { x });
  requireArgument("activate", "activation", activation, someActivation);
  return activations[activation](x);
}

/** The name of an activation. */
export const someActivation = oneOf(["relu", "gelu", "gelu_tanh", "quick_gelu", "silu"]);

const activations: Record<Activation, (x: tf.Tensor) => tf.Tensor> = {
  relu: (x) => tf.relu(x),
  gelu,
  gelu_tanh: geluTanh,
  quick_gelu: quickGelu,
  silu,
};

/** Kernel of the Gaussian error linear units. */
export const Gelu = "LejepaGelu";
/** Operands of {@link Gelu}. */
export interface GeluInputs {
  /** Any shape. */
  readonly x: tf.Tensor;
}
/** Attributes of {@link Gelu}. */
export interface GeluAttrs {
  /** "none": `gelu`; "tanh": `geluTanh`; "sigmoid": `quickGelu`. */
  readonly approximation: "none" | "tanh" | "sigmoid";
}

/** Kernel of an input times a gate that it opens itself, y = x g(x): `silu`, and the Gaussian error linear units once
 *  their constants are folded into the layers around them. */
export const Gate = "LejepaGate";
/** Operands of {@link Gate}. */
export interface GateInputs {
  /** Any shape. */
  readonly x: tf.Tensor;
}
/** Attributes of {@link Gate}. */
export interface GateAttrs {
  /** g: "sigmoid" is sigmoid(x), "erf" is 1 + erf(x), "tanh" is sigmoid(x + c x^3), c = 0.044715 pi / 8. */
  readonly gate: "sigmoid" | "erf" | "tanh";
}

/** y = x g(x): g from x, and dy/dx from x, g and y. */
interface GateRule {
  readonly open: (x: tf.Tensor) => tf.Tensor;
  readonly slope: (x: tf.Tensor, gate: tf.Tensor, y: tf.Tensor) => tf.Tensor;
}

/** 2 sqrt(2 / pi), the factor of x in the tanh form as a sigmoid, and that of x^3 once it is folded into x. */
const tanhFactor = 2 * Math.sqrt(2 / Math.PI);
const cubic = 0.044715 / tanhFactor ** 2;

const gates: Record<GateAttrs["gate"], GateRule> = {
  sigmoid: {
    open: (x) => tf.sigmoid(x),
    slope: (_x, gate, y) => tf.add(gate, tf.mul(y, tf.sub(1, gate))),
  },
  erf: {
    open: (x) => tf.add(tf.erf(x), 1),
    // x times the derivative of erf is 2 x exp(-x^2) / sqrt(pi), its factor taken into the exponent to save a pass.
    slope: (x, gate) =>
      tf.add(gate, tf.mul(x, tf.exp(tf.sub(Math.log(2 / Math.sqrt(Math.PI)), tf.square(x))))),
  },
  tanh: {
    open: (x) => tf.sigmoid(tf.mul(x, tf.add(tf.mul(tf.square(x), cubic), 1))),
    slope: (x, gate, y) =>
      tf.add(gate, tf.mul(tf.mul(y, tf.sub(1, gate)), tf.add(tf.mul(tf.square(x), 3 * cubic), 1))),
  },
};

/** f(x) = outer h(inner x) with h(u) = u g(u): the gate behind each activation, and the factors around it. */
interface FoldedGate {
  readonly gate: GateAttrs["gate"];
  readonly inner: number;
  readonly outer: number;
}

const geluGates: Record<GeluAttrs["approximation"], FoldedGate> = {
  none: { gate: "erf", inner: Math.SQRT1_2, outer: Math.SQRT1_2 },
  tanh: { gate: "tanh", inner: tanhFactor, outer: 1 / tanhFactor },
  sigmoid: { gate: "sigmoid", inner: 1.702, outer: 1 / 1.702 },
};

/** The gate of an activation with the factors that a layer before and a layer after it can absorb; undefined for ReLU,
 *  which has neither. */
export const foldedGate: Readonly<Record<Activation, FoldedGate | undefined>> = {
  relu: undefined,
  gelu: geluGates.none,
  gelu_tanh: geluGates.tanh,
  quick_gelu: geluGates.sigmoid,
  silu: { gate: "sigmoid", inner: 1, outer: 1 },
};

const runGate = compositeKernel({
  kernelName: Gate,
  outputs: ["y", "opening"],
  forward: ({ x }: GateInputs, { gate }: GateAttrs) => {
    const opening = gates[gate].open(x);
    return { y: tf.mul(x, opening), opening };
  },
  gradient: {
    saves: ["x", "y", "opening"],
    rule: ({ y: dy }, { x, y, opening }, { gate }) => ({
      x: () => tf.mul(dy, gates[gate].slope(x, opening, y)),
    }),
  },
});

/** y = x g(x), see {@link GateAttrs}. */
export function gated(x: tf.Tensor, gate: GateAttrs["gate"]): tf.Tensor {
  return runGate({ x }, { gate })[0]!;
}

const runGelu = compositeKernel({
  kernelName: Gelu,
  outputs: ["y", "u", "opening"],
  forward: ({ x }: GeluInputs, { approximation }: GeluAttrs) => {
    const { gate, inner, outer } = geluGates[approximation];
    const u = tf.mul(x, inner);
    const opening = gates[gate].open(u);
    return { y: tf.mul(u, tf.mul(opening, outer)), u, opening };
  },
  gradient: {
    saves: ["u", "opening"],
    rule: ({ y: dy }, { u, opening }, { approximation }) => ({
      x: () => {
        const { gate, inner, outer } = geluGates[approximation];
        const slope = gates[gate].slope(u, opening, tf.mul(u, opening));
        return tf.mul(dy, inner * outer === 1 ? slope : tf.mul(slope, inner * outer));
      },
    }),
  },
});

/** Gaussian error linear unit, exact form (arXiv 1606.08415):
 *    y = x P(x),  P(x) = (1 + erf(x / sqrt 2)) / 2;   dy/dx = P(x) + x p(x),  p(x) = exp(-x^2 / 2) / sqrt(2 pi).
 *  Any shape. torch.nn.functional.gelu(x). */
export function gelu(x: tf.Tensor): tf.Tensor {
  requireTensors("gelu", { x });
  return runGelu({ x }, { approximation: "none" })[0]!;
}

/** The tanh form of the Gaussian error linear unit (arXiv 1606.08415), with b = 0.044715:
 *    y = x (1 + tanh z) / 2 = x s,  z = sqrt(2 / pi) (x + b x^3),  s = sigmoid(2 z);
 *    dy/dx = s + 2 sqrt(2 / pi) y (1 - s) (1 + 3 b x^2).
 *  Any shape. torch.nn.functional.gelu(x, approximate="tanh"). */
export function geluTanh(x: tf.Tensor): tf.Tensor {
  requireTensors("geluTanh", { x });
  return runGelu({ x }, { approximation: "tanh" })[0]!;
}

/** The sigmoid form of the Gaussian error linear unit (arXiv 1606.08415):
 *    y = x s,  s = sigmoid(k x),  k = 1.702;   dy/dx = s + k y (1 - s).
 *  Any shape. */
export function quickGelu(x: tf.Tensor): tf.Tensor {
  requireTensors("quickGelu", { x });
  return runGelu({ x }, { approximation: "sigmoid" })[0]!;
}

/** y = x s, s = sigmoid(x), also called swish (arXiv 1702.03118); dy/dx = s + y (1 - s).
 *  Any shape. torch.nn.functional.silu(x). */
export function silu(x: tf.Tensor): tf.Tensor {
  requireTensors("silu", { x });
  return gated(x, "sigmoid");
}
