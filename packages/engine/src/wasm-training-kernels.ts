/** Kernels that gradients need and that tfjs-backend-wasm 4.22 lacks, composed from kernels it has.
 *
 *  Gradient of a convolution towards its filter, with x padded and stride s, dilation d:
 *    dW[i, j, c, o] = sum over n, y, z of x[n, y s + i d, z s + j d, c] dy[n, y, z, o]
 *  that is one strided slice of x for each tap (i, j), then one matrix product. */
import * as tf from "@tensorflow/tfjs-core";

type Inputs = tf.NamedTensorInfoMap;
type Kernel = (inputs: Tensors, attributes: Attributes) => tf.Tensor;
type Tensors = Readonly<Record<string, tf.Tensor>>;
type Attributes = Readonly<Record<string, unknown>>;

/** Registers the missing ones, once; a backend version that brings its own keeps it. */
export function registerWasmTrainingKernels(): void {
  for (const [kernelName, kernel] of Object.entries(kernels))
    if (!tf.getKernel(kernelName, "wasm"))
      tf.registerKernel({
        kernelName,
        backendName: "wasm",
        kernelFunc: ({ inputs, attrs }) => compose(kernel, inputs, attrs ?? {}),
      });
}

/** Runs tensor operations inside a kernel: the inputs become tensors for as long as the kernel runs, and the tape
 *  records nothing, since the engine is inside a kernel already. */
function compose(kernel: Kernel, inputs: Inputs, attributes: Attributes): tf.TensorInfo {
  return tf.tidy(() => {
    const tensors = Object.fromEntries(
      Object.entries(inputs).flatMap(([name, info]) => (info ? [[name, asTensor(info)]] : [])),
    );
    return kernel(tensors, attributes);
  });
}

/** The engine hands a kernel the tensors of the caller themselves. */
const asTensor = (info: tf.TensorInfo): tf.Tensor => info as tf.Tensor;

type Four = [number, number, number, number];
type Convolution = tf.backend_util.Conv2DInfo;

function padded(x: tf.Tensor, { padInfo: p }: Convolution): tf.Tensor4D {
  const rows: [number, number] = [p.top, p.bottom];
  const columns: [number, number] = [p.left, p.right];
  return tf.pad(x as tf.Tensor4D, [[0, 0], rows, columns, [0, 0]]);
}

/** The part of the padded input that tap (i, j) meets, one row for each output position. */
function tapInput(x: tf.Tensor4D, info: Convolution, i: number, j: number): tf.Tensor4D {
  const [y, z] = [i * info.dilationHeight, j * info.dilationWidth];
  const { strideHeight, strideWidth, outHeight, outWidth } = info;
  const part: tf.Tensor = tf.stridedSlice(
    x,
    [0, y, z, 0],
    [
      x.shape[0],
      y + (outHeight - 1) * strideHeight + 1,
      z + (outWidth - 1) * strideWidth + 1,
      x.shape[3],
    ],
    [1, strideHeight, strideWidth, 1],
  );
  return part as tf.Tensor4D;
}

const taps = ({ filterHeight, filterWidth }: Convolution): [number, number][] =>
  Array.from({ length: filterHeight * filterWidth }, (_, k) => [
    Math.floor(k / filterWidth),
    k % filterWidth,
  ]);

type ConvolutionAttributes = tf.Conv2DBackpropFilterAttrs & { dilations?: [number, number] };

function convolutionInfo(
  inputShape: readonly number[],
  filterShape: readonly number[],
  {
    strides,
    dilations,
    pad,
    dimRoundingMode,
  }: Omit<ConvolutionAttributes, "filterShape" | "dataFormat">,
  kind: "full" | "depthwise",
): Convolution {
  return tf.backend_util.computeConv2DInfo(
    inputShape as Four,
    filterShape as Four,
    strides,
    dilations ?? 1,
    pad,
    dimRoundingMode,
    kind === "depthwise",
  );
}

const filterGradient: Kernel = ({ x, dy }, attributes) => {
  const attrs = attributes as unknown as ConvolutionAttributes;
  if (attrs.dataFormat === "NCHW")
    throw new Error("Conv2DBackpropFilter on wasm is composed for dataFormat NHWC only.");
  const info = convolutionInfo(x!.shape, attrs.filterShape, attrs, "full");
  const input = padded(x!, info);
  const columns = tf.concat(
    taps(info).map(([i, j]) => tf.reshape(tapInput(input, info, i, j), [-1, info.inChannels])),
    1,
  );
  const gradient = tf.matMul(columns, tf.reshape(dy!, [-1, info.outChannels]), true);
  return tf.reshape(gradient, attrs.filterShape);
};

/** [N, y, z, C, Q]: a depthwise convolution makes Q channels from each of C. */
const byChannel = (dy: tf.Tensor, info: Convolution): tf.Tensor =>
  tf.reshape(dy, [
    info.batchSize,
    info.outHeight,
    info.outWidth,
    info.inChannels,
    info.outChannels / info.inChannels,
  ]);

const depthwiseFilterGradient: Kernel = ({ x, dy }, attributes) => {
  const attrs = attributes as unknown as ConvolutionAttributes;
  const info = convolutionInfo(x!.shape, attrs.filterShape, attrs, "depthwise");
  const input = padded(x!, info);
  const gradient = byChannel(dy!, info);
  const rows = taps(info).map(([i, j]) =>
    tf.sum(tf.mul(tf.expandDims(tapInput(input, info, i, j), 4), gradient), [0, 1, 2]),
  );
  return tf.reshape(tf.stack(rows), attrs.filterShape);
};

const depthwiseInputGradient: Kernel = ({ dy, filter }, attributes) => {
  const attrs = attributes as unknown as Omit<ConvolutionAttributes, "filterShape"> & {
    inputShape: Four;
  };
  const info = convolutionInfo(attrs.inputShape, filter!.shape, attrs, "depthwise");
  const { padInfo: p } = info;
  const height = info.inHeight + p.top + p.bottom;
  const width = info.inWidth + p.left + p.right;
  const gradient = byChannel(dy!, info);
  // Each tap's share, spread over the strides and moved to where the tap reads.
  const shares = taps(info).map(([i, j]) => {
    const tap = tf.slice(filter!, [i, j, 0, 0], [1, 1, -1, -1]);
    const share = tf.sum<tf.Tensor4D>(tf.mul(gradient, tap), 4);
    const [y, z] = [i * info.dilationHeight, j * info.dilationWidth];
    const wide = spread(share, 1, info.strideHeight);
    const spreadOut = spread(wide, 2, info.strideWidth);
    return tf.pad(spreadOut, [
      [0, 0],
      [y, Math.max(0, height - y - spreadOut.shape[1])],
      [z, Math.max(0, width - z - spreadOut.shape[2])],
      [0, 0],
    ]);
  });
  const total = tf.addN(
    shares.map((share) => tf.slice(share, [0, 0, 0, 0], [-1, height, width, -1])),
  );
  return tf.slice(total, [0, p.top, p.left, 0], attrs.inputShape);
};

/** Puts stride - 1 zeros between neighbours along an axis: [.., L, ..] -> [.., (L - 1) stride + 1, ..]. */
function spread(x: tf.Tensor4D, axis: 1 | 2, stride: number): tf.Tensor4D {
  if (stride === 1) return x;
  const wide = tf.expandDims(x, axis + 1);
  const zeros = wide.shape.map((length, i) => (i === axis + 1 ? stride - 1 : length));
  const shape = x.shape.map((length, i) => (i === axis ? length * stride : length));
  const full = tf.reshape(tf.concat([wide, tf.zeros(zeros)], axis + 1), shape);
  const size = shape.map((length, i) => (i === axis ? length - stride + 1 : length));
  return tf.slice(full, [0, 0, 0, 0], size) as tf.Tensor4D;
}

/** Row s of the result is the sum of the rows of x whose segment is s: a product with the one-hot segments. */
const unsortedSegmentSum: Kernel = ({ x, segmentIds }, attributes) => {
  const { numSegments } = attributes as { numSegments: number };
  const rows = segmentIds!.size;
  const oneHot = tf.oneHot(tf.reshape<tf.Rank.R1>(segmentIds!, [rows]), numSegments);
  const flat = tf.reshape(tf.cast(x!, "float32"), [rows, -1]);
  const sums = tf.matMul(tf.cast(oneHot, "float32"), flat, true);
  const shape = [numSegments, ...x!.shape.slice(segmentIds!.rank)];
  return tf.cast(tf.reshape(sums, shape), x!.dtype);
};

const kernels: Readonly<Record<string, Kernel>> = {
  Conv2DBackpropFilter: filterGradient,
  DepthwiseConv2dNativeBackpropFilter: depthwiseFilterGradient,
  DepthwiseConv2dNativeBackpropInput: depthwiseInputGradient,
  UnsortedSegmentSum: unsortedSegmentSum,
};
