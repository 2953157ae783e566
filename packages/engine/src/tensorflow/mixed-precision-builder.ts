import { GraphBuilder } from "../graph/builder.js";
import type { DType, Shape, Value } from "../graph/graph.js";
import { attribute } from "./attribute.js";

/** Products of matrices and convolutions: what bfloat16 is fast at. */
const products = new Set([
  ...["Gemm", "MatMul", "FusedMatMul", "Conv2D", "Conv2DBackpropInput", "Conv2DBackpropFilter"],
]);

/** tfjs's own layers, which are no composite kernels. */
const layerKernels = /Conv2D|_FusedMatMul/;

/** Composite kernels whose products are statistics: of SIGReg, of a normalisation, of all processes. */
const statistics = /CharacteristicMeans|Norm|AllReduce/;

/** TensorFlow's fast convolutions in bfloat16 take no explicit padding; its slow one took 400 ms where it took 7. */
const hasUnevenPadding = ({
  explicit_paddings: pads,
}: Readonly<Record<string, unknown>>): boolean =>
  pads !== undefined && (pads as { list: { i: readonly number[] } }).list.i.length > 0;

/** Writes the products of a network's layers in bfloat16, 8 bits of precision in the range of float32, and all else in
 *  float32: parameters and their updates, normalisations, and the loss with SIGReg, which calls no layer. Operands are
 *  rounded on the way in, the result is widened on the way out; TensorFlow adds up in float32 within a product. */
export class MixedPrecisionBuilder extends GraphBuilder {
  override op(
    op: string,
    inputs: readonly (Value | undefined)[],
    shape: Shape,
    dtype: DType,
    attributes: Readonly<Record<string, unknown>> = {},
    domain = "",
  ): Value {
    if (!this.#isReduced(op, inputs, dtype) || hasUnevenPadding(attributes))
      return super.op(op, inputs, shape, dtype, attributes, domain);
    const operands = inputs.map(
      (input) => input && (input.dtype === "float32" ? this.cast(input, "bfloat16") : input),
    );
    const typed = "T" in attributes ? { ...attributes, T: attribute.type("bfloat16") } : attributes;
    return this.cast(super.op(op, operands, shape, "bfloat16", typed, domain), "float32");
  }

  /** Products with a constant are sums in disguise. */
  #isReduced(op: string, inputs: readonly (Value | undefined)[], dtype: DType): boolean {
    const isLayer = this.layer.startsWith("Lejepa")
      ? !statistics.test(this.layer)
      : layerKernels.test(this.layer);
    return (
      products.has(op) &&
      dtype === "float32" &&
      isLayer &&
      !inputs.some((input) => input?.dtype === "float32" && this.contents(input) !== undefined)
    );
  }
}
