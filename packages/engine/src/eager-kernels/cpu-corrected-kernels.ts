/** Kernels of tfjs-backend-cpu 4.22 that are there and wrong, replaced where the eager engine runs on that backend.
 *
 *  What is wrong of each stands at its row. A row is given the kernel of the backend, and calls it with what it can do. */
import * as tf from "@tensorflow/tfjs-core";

type Kernel = tf.KernelFunc;

/** What is used of the backend's class, which this package does not depend on. */
interface CpuBackend {
  readonly data: { get(dataId: object): { readonly values: tf.TypedArray } };
  makeTensorInfo(
    shape: readonly number[],
    dtype: tf.DataType,
    values: tf.TypedArray,
  ): tf.TensorInfo;
  disposeData(dataId: object): void;
}

const corrections: Readonly<Record<string, (kernel: Kernel) => Kernel>> = {
  // Writes the updates into the tensor that it is given.
  TensorScatterUpdate: (kernel) => (call) => {
    const backend = call.backend as CpuBackend;
    const { dataId, shape, dtype } = call.inputs["tensor"]!;
    const copy = backend.makeTensorInfo(shape, dtype, backend.data.get(dataId).values.slice());
    try {
      return kernel({ ...call, inputs: { ...call.inputs, tensor: copy } });
    } finally {
      backend.disposeData(copy.dataId);
    }
  },
  // Where an axis is dropped and the slice is not one piece of memory, the places of the other axes are counted by the
  // begins and strides of their neighbours.
  StridedSlice: (kernel) => (call) => {
    const { begin, end, strides, beginMask, endMask, ellipsisMask, newAxisMask, shrinkAxisMask } =
      call.attrs as unknown as tf.StridedSliceAttrs;
    if (shrinkAxisMask === 0) return kernel(call);
    const backend = call.backend as CpuBackend;
    const { dataId, shape, dtype } = call.inputs["x"]!;
    const info = tf.slice_util.sliceInfo(
      ...([shape, begin, end, strides, beginMask, endMask] as const),
      ...([ellipsisMask, newAxisMask, shrinkAxisMask] as const),
    );
    const values = backend.data.get(dataId).values;
    return backend.makeTensorInfo(info.finalShape, dtype, elements(values, shape, info));
  },
};

/** The elements from `begin` by `strides` up to `end` of each axis, in order. */
function elements(
  values: tf.TypedArray,
  shape: readonly number[],
  { begin, end, strides }: Pick<tf.slice_util.SliceInfo, "begin" | "end" | "strides">,
): tf.TypedArray {
  let places = [0];
  let inner = values.length;
  shape.forEach((length, axis) => {
    inner = length === 0 ? 0 : inner / length;
    const count = Math.max(0, Math.ceil((end[axis]! - begin[axis]!) / strides[axis]!));
    const steps = Array.from(
      { length: count },
      (_, i) => (begin[axis]! + i * strides[axis]!) * inner,
    );
    places = places.flatMap((place) => steps.map((step) => place + step));
  });
  return values.slice(0, places.length).map((_, i) => values[places[i]!]!);
}

const corrected = new Set<string>();

/** Replaces them, once. */
export function correctCpuKernels(): void {
  for (const [kernelName, correct] of Object.entries(corrections)) {
    const config = tf.getKernel(kernelName, "cpu");
    if (config == null || corrected.has(kernelName)) continue;
    corrected.add(kernelName);
    tf.unregisterKernel(kernelName, "cpu");
    tf.registerKernel({ ...config, kernelFunc: correct(config.kernelFunc) });
  }
}
