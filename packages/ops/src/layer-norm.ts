import { requireArgument, someArray, someObject } from "./check-argument.js";
import { epsilonArgument, requireOptionalTensors, requireTensors } from "./tensor-argument.js";
import * as tf from "@tensorflow/tfjs-core";
import { columnSums } from "./column-sums.js";
import { compositeKernel } from "./composite-kernel.js";
import { linear } from "./linear.js";
import { normalizeRows, runNormalizeRows } from "./normalize-rows.js";
import { lastAxis, requireShape, sizeOf } from "./shape.js";

/** Kernel of `layerNorm`. */
export const LayerNorm = "LejepaLayerNorm";
/** Operands of {@link LayerNorm}. */
export interface LayerNormInputs {
  /** [M, D] */
  readonly x: tf.Tensor;
  /** [D] */
  readonly weight: tf.Tensor;
  /** [D] */
  readonly bias: tf.Tensor;
}
/** Attributes of {@link LayerNorm}. */
export interface LayerNormAttrs {
  /** Added to the variance. */
  readonly epsilon: number;
}

const runLayerNorm = compositeKernel({
  kernelName: LayerNorm,
  outputs: ["y", "normal", "inverse"],
  forward: ({ x, weight, bias }: LayerNormInputs, { epsilon }: LayerNormAttrs) => {
    const [normal, inverse] = runNormalizeRows({ x }, { epsilon, readers: "any" }) as [
      tf.Tensor,
      tf.Tensor,
    ];
    return { y: tf.add(tf.mul(normal, weight), bias), normal, inverse };
  },
  gradient: {
    saves: ["weight", "normal", "inverse"],
    rule: ({ y: dy }, { weight, normal, inverse }) => {
      const dim = weight.size;
      return {
        x: () => {
          const column = tf.mul<tf.Tensor2D>(tf.reshape(weight, [dim, 1]), 1 / dim);
          const meanG = tf.matMul(dy, column); // [M, 1]
          const meanGNormal = tf.matMul(tf.mul<tf.Tensor2D>(dy, normal), column); // [M, 1]
          const free = tf.sub(tf.mul(dy, weight), meanG);
          return tf.mul(tf.sub(free, tf.mul(normal, meanGNormal)), inverse);
        },
        weight: () => tf.reshape(columnSums(tf.mul<tf.Tensor2D>(dy, normal)), [dim]),
        bias: () => tf.reshape(columnSums(dy as tf.Tensor2D), [dim]),
      };
    },
  },
});

/** Layer normalisation over the last axis (arXiv 1607.06450):
 *    y = x^ weight + bias,   x^ = (x - mean) inv,   inv = 1 / sqrt(variance + epsilon)
 *  with mean and (biased) variance of each row. Shapes: x [.., D], weight [D], bias [D] -> [.., D].
 *  Gradient in closed form, with g = dy weight:
 *    dx = inv (g - mean(g) - x^ mean(g x^)),   dweight = sum of dy x^,   dbias = sum of dy over rows;
 *  both row means are products with the weight as a column, so g x^ is never formed.
 *  timm's vision transformers use epsilon 1e-6, torch.nn.LayerNorm 1e-5. Throws LejepaError "bad-shape". */
export function layerNorm(
  x: tf.Tensor,
  weight: tf.Tensor,
  bias: tf.Tensor,
  epsilon: number,
): tf.Tensor {
  requireTensors("layerNorm", { x, weight, bias });
  requireArgument("layerNorm", "epsilon", epsilon, epsilonArgument);
  const rows = rowsOf("layerNorm", x, { weight, bias });
  return tf.reshape(runLayerNorm({ x: rows, weight, bias }, { epsilon })[0]!, x.shape);
}

/** Scale and shift of a layer norm. */
export interface LayerNormParameters {
  /** [D] */
  readonly weight: tf.Tensor;
  /** [D] */
  readonly bias: tf.Tensor;
  /** Added to the variance. */
  readonly epsilon: number;
}

/** Parameters of an affine map. */
export interface LinearParameters {
  /** [I, O] */
  readonly weight: tf.Tensor;
  /** [O]; left out, there is no bias. */
  readonly bias?: tf.Tensor | undefined;
}

/** Several affine maps of one layer normalisation, as at the head of each half of a transformer block:
 *    y_i = layerNorm(x) weight_i + bias_i = x^ weight_i' + bias_i',
 *    weight_i' = centred(diag(norm.weight) weight_i),   bias_i' = norm.bias weight_i + bias_i
 *  Shapes: x [.., D], norm.weight [D], norm.bias [D], weight_i [D, O_i], bias_i [O_i] -> y_i [.., O_i].
 *  Scale and shift of the norm go into the weights, which are smaller than the activations. Each row of x^ sums to 0,
 *  so taking the mean over inputs off each column of a weight changes nothing; but then the gradient with respect to
 *  x^ has rows that sum to 0 too, and dx = inv dx^ - x^ (inv mean(dx^ x^)).
 *  Throws LejepaError "bad-shape". */
export function layerNormLinear(
  x: tf.Tensor,
  norm: LayerNormParameters,
  layers: readonly LinearParameters[],
): tf.Tensor[] {
  requireTensors("layerNormLinear", { x });
  requireNorm("layerNormLinear", "norm", norm);
  requireArgument("layerNormLinear", "layers", layers, someArray);
  for (let i = 0; i < layers.length; i++) {
    requireLinear("layerNormLinear", `layers[${i}]`, layers[i]!);
  }
  const rows = rowsOf("layerNormLinear", x, { "norm.weight": norm.weight, "norm.bias": norm.bias });
  const dim = rows.shape[1] as number;
  layers.forEach(({ weight, bias }, i) => {
    requireShape("layerNormLinear", `layers[${i}].weight`, weight.shape, [dim, -1]);
    if (bias !== undefined) {
      requireShape("layerNormLinear", `layers[${i}].bias`, bias.shape, [weight.shape[1] as number]);
    }
  });
  const normal = normalizeRows(rows, { epsilon: norm.epsilon, readers: "centred" });
  return layers.map((layer) => {
    const { weight, bias } = withNorm(norm, layer);
    const y = linear(normal, weight, bias);
    return tf.reshape(y, [...x.shape.slice(0, -1), weight.shape[1] as number]);
  });
}

/** The affine map of x^ that is `layer` of layerNorm(x), its weight centred over the inputs. */
export function withNorm(
  norm: LayerNormParameters,
  { weight, bias }: LinearParameters,
): { readonly weight: tf.Tensor; readonly bias: tf.Tensor } {
  const [dim, outputs] = weight.shape as [number, number];
  const scaled = tf.mul(weight, tf.reshape(norm.weight, [dim, 1]));
  const shift = tf.reshape(linear(tf.reshape(norm.bias, [1, dim]), weight), [outputs]);
  return {
    weight: tf.sub(scaled, tf.mean(scaled, 0, true)),
    bias: bias === undefined ? shift : tf.add(shift, bias),
  };
}

/** Throws LejepaError "bad-argument" unless `norm` has what makes a layer norm. */
export function requireNorm(op: string, name: string, norm: LayerNormParameters): void {
  requireArgument(op, name, norm, someObject);
  requireTensors(op, { [`${name}.weight`]: norm.weight, [`${name}.bias`]: norm.bias });
  requireArgument(op, `${name}.epsilon`, norm.epsilon, epsilonArgument);
}

/** Throws LejepaError "bad-argument" unless `layer` has what makes a linear layer. */
export function requireLinear(op: string, name: string, layer: LinearParameters): void {
  requireArgument(op, name, layer, someObject);
  requireTensors(op, { [`${name}.weight`]: layer.weight });
  requireOptionalTensors(op, { [`${name}.bias`]: layer.bias });
}

/** x [.., D] as [M, D]; checks that the parameters are [D]. */
function rowsOf(
  op: string,
  x: tf.Tensor,
  parameters: Readonly<Record<string, tf.Tensor>>,
): tf.Tensor {
  const dim = lastAxis(op, "x", x.shape);
  for (const [name, { shape }] of Object.entries(parameters)) {
    requireShape(op, name, shape, [dim]);
  }
  return tf.reshape(x, [sizeOf(x.shape.slice(0, -1)), dim]);
}
