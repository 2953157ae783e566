/** Matrix products. */
import {
  backend_util,
  type _FusedMatMulAttrs,
  type _FusedMatMulInputs,
  type BatchMatMulAttrs,
  type BatchMatMulInputs,
  type EinsumAttrs,
  type EinsumInputs,
} from "@tensorflow/tfjs-core";
import type { GraphBuilder } from "../graph/builder.js";
import { sizeOf, type Value } from "../graph/graph.js";
import { activate } from "./fused-activation.js";
import { kernel } from "./kernel.js";

function matMul(
  g: GraphBuilder,
  a: Value,
  b: Value,
  transposeA: boolean,
  transposeB: boolean,
): Value {
  const [transA, transB] = [transposeA ? 1 : 0, transposeB ? 1 : 0] as const;
  const [inner, other] = [a.shape.at(transA ? -2 : -1), b.shape.at(transB ? -1 : -2)];
  if (a.shape.length < 2 || b.shape.length < 2 || inner !== other)
    throw new Error(`Cannot multiply [${a.shape.join(", ")}] by [${b.shape.join(", ")}].`);
  if (a.dtype !== "float32") return g.matMul(a, b, transA, transB);
  if (a.shape.length === 2 && b.shape.length === 2) return g.gemm(a, b, transA, transB);
  // One matrix for the whole batch: all rows go through one Gemm.
  if (!transposeA && sizeOf(b.shape.slice(0, -2)) === 1 && b.shape.length <= a.shape.length) {
    const rows = g.reshape(a, [sizeOf(a.shape.slice(0, -1)), a.shape.at(-1)!]);
    const product = g.gemm(rows, g.reshape(b, b.shape.slice(-2)), 0, transB);
    return g.reshape(product, [...a.shape.slice(0, -1), product.shape[1]!]);
  }
  return g.matMul(a, b, transA, transB);
}

/** The shape that an einsum equation gives its result; refuses what tfjs refuses. */
function einsumShape(equation: string, operands: readonly Value[]): number[] {
  const { allDims, idDims } = backend_util.decodeEinsumEquation(equation, operands.length);
  backend_util.checkEinsumDimSizes(allDims.length, idDims, operands as never);
  const [left, right] = equation.replace(/\s/g, "").split("->") as [string, string];
  const lengths = new Map<string, number>();
  left
    .split(",")
    .forEach((labels, i) =>
      [...labels].forEach((label, axis) => lengths.set(label, operands[i]!.shape[axis]!)),
    );
  return [...right].map((label) => lengths.get(label)!);
}

export const matMuls = {
  BatchMatMul: kernel<BatchMatMulInputs, BatchMatMulAttrs>(
    ({ a, b }, { transposeA, transposeB }, g) => matMul(g, a, b, transposeA, transposeB),
  ),
  _FusedMatMul: kernel<_FusedMatMulInputs, _FusedMatMulAttrs>(
    (
      { a, b, bias, preluActivationWeights },
      { transposeA, transposeB, activation, leakyreluAlpha },
      g,
    ) => {
      const product = matMul(g, a, b, transposeA, transposeB);
      const sum = bias ? g.add(product, bias) : product;
      return activate(g, sum, activation, preluActivationWeights, leakyreluAlpha);
    },
  ),
  Einsum: kernel<EinsumInputs, EinsumAttrs>((operands, { equation }, g) => {
    const values = Object.values(operands) as [Value, ...Value[]];
    const shape = einsumShape(equation, values);
    return g.op("Einsum", values, shape, values[0].dtype, {
      equation: equation.replace(/\s/g, ""),
    });
  }),
};
