/** tfjs's backends with their wrong kernels replaced. */
import * as tf from "@tensorflow/tfjs-core";
import { broadcastProduct, composedKernels } from "./composed-kernels.js";
import { correctCpuKernels } from "./cpu-corrected-kernels.js";
import { hostKernels } from "./host-kernels.js";
import { onCpu, onHost } from "./on-host.js";
import { always, hasOneBatch, trustedKernels, type IsRight } from "./trusted-kernels.js";

/** The kernels that are replaced already. */
const replaced = new WeakSet<tf.KernelFunc>();

/** Replaces the kernels of a backend that are wrong for some operands, or that it lacks, for the whole process: a kernel
 *  of the same name gives what it should. Does nothing for a backend that this package does not bring along, nor for
 *  kernels that are replaced already. The wasm backend must have been imported. */
export async function registerRightKernels(backend: string): Promise<void> {
  if (backend !== "wasm" && backend !== "cpu") return;
  if (backend === "wasm") await importCpuOf("@tensorflow/tfjs-backend-wasm");
  // Before they stand in for those of the wasm backend.
  correctCpuKernels();
  const before = tf.getKernelsForBackend(backend).map(({ kernelName }) => kernelName);
  const names = new Set([
    ...(backend === "wasm" ? before : []),
    ...Object.keys(hostKernels),
    ...(backend === "wasm" ? Object.keys(composedKernels) : wrongOnCpu),
  ]);
  for (const name of names) {
    const own = kernelOf(name, backend);
    if (own && replaced.has(own.kernelFunc)) continue;
    const choices = (backend === "wasm" ? wasmChoices : cpuChoices)(name, own?.kernelFunc);
    const kernelFunc = firstOf(choices);
    replaced.add(kernelFunc);
    if (own) tf.unregisterKernel(name, backend);
    tf.registerKernel({ ...own, kernelName: name, backendName: backend, kernelFunc });
  }
}

const kernelOf = (name: string, backend: string) =>
  tf.getKernel(name, backend) as tf.KernelConfig | undefined;

/** A kernel, and for which operands it is right. */
interface Choice {
  readonly isRight: IsRight;
  readonly kernel: tf.KernelFunc;
}

function wasmChoices(name: string, own: tf.KernelFunc | undefined): readonly Choice[] {
  const host = hostKernels[name];
  const cpu = kernelOf(name, "cpu")?.kernelFunc;
  const composed = composedKernels[name];
  return [
    ...(own ? [{ isRight: cpu ? (trustedKernels[name] ?? never) : always, kernel: own }] : []),
    ...(host ? [{ ...host, kernel: onHost(host.kernel) }] : []),
    ...(name === "BatchMatMul" ? [repeatedBatches] : []),
    ...(composed ? [composed] : []),
    ...(cpu ? [{ isRight: always, kernel: onCpu(cpu, tf.findBackend("cpu")) }] : []),
  ];
}

const never: IsRight = () => false;

/** Those that the cpu backend has wrong and that are composed. */
const wrongOnCpu = [
  "BatchMatMul",
  "DepthwiseConv2dNativeBackpropFilter",
  "DepthwiseConv2dNativeBackpropInput",
];

const undilated: IsRight = (_operands, { dilations }) =>
  [dilations ?? 1].flat().every((dilation) => dilation === 1);

const repeatedBatches: Choice = {
  isRight: (operands, attributes) => !hasOneBatch(operands, attributes),
  kernel: broadcastProduct,
};

/** Its gradients of depthwise convolutions forget dilations; its products of matrices add up in float32 as well. */
function cpuChoices(name: string, own: tf.KernelFunc | undefined): readonly Choice[] {
  const host = hostKernels[name];
  if (host)
    return [
      { ...host, kernel: onHost(host.kernel) },
      ...(own ? [{ isRight: always, kernel: own }] : []),
    ];
  if (name === "BatchMatMul")
    return [
      repeatedBatches,
      { isRight: trustedKernels.BatchMatMul!, kernel: own! },
      composedKernels.BatchMatMul!,
      { isRight: always, kernel: own! },
    ];
  return [...(own ? [{ isRight: undilated, kernel: own }] : []), composedKernels[name]!];
}

const firstOf =
  (choices: readonly Choice[]): tf.KernelFunc =>
  (call) => {
    const operands = Object.values(call.inputs).filter((info) => info != null);
    const { kernel } = choices.find(({ isRight }) => isRight(operands, call.attrs ?? {}))!;
    return kernel(call);
  };

/** Registers the cpu backend: a package's own dependency, where this one cannot see it. */
async function importCpuOf(dependent: string): Promise<void> {
  const name = "@tensorflow/tfjs-backend-cpu";
  try {
    await import("@tensorflow/tfjs-backend-cpu");
  } catch (error) {
    // Of a browser the bundle holds it or does not.
    if (typeof process === "undefined") throw error;
    const { createRequire } = process.getBuiltinModule("node:module");
    const require = createRequire(import.meta.url);
    createRequire(require.resolve(dependent))(name);
  }
}
