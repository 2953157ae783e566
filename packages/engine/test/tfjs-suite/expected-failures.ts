/** The cases of tfjs-core that fail on the lowered kernels, by reason. A case that is listed and passes fails the run,
 *  and so does one that fails and is not listed. */
type ExpectedFailures = readonly {
  readonly reason: string;
  readonly cases: readonly string[];
}[];

/** Where tfjs-core's own expectation is another gradient than that of these packages, which is the derivative of the value, or another value. */
const otherGradients: ExpectedFailures = [
  {
    reason:
      "tfjs gives a quotient of whole numbers the gradient of their fractions; here it is of what is computed, which is rounded down, and so 0.",
    cases: [
      "ops/arithmetic_test: div gradient: Tensor1D with int32",
      "ops/arithmetic_test: div gradient: 1d<int32> with 1d<bool> ",
    ],
  },
  {
    reason:
      "A mean is over the part of a window that lies in the image; tfjs divides its gradient by the whole window.",
    cases: ["ops/avg_pool_test: avgPool gradient x=[3,3,1] f=[3,3] s=1 p=explicit"],
  },
  {
    reason:
      "tfjs copies where windows of one pixel give as many results as pixels, and forgets the padding; here a window beyond the image has the maximum, or the mean, of nothing.",
    cases: ["max", "avg"].map(
      (of) =>
        `ops/pool_test: pool ${of} x=[2,2,3] f=[1,1] s=2 p=1 fractional outputs default rounding`,
    ),
  },
  {
    reason: "Depthwise convolutions with dilations have a gradient here.",
    cases: ["ops/depthwise_conv2d_test: depthwiseConv2d gradients throws error on dilations > 1"],
  },
  {
    reason:
      "Equal extremes share the gradient; tfjs gives each of them all of it, which is no subgradient.",
    cases: ["max", "min"].flatMap((of) =>
      [
        "1D, ties",
        "ties, 2D, axes=-1, keepDims=false",
        "ties, 3D, axes=[1, 2], keepDims=false",
        "ties, 4D, axes=[1, 2, 3], keepDims=false",
        "ties, 4D, axes=[2, 3], keepDims=true",
      ].map((ties) => `ops/${of}_test: ${of} ${of} gradient: ${ties}`),
    ),
  },
  {
    reason: "What is mirrored has the gradients of its reflections too; tfjs drops those.",
    cases: [
      "ops/mirror_pad_test: mirrorPad grad",
      "ops/mirror_pad_test: mirrorPad gradient with clones",
    ],
  },
];

export const expectedOnnxFailures: ExpectedFailures = otherGradients;

export const expectedTensorFlowFailures: ExpectedFailures = [
  ...otherGradients,
  {
    reason:
      "TensorFlow's softmax leaves a NaN in its place and makes the rest of its row 0 instead of NaN. What is computed of the row is NaN all the same, so a loss that diverged shows.",
    cases: ["ops/softmax_test: softmax Propagates NaNs"],
  },
  {
    reason: "TensorFlow's tangent differs by one unit in the last place, at 30144.18.",
    cases: ["ops/tan_test: tan numbers exceed float32 precision"],
  },
];
