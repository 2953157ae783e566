import type { TensorAdapter } from "@lejepa/tensor";

/** An adapter whose tensor type does not matter to the caller. */
export type AnyAdapter = TensorAdapter<unknown>;

/** How each adapter of `@lejepa/tensor` is started. */
const loaders: Readonly<Record<string, () => Promise<AnyAdapter>>> = {
  float64: async () => {
    const { float64Adapter } = await import("@lejepa/tensor/float64");
    return float64Adapter();
  },
  tfjs: async () => (await tfjsOnCpu())(),
  jax: async () => (await import("@lejepa/tensor/jax")).jaxAdapter(),
  "tfjs with ops": async () => {
    const { characteristicMeans } = await import("@lejepa/ops");
    return (await tfjsOnCpu())({ characteristicMeans });
  },
};

async function tfjsOnCpu() {
  const tf = await import("@tensorflow/tfjs-core");
  await import("@tensorflow/tfjs-backend-cpu");
  tf.enableProdMode(); // no advertisement on the first call
  await tf.setBackend("cpu");
  return (await import("@lejepa/tensor/tfjs")).tfjsAdapter;
}

/** Every adapter that there is. */
export const adapterNames: readonly string[] = ["float64", "tfjs", "jax"];

/** Those and the same with what other packages add to them. */
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
