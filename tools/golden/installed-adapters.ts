import type { TensorAdapter } from "@lejepa/tensor";

/** An adapter whose tensor type does not matter to the caller. */
export type AnyAdapter = TensorAdapter<unknown>;

/** How each adapter of `@lejepa/tensor` is started. */
const loaders: Readonly<Record<string, () => Promise<AnyAdapter>>> = {
  float64: async () => {
    const { float64Adapter } = await import("@lejepa/tensor/float64");
    return float64Adapter();
  },
  tfjs: async () => (await tfjsOn("cpu"))(),
  jax: async () => (await import("@lejepa/tensor/jax")).jaxAdapter(),
  "tfjs with ops": async () => {
    const { characteristicMeans } = await import("@lejepa/ops");
    return (await tfjsOn("cpu"))({ characteristicMeans });
  },
  "tfjs on wasm": async () => (await tfjsOn("wasm"))(),
};

/** tfjs adapters run on whichever backend was started last. */
async function tfjsOn(backend: "cpu" | "wasm") {
  const tf = await import("@tensorflow/tfjs-core");
  if (backend === "cpu") await import("@tensorflow/tfjs-backend-cpu");
  else await import("@tensorflow/tfjs-backend-wasm");
  tf.enableProdMode(); // no advertisement on the first call
  if (!(await tf.setBackend(backend))) throw new Error(`tfjs did not start on ${backend}`);
  return (await import("@lejepa/tensor/tfjs")).tfjsAdapter;
}

/** Every adapter that there is. */
export const adapterNames: readonly string[] = ["float64", "tfjs", "jax"];

/** Those, tfjs on its other backend, and with what other packages add to it. */
export const adapterVariants: readonly string[] = Object.keys(loaders);

/** Starts an adapter; undefined when the framework is not installed. Throws when it is there and does not start. */
export async function loadAdapter(name: string): Promise<AnyAdapter | undefined> {
  try {
    return await loaders[name]?.();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ERR_MODULE_NOT_FOUND") return undefined;
    throw error;
  }
}
