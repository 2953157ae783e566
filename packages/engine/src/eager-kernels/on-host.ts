/** Kernels that run in JavaScript over the numbers of tensors, whatever backend those are on. */
import * as tf from "@tensorflow/tfjs-core";

/** The numbers of one tensor. */
interface HostValues {
  readonly shape: readonly number[];
  readonly dtype: tf.DataType;
  /** Of a result also in float64; they are rounded to the dtype. */
  readonly values: tf.backend_util.TypedArray | Float64Array;
}

/** Operands by name, or in order for a kernel that takes a list. */
type HostOperands = Readonly<Record<string, HostValues>>;

type Attributes = Readonly<Record<string, unknown>>;

/** A kernel of one result. */
export type HostKernel = (operands: HostOperands, attributes: Attributes) => HostValues;

const arrays = { float32: Float32Array, int32: Int32Array, bool: Uint8Array };

/** Of the dtype's own array: a backend takes its bytes as they are. */
function asArray(values: ArrayLike<number>, dtype: tf.DataType): tf.backend_util.TypedArray {
  const own = arrays[dtype as keyof typeof arrays];
  return values instanceof own ? values : own.from(values);
}

const write = (backend: tf.KernelBackend, { shape, dtype, values }: HostValues): tf.TensorInfo => ({
  dataId: backend.write(asArray(values, dtype), [...shape], dtype),
  shape: [...shape],
  dtype,
});

/** The wasm backend has a word for the numbers where they lie. */
interface ReadsInPlace {
  typedArrayFromHeap?(info: tf.TensorInfo): tf.backend_util.TypedArray;
}

/** To be used before anything is written: the memory of wasm may grow, and what is read in place is then gone. */
function read(backend: tf.KernelBackend & ReadsInPlace, info: tf.TensorInfo): HostValues {
  const { dataId, shape, dtype } = info;
  const values =
    backend.typedArrayFromHeap?.(info) ?? (backend.readSync(dataId) as ArrayLike<number>);
  return { shape, dtype, values: asArray(values, dtype) };
}

/** tfjs's kernel function for one of these. */
export const onHost =
  (kernel: HostKernel): tf.KernelFunc =>
  ({ inputs, backend, attrs }) => {
    const at = backend as tf.KernelBackend;
    const operands = Object.fromEntries(
      Object.entries(inputs).flatMap(([name, info]) => (info ? [[name, read(at, info)]] : [])),
    );
    return write(at, kernel(operands, attrs ?? {}));
  };

/** tfjs's kernel function for another backend, by one of tfjs's cpu backend: it computes in float64 and rounds what it
 *  returns. */
export const onCpu =
  (kernel: tf.KernelFunc, cpu: tf.KernelBackend): tf.KernelFunc =>
  ({ inputs, backend, attrs }) => {
    const at = backend as tf.KernelBackend;
    // Some kernels read a tensor's rank.
    const lent = Object.entries(inputs).map(
      ([name, info]) =>
        [name, info && { ...write(cpu, read(at, info)), rank: info.shape.length }] as const,
    );
    const given = Array.isArray(inputs)
      ? lent.map(([, info]) => info)
      : Object.fromEntries(lent.filter(([, info]) => info));
    const results = kernel({
      inputs: given as tf.NamedTensorInfoMap,
      backend: cpu,
      ...(attrs === undefined ? {} : { attrs }),
    });
    const own = [results].flat().map((info) => write(at, read(cpu, info)));
    for (const info of [results].flat()) cpu.disposeData(info.dataId);
    for (const [, info] of lent) if (info) cpu.disposeData(info.dataId);
    return Array.isArray(results) ? own : own[0]!;
  };
