/** Which element types the runtimes compute an operator of, so that a lowering is refused where it asks for another. */
import type { DType, GraphNode, Value } from "./graph.js";

const floats: readonly DType[] = ["float32", "float64", "bfloat16"];
const numbers: readonly DType[] = [...floats, "int32", "int64"];

/** By what both onnxruntime 1.30 and TensorFlow 2.21 take, found by running each operator on each type. */
const groups: readonly (readonly [types: readonly DType[], operators: string])[] = [
  [
    floats,
    `Acos Acosh Asin Asinh Atan Atanh AveragePool Ceil Conv ConvTranspose Cos Cosh DepthToSpace Elu Erf Exp Floor
     FusedMatMul Gemm HardSigmoid IsInf IsNaN LayerNormalization LeakyRelu Log LRN MaxPool Reciprocal Round Selu Sigmoid Sin
     Sinh Softmax Softplus Sqrt Step Tanh`,
  ],
  [
    numbers,
    `Abs Add ArgMax ArgMin Clip CumSum Div Einsum Greater GreaterOrEqual Less LessOrEqual MatMul Max Min Mod Mul Neg Pow
     ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum Relu ScatterElements Sign Sub TopK Where`,
  ],
  [
    [...numbers, "bool"],
    "Cast Concat Equal Expand Gather GatherND Identity Pad Reshape Slice Split Tile Transpose",
  ],
  [["int32", "int64"], "BitwiseAnd"],
  [["bool"], "And Not Or Xor"],
];

const typesOf: ReadonlyMap<string, readonly DType[]> = new Map(
  groups.flatMap(([types, operators]) =>
    operators.split(/\s+/).map((operator) => [operator, types] as const),
  ),
);

/** TensorFlow's own operators that are not of floats alone. */
const ownTypes: Readonly<Record<string, readonly DType[]>> = { Square: numbers };

/** Which operands of an operator are of one type, besides all of those that are not named here. */
const alike: Readonly<Record<string, readonly number[]>> = {
  ...{ Where: [1, 2], ScatterElements: [0, 2], Pad: [0, 2] },
  ...Object.fromEntries(
    "Cast CumSum Expand Gather GatherND Reshape ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum Slice Split Tile TopK"
      .split(" ")
      .map((operator) => [operator, [0]] as const),
  ),
};

/** The types of the operands of which the runtimes do not compute the operator, in words; undefined where all is well.
 *  `isConstant` tells the operands of TensorFlow's own operators that are a shape or the like. */
export function unfitTypes(
  { op, domain, inputs }: GraphNode,
  isConstant: (value: Value) => boolean,
): string | undefined {
  const isOwn = domain !== "" && domain !== "com.microsoft";
  const types = isOwn ? (ownTypes[op] ?? floats) : typesOf.get(op);
  const operands = inputs.filter(
    (x, i) => x && (isOwn ? !isConstant(x) : (alike[op]?.includes(i) ?? true)),
  ) as readonly Value[];
  const given = [...new Set(operands.map(({ dtype }) => dtype))];
  const fits = given.length <= 1 && given.every((dtype) => types?.includes(dtype) ?? true);
  return fits ? undefined : given.join(" and ");
}

/** Whether it is told here of which types the standard operator is computed. */
export const hasKnownTypes = (op: string): boolean => typesOf.has(op);
