import type { GradientRule, TensorAdapter } from "@lejepa/tensor";

/** A function of embeddings [..., N, D] and directions [D, M] that treats every direction on its own: -> [..., M]. */
export type PerSlice = <T>(k: TensorAdapter<T>, embeddings: T, directions: T) => T;

/** The same function applied to `chunk` directions at a time, so that what it makes on the way is there for one chunk only.
 *
 *  With `customGradient` and `valueAndGrad` that holds for the gradient too: nothing is kept but the inputs, and each
 *  chunk is computed again in the backward pass. Elsewhere the framework keeps what it needs for its own gradient.
 *
 *  @param chunk How many directions at a time; less than that for the last ones when it does not divide M. */
export function inChunks<T>(
  k: TensorAdapter<T>,
  perSlice: PerSlice,
  embeddings: T,
  directions: T,
  chunk: number,
): T {
  const [dim = 0, slices = 0] = k.shape(directions);
  const begins = Array.from({ length: Math.ceil(slices / chunk) }, (_, i) => i * chunk);
  const sizeAt = (begin: number) => Math.min(chunk, slices - begin);
  const directionsAt = (all: T, begin: number) => k.slice(all, [0, begin], [dim, sizeAt(begin)]);
  const rule: GradientRule<T> = {
    forward([z, a]) {
      const parts = begins.map((begin) =>
        k.scope(() => perSlice(k, z as T, directionsAt(a as T, begin))),
      );
      return { value: k.concat(parts, -1), saved: [z as T, a as T] };
    },
    backward(cotangent, [z, a]) {
      const leading = k.shape(cotangent).slice(0, -1);
      const cotangentAt = (begin: number) =>
        k.slice(cotangent, [...leading.map(() => 0), begin], [...leading, sizeAt(begin)]);
      let sum: T | undefined;
      const parts = begins.map((begin) => {
        const before = sum;
        const { total, ofDirections } = k.scope(() => {
          const weights = cotangentAt(begin);
          const { grads } = k.valueAndGrad(
            (x, slice) => k.sum(k.mul(perSlice(k, x, slice), weights)),
            [z as T, directionsAt(a as T, begin)],
          );
          const [ofEmbeddings, ofDirections] = grads as [T, T];
          return {
            total: before === undefined ? ofEmbeddings : k.add(before, ofEmbeddings),
            ofDirections,
          };
        });
        if (before !== undefined) k.dispose(before);
        sum = total;
        return ofDirections;
      });
      return [sum as T, k.concat(parts, 1)];
    },
  };
  return k.capabilities.includes("customGradient") && k.capabilities.includes("valueAndGrad")
    ? k.customGradient(rule, [embeddings, directions])
    : rule.forward([embeddings, directions]).value;
}
