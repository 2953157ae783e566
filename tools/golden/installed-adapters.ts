import type { TensorAdapter } from "@lejepa/tensor";

/** An adapter whose tensor type does not matter to the caller. */
export type AnyAdapter = TensorAdapter<unknown>;

/** The one whose framework does not come with the workspace: npm run setup:tensorflow. */
export const tensorFlowAdapter = "tfjs-tensorflow";

/** How each adapter of `@lejepa/tensor` is started, on each of its backends. */
const loaders: Readonly<Record<string, () => Promise<AnyAdapter | undefined>>> = {
  float64: async () => (await import("@lejepa/tensor/float64")).float64Adapter(),
  tfjs: () => tfjsOn("cpu"),
  "tfjs-wasm": () => tfjsOn("wasm"),
  [tensorFlowAdapter]: async () => {
    const { findTensorFlow, loadTensorFlow } = await import("@lejepa/engine/setup");
    const installation = await findTensorFlow();
    if (installation === undefined) return undefined;
    process.env["TF_CPP_MIN_LOG_LEVEL"] ??= "3"; // errors only
    loadTensorFlow(installation);
    return tfjsOn("tensorflow");
  },
  "tfjs-onnx": () => tfjsOn("onnx-engine"),
  "tfjs-ops": () => tfjsOn("cpu", "ops"),
  "tfjs-ops-wasm": () => tfjsOn("wasm", "ops"),
  jax: async () => (await import("@lejepa/tensor/jax")).jaxAdapter(),
};

/** What registers each backend of tfjs. */
const backends = {
  cpu: () => import("@tensorflow/tfjs-backend-cpu"),
  wasm: () => import("@tensorflow/tfjs-backend-wasm"),
  tensorflow: () => Promise.resolve(), // loadTensorFlow has
  "onnx-engine": async () =>
    (await import("../adapters/onnx-engine-backend.js")).onnxEngineBackend(),
};

/** The tfjs adapter, alone or with what `@lejepa/ops` adds. It runs on the backend that was set last. */
async function tfjsOn(backend: keyof typeof backends, along?: "ops"): Promise<AnyAdapter> {
  const tf = await import("@tensorflow/tfjs-core");
  await backends[backend]();
  tf.enableProdMode(); // no advertisement on the first call
  if (!(await tf.setBackend(backend))) throw new Error(`tfjs did not start on ${backend}`);
  const { tfjsAdapter } = await import("@lejepa/tensor/tfjs");
  if (along === undefined) return tfjsAdapter();
  const { characteristicMeans } = await import("@lejepa/ops");
  return tfjsAdapter({ characteristicMeans });
}

/** Every adapter that there is, by backend. */
export const adapterNames: readonly string[] = Object.keys(loaders);

/** Those whose framework is installed with the workspace. */
export const workspaceAdapters = adapterNames.filter((name) => name !== tensorFlowAdapter);

/** Makes an adapter the one that may be used until the next call: those of tfjs share its one active backend.
 *  Undefined when the framework is not installed. Throws when it is there and does not start. */
export async function useAdapter(name: string): Promise<AnyAdapter | undefined> {
  try {
    return await loaders[name]?.();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ERR_MODULE_NOT_FOUND") return undefined;
    throw error;
  }
}
