import * as tf from "@tensorflow/tfjs-core";
import { withGradient } from "./with-gradient.js";

/** An activation by name; "gelu" is the exact form, as everywhere in timm. */
export type Activation = "relu" | "gelu" | "gelu_tanh" | "quick_gelu" | "silu";

/** Applies the named activation elementwise. */
export function activate(x: tf.Tensor, activation: Activation): tf.Tensor {
  return activations[activation](x);
}

const activations: Record<Activation, (x: tf.Tensor) => tf.Tensor> = {
  relu: (x) => tf.relu(x),
  gelu,
  gelu_tanh: geluTanh,
  quick_gelu: quickGelu,
  silu,
};

/** Gaussian error linear unit, exact form (arXiv 1606.08415):
 *    y = x P(x),  P(x) = (1 + erf(x / sqrt 2)) / 2;   dy/dx = P(x) + x p(x),  p(x) = exp(-x^2 / 2) / sqrt(2 pi).
 *  Any shape. torch.nn.functional.gelu(x). */
export function gelu(x: tf.Tensor): tf.Tensor {
  return withGradient([x], (save) => {
    const u = tf.mul(x, Math.SQRT1_2);
    const cdf = tf.add(tf.mul(tf.erf(u), 0.5), 0.5);
    save([u, cdf]);
    return {
      value: tf.mul(x, cdf),
      gradient: (dy, saved) => {
        const [u, cdf] = saved as [tf.Tensor, tf.Tensor];
        // x p(x) = u exp(-u^2) / sqrt(pi), its factor taken into the exponent to save a pass.
        const density = tf.exp(tf.sub(-0.5 * Math.log(Math.PI), tf.square(u)));
        return [tf.mul(dy, tf.add(tf.mul(u, density), cdf))];
      },
    };
  });
}

/** The tanh form of the Gaussian error linear unit (arXiv 1606.08415), with b = 0.044715:
 *    y = x (1 + tanh z) / 2 = x sigmoid(2 z),  z = sqrt(2 / pi) (x + b x^3).
 *  Any shape. torch.nn.functional.gelu(x, approximate="tanh"). */
export function geluTanh(x: tf.Tensor): tf.Tensor {
  const linearFactor = 2 * Math.sqrt(2 / Math.PI);
  const cubicFactor = 0.044715 * linearFactor;
  return withGradient([x], (save) => {
    const factor = tf.add(tf.mul(tf.square(x), cubicFactor), linearFactor);
    const gate = tf.sigmoid(tf.mul(x, factor));
    const y = tf.mul(x, gate);
    save([x, gate, y]);
    return {
      value: y,
      gradient: (dy, saved) => {
        const [x, gate, y] = saved as [tf.Tensor, tf.Tensor, tf.Tensor];
        const slope = tf.add(tf.mul(tf.square(x), 3 * cubicFactor), linearFactor); // d(2z)/dx
        return [tf.mul(dy, tf.add(gate, tf.mul(tf.mul(y, tf.sub(1, gate)), slope)))];
      },
    };
  });
}

/** x sigmoid(1.702 x), the sigmoid approximation of the Gaussian error linear unit (arXiv 1606.08415). Any shape. */
export function quickGelu(x: tf.Tensor): tf.Tensor {
  return gated(x, 1.702);
}

/** x sigmoid(x), also called swish (arXiv 1702.03118). Any shape. torch.nn.functional.silu(x). */
export function silu(x: tf.Tensor): tf.Tensor {
  return gated(x, 1);
}

/** y = x s, s = sigmoid(k x); with v = k y the derivative is v + s (1 - v). */
function gated(x: tf.Tensor, steepness: number): tf.Tensor {
  const scaled = (t: tf.Tensor) => (steepness === 1 ? t : tf.mul(t, steepness));
  return withGradient([x], (save) => {
    const gate = tf.sigmoid(scaled(x));
    const y = tf.mul(x, gate);
    save([gate, y]);
    return {
      value: y,
      gradient: (dy, saved) => {
        const [gate, y] = saved as [tf.Tensor, tf.Tensor];
        const v = scaled(y);
        return [tf.mul(dy, tf.add(v, tf.mul(gate, tf.sub(1, v))))];
      },
    };
  });
}
