/** For every kernel of tfjs-backend-wasm 4.22 where it is right, as a comparison with float64 has it. Beyond that it
 *  starts maxima at the smallest positive number, sums 300,000 numbers in one float32, takes NaN for a small number, and
 *  writes four bytes for each of a bool tensor's one. */
import { util, type NamedAttrMap, type TensorInfo } from "@tensorflow/tfjs-core";

/** Whether the backend's own kernel is right for these operands, in the order in which tfjs passes them. */
export type IsRight = (operands: readonly TensorInfo[], attributes: NamedAttrMap) => boolean;

/** For whatever operands. */
export const always: IsRight = () => true;
const never: IsRight = () => false;

/** All float32, and none empty. */
export const areFloats: IsRight = (operands) =>
  operands.every(({ dtype, shape }) => dtype === "float32" && util.sizeFromShape(shape) > 0);

/** The first operand of another dtype, the others floats. */
const floatsAfter =
  (dtype: "bool"): IsRight =>
  ([first, ...others], attributes) =>
    first!.dtype === dtype && areFloats(others, attributes);

/** As {@link areFloats}, of images with their channels last. */
export const areFloatsWithChannelsLast: IsRight = (operands, attributes) =>
  areFloats(operands, attributes) && attributes.dataFormat !== "NCHW";

/** Numbers that are added up one after the other in float32: 300,000 tenths are 0.3 % off. */
const mostTerms = 256;

/** As many, of the products of two matrices. */
export const mostTermsOfProduct = 512;

const shortSums: IsRight = (operands, attributes) => {
  const { shape } = operands[0]!;
  const axes = [attributes.axis ?? shape.map((_, i) => i)].flat() as number[];
  const terms = axes.reduce((product, axis) => product * shape.at(axis)!, 1);
  return areFloats(operands, attributes) && terms <= mostTerms;
};

/** Whether no batch is repeated, or one of a single matrix: of two that repeat one another tfjs computes some, and takes
 *  what lies behind them for the others. */
export const hasOneBatch: IsRight = ([a, b]) => {
  const [ofA, ofB] = [a!, b!].map(({ shape }) => shape.slice(0, -2));
  return (
    util.arraysEqual(ofA!, ofB!) || util.sizeFromShape(ofA!) === 1 || util.sizeFromShape(ofB!) === 1
  );
};

const shortProducts: IsRight = (operands, attributes) =>
  areFloats(operands, attributes) &&
  hasOneBatch(operands, attributes) &&
  operands[0]!.shape.at(attributes.transposeA === true ? -2 : -1)! <= mostTermsOfProduct;

/** From one channel it is computed as a depthwise one, which has -Infinity for NaN, and where padding to the same size
 *  takes none, since the filter is smaller than the stride, it counts less than none. */
const convolves: IsRight = (operands, attributes) => {
  if (!areFloatsWithChannelsLast(operands, attributes)) return false;
  const [x, filter] = [operands[0]!.shape, operands[1]!.shape];
  if (filter[2] === 1) return false;
  if (attributes.pad !== "same") return true;
  return [0, 1].every((axis) => {
    const of = (values: unknown): number => ([values ?? 1].flat() as number[]).at(axis) ?? 1;
    const [input, stride] = [x[axis + 1]!, of(attributes.strides)];
    const reach = (filter[axis]! - 1) * of(attributes.dilations) + 1;
    return (Math.ceil(input / stride) - 1) * stride + reach >= input;
  });
};

const sameType: IsRight = ([x], { dtype }) => x!.dtype === dtype;

const group = (names: string, isRight: IsRight): Record<string, IsRight> =>
  Object.fromEntries(names.split(/\s+/).map((name) => [name, isRight]));

/** By kernel name. */
export const trustedKernels: Readonly<Record<string, IsRight>> = {
  // They move no number.
  ...group("ExpandDims Identity Reshape", always),
  Cast: sameType,
  Fill: (_none, { dtype }) => dtype === "float32",
  ...group("OnesLike ZerosLike", areFloats),

  ...group("Add AddN Multiply RealDiv SquaredDifference Sub", areFloats),
  ...group("Equal Greater GreaterEqual Less LessEqual NotEqual", areFloats),
  ...group("Abs Ceil Elu Exp Floor IsFinite IsInf IsNan LeakyRelu Log Neg Reciprocal", areFloats),
  ...group("Rsqrt Sigmoid Softplus Sqrt Square Step Tanh", areFloats),
  Select: floatsAfter("bool"),

  ...group(
    "Concat MirrorPad Pack PadV2 Reverse Slice SplitV StridedSlice Tile Transpose",
    areFloats,
  ),
  Unpack: areFloats,
  ...group("Max Min", areFloats),
  ...group("Mean Sum", shortSums),
  Softmax: areFloats,

  BatchMatMul: shortProducts,
  Conv2D: convolves,
  Conv2DBackpropInput: areFloatsWithChannelsLast,
  FusedBatchNorm: areFloats,

  // Seldom in a step, and wrong for some operands.
  ...group("Acos Acosh Asin Asinh Atan Atan2 Atanh Cos Cosh Erf Expm1 Log1p Sin Sinh Tan", never),
  ...group(
    "ClipByValue EluGrad FloorDiv Maximum Minimum Mod Pow Prelu Relu Relu6 Round Selu",
    never,
  ),
  ...group("Sign BitwiseAnd LogicalAnd LogicalNot LogicalOr", never),
  ...group("All Any ArgMax ArgMin Cumprod Cumsum Prod", never),
  ...group("AvgPool AvgPoolGrad MaxPool MaxPoolGrad MaxPoolWithArgmax", never),
  ...group("AvgPool3D AvgPool3DGrad MaxPool3D MaxPool3DGrad", never),
  ...group("Conv3D Conv3DBackpropFilterV2 Conv3DBackpropInputV2", never),
  ...group("DepthwiseConv2dNative FusedConv2D FusedDepthwiseConv2D _FusedMatMul", never),
  ...group("Dilation2D Dilation2DBackpropFilter Dilation2DBackpropInput", never),
  ...group("LRN LRNGrad ResizeBilinear ResizeBilinearGrad ResizeNearestNeighbor", never),
  ...group("ResizeNearestNeighborGrad CropAndResize FlipLeftRight RotateWithOffset", never),
  ...group("Transform NonMaxSuppressionV3 NonMaxSuppressionV4 NonMaxSuppressionV5", never),
  ...group("BatchToSpaceND SpaceToBatchND DepthToSpace Diag BroadcastArgs", never),
  ...group("GatherNd GatherV2 OneHot ScatterNd TensorScatterUpdate SearchSorted", never),
  ...group("Bincount DenseBincount TopK Unique LinSpace Range Multinomial", never),
  ...group("SparseFillEmptyRows SparseReshape SparseSegmentMean SparseSegmentSum", never),
  SparseToDense: never,

  // tf.logicalXor is made of the others.
  LogicalXor: always,
  // Text is not numbers.
  ...group("StringNGrams StringSplit StringToHashBucketFast", always),
};
