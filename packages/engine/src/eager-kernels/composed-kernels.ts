/** Kernels that tfjs-backend-wasm 4.22 lacks or has wrong, composed from kernels that it has right.
 *
 *  Gradient of a convolution towards its filter, with x padded and stride s, dilation d:
 *    dW[i, j, c, o] = sum over n, y, z of x[n, y s + i d, z s + j d, c] dy[n, y, z, o]
 *  that is one strided slice of x for each tap (i, j), then one matrix product. */
import { depthwiseFilterGradient, depthwiseInputGradient, type WindowGeometry } from "@lejepa/ops";
import * as tf from "@tensorflow/tfjs-core";
import {
  areFloats,
  areFloatsWithChannelsLast,
  mostTermsOfProduct as mostTerms,
  type IsRight,
} from "./trusted-kernels.js";

type Kernel = (inputs: Tensors, attributes: Attributes) => tf.Tensor;
type Tensors = Readonly<Record<string, tf.Tensor>>;
type Attributes = Readonly<Record<string, unknown>>;

/** tfjs's kernel function that runs tensor operations: the inputs are tensors for as long as the kernel runs, and the tape
 *  records nothing, since the engine is inside a kernel already. */
const composed =
  (kernel: Kernel): tf.KernelFunc =>
  ({ inputs, attrs }) =>
    tf.tidy(() => {
      const tensors = Object.fromEntries(
        Object.entries(inputs).flatMap(([name, info]) => (info ? [[name, asTensor(info)]] : [])),
      );
      return kernel(tensors, attrs ?? {});
    });

/** The engine hands a kernel the tensors of the caller themselves. */
const asTensor = (info: tf.TensorInfo): tf.Tensor => info as tf.Tensor;

type Four = [number, number, number, number];
type Convolution = tf.backend_util.Conv2DInfo;

/** x with as much padding as the windows reach. */
function padded(x: tf.Tensor, info: Convolution): tf.Tensor4D {
  const { top, left } = info.padInfo;
  const height = (info.outHeight - 1) * info.strideHeight + info.effectiveFilterHeight;
  const width = (info.outWidth - 1) * info.strideWidth + info.effectiveFilterWidth;
  const rows: [number, number] = [top, Math.max(0, height - top - info.inHeight)];
  const columns: [number, number] = [left, Math.max(0, width - left - info.inWidth)];
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

type FilterGradient = tf.Conv2DBackpropFilterAttrs & { dilations?: [number, number] };

const filterGradient: Kernel = ({ x, dy }, attributes) => {
  const { filterShape, strides, dilations, pad, dimRoundingMode } =
    attributes as unknown as FilterGradient;
  const info = tf.backend_util.computeConv2DInfo(
    x!.shape as Four,
    filterShape,
    strides,
    dilations ?? 1,
    pad,
    dimRoundingMode,
  );
  const input = padded(x!, info);
  const columns = tf.concat(
    taps(info).map(([i, j]) => tf.reshape(tapInput(input, info, i, j), [-1, info.inChannels])),
    1,
  );
  const gradient = tf.matMul(columns, tf.reshape(dy!, [-1, info.outChannels]), true);
  return tf.reshape(gradient, filterShape);
};

const depthwiseFilter: Kernel = ({ x, dy }, attributes) =>
  depthwiseFilterGradient(
    x as tf.Tensor4D,
    dy as tf.Tensor4D,
    attributes.filterShape as Four,
    attributes as unknown as WindowGeometry,
  );

const depthwiseInput: Kernel = ({ dy, filter }, attributes) =>
  depthwiseInputGradient(
    dy as tf.Tensor4D,
    filter as tf.Tensor4D,
    attributes.inputShape as Four,
    attributes as unknown as WindowGeometry,
  );

/** A convolution of one channel as that of two, of which one is zeros, and with its padding in numbers. */
const plainConvolution: Kernel = ({ x, filter }, attributes) => {
  const { strides, dilations, pad, dimRoundingMode } = attributes as unknown as tf.Conv2DAttrs;
  const none: [number, number] = [0, 0];
  const single = filter!.shape[2] === 1;
  const images = single ? tf.pad(x as tf.Tensor4D, [none, none, none, [0, 1]]) : x!;
  const weights = single ? tf.pad(filter as tf.Tensor4D, [none, none, [0, 1], none]) : filter!;
  const { padInfo } = tf.backend_util.computeConv2DInfo(
    images.shape as Four,
    weights.shape as Four,
    strides,
    dilations,
    pad,
    dimRoundingMode,
  );
  const rows = [padInfo.top, padInfo.bottom];
  const columns = [padInfo.left, padInfo.right];
  return tf.engine().runKernel<tf.Tensor>(
    "Conv2D",
    { x: images, filter: weights },
    {
      ...attributes,
      pad: pad === "same" ? [none, rows, columns, none] : pad,
    },
  );
};

/** A fused kernel as what it is made of, each by the backend's own kernel. */
const fused =
  (kernelName: string, operands: readonly [string, string]): Kernel =>
  (inputs, { activation, leakyreluAlpha, ...attributes }) => {
    const product = tf
      .engine()
      .runKernel<tf.Tensor>(
        kernelName,
        Object.fromEntries(operands.map((name) => [name, inputs[name]!])),
        attributes as tf.NamedAttrMap,
      );
    const sum = inputs.bias === undefined ? product : tf.add(product, inputs.bias);
    const activate = activations[(activation as string | undefined) ?? "linear"];
    if (activate === undefined)
      throw new Error(`The fused activation ${String(activation)} is unknown; call it by itself.`);
    return activate(sum, inputs.preluActivationWeights, leakyreluAlpha as number | undefined);
  };

const activations: Readonly<
  Record<string, (x: tf.Tensor, weights?: tf.Tensor, alpha?: number) => tf.Tensor>
> = {
  linear: (x) => tf.clone(x),
  relu: (x) => tf.relu(x),
  relu6: (x) => tf.relu6(x),
  elu: (x) => tf.elu(x),
  sigmoid: (x) => tf.sigmoid(x),
  prelu: (x, weights) => tf.prelu(x, weights!),
  leakyrelu: (x, _weights, alpha) => tf.leakyRelu(x, alpha),
};

/** a . b with one batch for both. */
const broadcastMatMul: Kernel = ({ a, b }, { transposeA, transposeB }) => {
  const batch = tf.broadcast_util.assertAndGetBroadcastShape(
    a!.shape.slice(0, -2),
    b!.shape.slice(0, -2),
  );
  const spread = (x: tf.Tensor) => tf.broadcastTo(x, [...batch, ...x.shape.slice(-2)]);
  return tf.matMul(spread(a!), spread(b!), transposeA === true, transposeB === true);
};

/** a . b as a sum of products of their parts. */
const longMatMul: Kernel = ({ a, b }, { transposeA, transposeB }) => {
  const [ofA, ofB] = [transposeA === true, transposeB === true];
  const axis = a!.rank - (ofA ? 2 : 1);
  const terms = a!.shape[axis]!;
  const part = (x: tf.Tensor, along: number, from: number): tf.Tensor =>
    tf.slice(
      x,
      x.shape.map((_, i) => (i === along ? from : 0)),
      x.shape.map((length, i) => (i === along ? Math.min(mostTerms, terms - from) : length)),
    );
  const products = Array.from({ length: Math.ceil(terms / mostTerms) }, (_, i) =>
    tf.matMul(
      part(a!, axis, i * mostTerms),
      part(b!, b!.rank - (ofB ? 1 : 2), i * mostTerms),
      ofA,
      ofB,
    ),
  );
  return tf.sum(tf.stack(products), 0);
};

/** The product of matrices whose batches repeat one another. */
export const broadcastProduct: tf.KernelFunc = composed(broadcastMatMul);

/** Those that a backend lacks or has wrong, and for which operands the composition is right. */
export const composedKernels: Readonly<
  Record<string, { readonly kernel: tf.KernelFunc; readonly isRight: IsRight }>
> = {
  BatchMatMul: { kernel: composed(longMatMul), isRight: areFloats },
  Conv2D: { kernel: composed(plainConvolution), isRight: areFloatsWithChannelsLast },
  Conv2DBackpropFilter: { kernel: composed(filterGradient), isRight: areFloatsWithChannelsLast },
  DepthwiseConv2dNativeBackpropFilter: {
    kernel: composed(depthwiseFilter),
    isRight: areFloats,
  },
  DepthwiseConv2dNativeBackpropInput: {
    kernel: composed(depthwiseInput),
    isRight: areFloats,
  },
  FusedConv2D: {
    kernel: composed(fused("Conv2D", ["x", "filter"])),
    isRight: areFloatsWithChannelsLast,
  },
  FusedDepthwiseConv2D: {
    kernel: composed(fused("DepthwiseConv2dNative", ["x", "filter"])),
    isRight: areFloatsWithChannelsLast,
  },
  _FusedMatMul: { kernel: composed(fused("BatchMatMul", ["a", "b"])), isRight: areFloats },
};
