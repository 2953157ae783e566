/** tfjs's cpu backend with the rounding of every kernel made random: how much a result moves tells how many of its digits
 *  rounding leaves (Monte Carlo arithmetic). What inputs alone would tell misses what later operations cancel. */
import { MathBackendCPU } from "@tensorflow/tfjs-backend-cpu";
import * as tf from "@tensorflow/tfjs-core";
import seedrandom from "seedrandom";

/** The name it is registered under. */
export const noisyBackend = "cpu-with-noise";

/** Kernels whose results are elements of their operands: nothing is rounded, and equal elements stay equal. */
const exact = new Set(
  (
    "Abs BatchToSpaceND Cast Ceil ClipByValue Concat DepthToSpace Diag ExpandDims Fill FlipLeftRight Floor GatherNd GatherV2 " +
    "Identity IsFinite IsInf IsNan LeakyRelu Max MaxPool MaxPoolWithArgmax Maximum Min Minimum MirrorPad Neg OneHot " +
    "OnesLike Pack PadV2 Range Relu Relu6 Reshape Reverse Round Select Sign Slice SpaceToBatchND SplitV Step StridedSlice " +
    "TensorScatterUpdate Tile TopK Transpose Unpack ZerosLike"
  ).split(" "),
);

/** Kernels that add up or multiply many numbers, whose order is theirs, and which of their operands are among those. Those
 *  move before they go in: equal ones that cancel here may leave a rest elsewhere. */
const summing: Readonly<Record<string, readonly string[] | "all">> = {
  AddN: "all",
  AvgPool: ["x"],
  AvgPoolGrad: ["dy"],
  BatchMatMul: "all",
  Bincount: ["weights"],
  Conv2D: "all",
  Conv2DBackpropFilter: "all",
  Conv2DBackpropInput: "all",
  Cumprod: "all",
  Cumsum: "all",
  DenseBincount: ["weights"],
  DepthwiseConv2dNative: "all",
  DepthwiseConv2dNativeBackpropFilter: "all",
  DepthwiseConv2dNativeBackpropInput: "all",
  Einsum: "all",
  FusedBatchNorm: "all",
  FusedConv2D: "all",
  FusedDepthwiseConv2D: "all",
  LRN: "all",
  LRNGrad: "all",
  MaxPoolGrad: ["dy"],
  Mean: "all",
  Prod: "all",
  ResizeBilinear: "all",
  ResizeBilinearGrad: ["dy"],
  ResizeNearestNeighborGrad: ["dy"],
  ScatterNd: ["updates"],
  Softmax: "all",
  Sum: "all",
  UnsortedSegmentSum: ["x"],
  _FusedMatMul: "all",
};

/** Kernels of weights that each backend rounds in its own way, so that all operands move, whole numbers too. */
const weighing = new Set(
  "AvgPool AvgPoolGrad FusedBatchNorm Mean ResizeBilinear ResizeBilinearGrad".split(" "),
);

/** Kernels that a backend may take by way of a reciprocal, so that even 1/1 is rounded. */
const dividing = new Set("RealDiv Reciprocal".split(" "));

let random: seedrandom.PRNG = seedrandom.alea("");

/** The noise of the run to come. */
export function seedNoise(seed: string): void {
  random = seedrandom.alea(seed);
}

const float = new Float32Array(1);
const bits = new Int32Array(float.buffer);

/** The number moved by a unit or two in the last place. What has few binary digits is left alone: it is most likely exact,
 *  a product of small whole numbers, say, and may be compared with another that is. */
export function moved(value: number): number {
  float[0] = value;
  return (bits[0]! & 0xfff) === 0 ? value : movedAnyway(value);
}

function movedAnyway(value: number): number {
  if (!Number.isFinite(value) || value === 0) return value;
  return Math.fround(value * (1 + (random() * 4 - 2) * 2 ** -23));
}

/** Registers the backend; kernels that tfjs's cpu backend gets later are not known to it. */
export function registerNoisyBackend(): void {
  if (tf.engine().registryFactory[noisyBackend]) return;
  tf.registerBackend(noisyBackend, () => new MathBackendCPU());
  for (const kernel of tf.getKernelsForBackend("cpu")) {
    if (kernel.kernelName.startsWith("Lejepa")) continue; // composed of others, once it is called
    tf.registerKernel({
      ...kernel,
      backendName: noisyBackend,
      kernelFunc: (call) => {
        const backend = call.backend as MathBackendCPU;
        const operands = movedOperands(kernel.kernelName, call.inputs, backend);
        // Some kernels take a list.
        const inputs = Object.assign(
          Array.isArray(call.inputs) ? [...call.inputs] : { ...call.inputs },
          operands,
        );
        const results = kernel.kernelFunc({ ...call, inputs: inputs as tf.NamedTensorInfoMap });
        for (const operand of Object.values(operands)) operand.dispose();
        for (const info of [results].flat()) {
          if (!exact.has(kernel.kernelName))
            addNoise(info, backend, dividing.has(kernel.kernelName) ? movedAnyway : moved);
          if (choosing.has(kernel.kernelName) || kernel.kernelName in summing)
            flipZeros(info, backend);
          if (pooling.has(kernel.kernelName)) loseNaN(info, call.inputs, backend);
        }
        return results;
      },
    });
  }
}

/** Copies of the operands that are added up; tensors, as a kernel may call others on them. */
function movedOperands(
  kernelName: string,
  inputs: tf.NamedTensorInfoMap,
  backend: MathBackendCPU,
): Record<string, tf.Tensor> {
  const names = summing[kernelName];
  if (names === undefined) return {};
  const move = weighing.has(kernelName) ? movedAnyway : moved;
  return Object.fromEntries(
    Object.entries(inputs)
      .filter(
        ([name, info]) => info?.dtype === "float32" && (names === "all" || names.includes(name)),
      )
      .map(([name, info]) => {
        const values = backend.data.get(info!.dataId).values as Float32Array;
        const copy = Float32Array.from(values, move);
        return [name, tf.tensor(copy, info!.shape, "float32")];
      }),
  );
}

/** Kernels that choose among their operands, or start a sum at 0: which sign a zero has that comes of it is each library's
 *  own affair. */
const choosing = new Set(
  "ClipByValue LeakyRelu Max MaxPool Maximum Min Minimum Prelu Relu Relu6".split(" "),
);

/** Of a kernel that was just called. */
function flipZeros({ dataId, dtype }: tf.TensorInfo, backend: MathBackendCPU): void {
  if (dtype !== "float32") return;
  const values = backend.data.get(dataId).values as Float32Array;
  for (let i = 0; i < values.length; i++) if (values[i] === 0) values[i] = random() < 0.5 ? -0 : 0;
}

/** Kernels that each library passes NaN and -Infinity through in its own way, and documents none: TensorFlow's maximum
 *  starts at the least finite number and stays there, onnxruntime's is NaN where a window begins with it. */
const pooling = new Set("MaxPool MaxPoolGrad MaxPoolWithArgmax".split(" "));

/** Makes anything of the result, if an operand has a NaN or -Infinity. */
function loseNaN(
  { dataId, dtype }: tf.TensorInfo,
  inputs: tf.NamedTensorInfoMap,
  backend: MathBackendCPU,
): void {
  const valuesOf = (id: object) => backend.data.get(id).values as Float32Array;
  const isLost = (value: number) => Number.isNaN(value) || value === -Infinity;
  if (dtype !== "float32") return;
  if (!Object.values(inputs).some((info) => info && valuesOf(info.dataId).some(isLost))) return;
  const values = valuesOf(dataId);
  for (let i = 0; i < values.length; i++) values[i] = random() < 0.5 ? NaN : 0;
}

function addNoise(
  { dataId, dtype }: tf.TensorInfo,
  backend: MathBackendCPU,
  move: (value: number) => number,
): void {
  if (dtype !== "float32") return;
  const entry = backend.data.get(dataId);
  const values = entry?.values as Float32Array | undefined;
  if (!values) return;
  // In place: a kernel that rounds made it just now. A view of an operand would be moved twice, which is no harm.
  for (let i = 0; i < values.length; i++) values[i] = move(values[i]!);
}
